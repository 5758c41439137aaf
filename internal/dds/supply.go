package dds

import (
	"context"
	"errors"
)

// supplying returns a handler that obtains the first credentials of a client which was built
// without any. It stands outside of retries and pace: a secret that cannot be read says nothing
// about DDS.
func (l *keyLock) supplying(next handler) handler {
	return func(c *call) (*response, error) {
		if err := l.supply(c.Context()); err != nil {
			return nil, err
		}
		return next(c)
	}
}

// supply calls renew where there are no credentials yet. One call does so at a time, and the
// others wait for what it finds.
func (l *keyLock) supply(ctx context.Context) error {
	if l.current() != (Credentials{}) {
		return nil
	}
	select {
	case l.renewing <- struct{}{}:
		defer func() { <-l.renewing }()
	case <-ctx.Done():
		return &Error{Class: Unavailable, Message: "no time was left while another call read the credentials", Err: ctx.Err()}
	}
	if l.current() != (Credentials{}) {
		return nil
	}
	first, err := l.renew(ctx)
	if err != nil {
		return renewError(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.credentials = first
	return nil
}

// renewError returns the error of a call that has no credentials: a copy, since callers share
// err and each may change its own.
func renewError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		kept := *e
		return &kept
	}
	return &Error{Class: Unavailable, Message: "the credentials could not be read", Err: err}
}
