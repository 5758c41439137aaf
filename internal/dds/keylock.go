package dds

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Huawei Cloud locks a key for everyone, for five minutes, after more than five refused calls
// in a row. https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html
const lockTime = 5 * time.Minute

// provenTime is how long an answer proves a key. A batch that comes later starts with one call
// alone again, since the key may have been withdrawn meanwhile.
const provenTime = time.Minute

// renewEvery is how often, at the most, a refused key is looked up again at its source.
const renewEvery = 30 * time.Second

// keyLock hands each call its credentials and keeps a bad key from being locked for everyone:
//   - until a key has had an answer that is no authentication failure, one call goes alone and
//     the others wait for it;
//   - a refused key is left alone for five minutes, unless the credentials change.
type keyLock struct {
	renew func(context.Context) (Credentials, error) // nil where credentials cannot change
	now   func() time.Time
	alone chan struct{} // holds the one call that goes alone

	mu          sync.Mutex
	credentials Credentials
	provenUntil time.Time
	refused     *Error // why the key is left alone; nil where it is not
	refusedAt   time.Time
	renewedAt   time.Time
}

func newKeyLock(c Credentials, renew func(context.Context) (Credentials, error), now func() time.Time) *keyLock {
	return &keyLock{renew: renew, now: now, alone: make(chan struct{}, 1), credentials: c}
}

// locking returns a handler that lets calls pass as l allows. A refused key is looked up anew
// once, and where that brings another, the call goes out again with it.
func (l *keyLock) locking(next handler) handler {
	return func(c *call) (*response, error) {
		for again := true; ; again = false {
			leave, err := l.enter(c)
			if err != nil {
				return nil, err
			}
			resp, err := next(c)
			refused := l.settle(c.credentials, err)
			leave()
			if !refused || !again || !l.renewed(c.Context(), c.credentials) {
				return resp, err
			}
		}
	}
}

// enter gives c its credentials as soon as it may go, and returns what to call after it.
func (l *keyLock) enter(c *call) (leave func(), err error) {
	if pass, err := l.pass(c); pass || err != nil {
		return func() {}, err
	}
	select {
	case l.alone <- struct{}{}:
	case <-c.Context().Done():
		return nil, &Error{
			Class: Unavailable, Message: "no time was left while another call tried the key", Err: c.Context().Err(),
		}
	}
	leave = func() { <-l.alone }
	pass, err := l.pass(c)
	if pass || err != nil { // the call before has settled it
		leave()
		return func() {}, err
	}
	return leave, nil
}

// pass gives c its credentials and reports whether they are proven. The error says that they
// are left alone.
func (l *keyLock) pass(c *call) (proven bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused != nil {
		left := lockTime - l.now().Sub(l.refusedAt)
		if left > 0 && !l.lookUp(c.Context()) {
			held := *l.refused
			held.Message = "held back, since the key was refused: " + held.Message
			held.RetryAfter, held.AnswerLost = left, false
			return false, &held
		}
		l.refused = nil
	}
	c.credentials = l.credentials
	return l.now().Before(l.provenUntil), nil
}

// settle notes what the answer to a call says of its key and reports whether it was refused.
func (l *keyLock) settle(used Credentials, err error) (refused bool) {
	var e *Error
	failed := errors.As(err, &e)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case failed && e.Class == Unauthenticated:
		if used == l.credentials { // not already replaced
			l.refused, l.refusedAt, l.provenUntil = e, l.now(), time.Time{}
		}
		return true
	case used == l.credentials && (!failed || e.StatusCode != 0):
		l.provenUntil = l.now().Add(provenTime)
	}
	return false
}

// renewed reports whether there are other credentials now than those that were refused.
func (l *keyLock) renewed(ctx context.Context, refused Credentials) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.credentials != refused || l.lookUp(ctx)
}

// lookUp asks the source for other credentials and reports whether it had them. l.mu is held,
// so that a batch asks once.
func (l *keyLock) lookUp(ctx context.Context) bool {
	if l.renew == nil || l.now().Sub(l.renewedAt) < renewEvery {
		return false
	}
	l.renewedAt = l.now()
	fresh, err := l.renew(ctx)
	if err != nil || fresh == l.credentials {
		return false
	}
	l.credentials, l.refused, l.provenUntil = fresh, nil, time.Time{}
	return true
}
