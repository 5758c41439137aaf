package dds

import (
	"context"
	"errors"

	"dds-backup-delete/internal/deletion"
)

// supplying returns a handler that reads the first credentials if the client was built without any.
// It is outside of retries and pace, because a secret that cannot be read says nothing about DDS.
func (l *keyLock) supplying(next handler) handler {
	return func(c *call) (*response, error) {
		if err := l.supply(c.Context()); err != nil {
			return nil, err
		}
		return next(c)
	}
}

// supply calls renew if there are no credentials yet. One call does so at a time, and the others
// wait for its result.
func (l *keyLock) supply(ctx context.Context) error {
	if l.current() != (Credentials{}) {
		return nil
	}
	select {
	case l.renewing <- struct{}{}:
		defer func() { <-l.renewing }()
	case <-ctx.Done():
		return unavailable("no time was left while another call read the credentials", ctx.Err())
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

// renewError returns the error of a call without credentials. It is a copy, because several calls
// get the same err and each may change its own.
func renewError(err error) *deletion.Error {
	var e *deletion.Error
	if errors.As(err, &e) {
		kept := *e
		return &kept
	}
	return unavailable("the credentials could not be read", err)
}
