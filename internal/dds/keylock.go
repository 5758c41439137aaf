package dds

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"dds-backup-delete/internal/deletion"
)

// lockTime is how long Huawei Cloud locks a key for everyone after more than five refused calls in a
// row. https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html
const lockTime = 5 * time.Minute

// provenTime is how long an answer proves a key. A later batch starts with one single call again,
// because the key may have been withdrawn.
const provenTime = time.Minute

// renewEvery is the shortest time between two look-ups of a refused key at its source.
const renewEvery = 30 * time.Second

// keyLock gives each call its credentials and keeps Huawei Cloud from locking a bad key for everyone:
//   - until an answer proves a key, one call goes alone and the others wait for it;
//   - a refused key (see [refusesKey]) is not used for five minutes, unless the credentials change.
//     Other authentication failures concern the token or something in front of DDS, and hold back
//     no other call.
type keyLock struct {
	renew    func(context.Context) (Credentials, error) // nil if the credentials cannot change
	now      func() time.Time
	alone    chan struct{} // holds the one call that goes alone
	renewing chan struct{} // holds the one call that reads the credentials again

	mu          sync.Mutex // never held during a wait
	credentials Credentials
	provenUntil time.Time
	refused     *deletion.Error // why the key is not used; nil if it is
	refusedAt   time.Time
	renewedAt   time.Time
	renewErr    error           // of the last reading
	probeErr    *deletion.Error // of the last call that went alone and neither proved nor locked the key
	unanswered  int             // calls that went alone and had no answer
}

func newKeyLock(c Credentials, renew func(context.Context) (Credentials, error), now func() time.Time) *keyLock {
	return &keyLock{renew: renew, now: now, alone: make(chan struct{}, 1), renewing: make(chan struct{}, 1), credentials: c}
}

// locking returns a handler that lets calls pass as l allows. It looks up refused credentials again
// once, and repeats the call if they have changed.
func (l *keyLock) locking(next handler) handler {
	return func(c *call) (*response, error) {
		resp, unauthenticated, err := l.through(c, next)
		if unauthenticated && l.renewed(c.Context(), c.credentials) {
			resp, _, err = l.through(c, next)
		}
		return resp, err
	}
}

// through calls next when c may go, and reports whether its credentials were refused.
func (l *keyLock) through(c *call, next handler) (resp *response, unauthenticated bool, err error) {
	alone, err := l.enter(c)
	if err != nil {
		return nil, false, err
	}
	if alone {
		defer func() { <-l.alone }()
	}
	resp, err = next(c)
	return resp, l.noteAnswer(c.credentials, err), err
}

// enter gives c its credentials as soon as it may go, and reports whether it goes alone. Such a call
// holds its place in l.alone.
func (l *keyLock) enter(c *call) (alone bool, err error) {
	proven, unanswered, err := l.pass(c)
	if proven || err != nil {
		return false, err
	}
	select {
	case l.alone <- struct{}{}:
	case <-c.Context().Done():
		return false, unavailable("no time was left while another call tried the key", c.Context().Err())
	}
	proven, latest, err := l.pass(c)
	if err == nil && !proven && latest == unanswered {
		return true, nil
	}
	<-l.alone
	if err == nil && !proven { // one call without an answer is enough: the others must not wait as long again
		err = l.failedProbe()
	}
	return false, err
}

// failedProbe returns the error of a call that waited while another one tried the key in vain.
func (l *keyLock) failedProbe() *deletion.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.probeErr
	if e != nil && e.Class == deletion.ClassUnauthenticated {
		return &deletion.Error{Class: e.Class, Code: e.Code, HTTPStatus: e.HTTPStatus, Message: "held back, since another call was refused: " + e.Message}
	}
	return &deletion.Error{Class: deletion.ClassUnavailable, Message: "another call, which tried the key, had no answer"}
}

// pass gives c its credentials and reports whether they are proven, and how many calls that tried
// them had no answer so far. The error says why they are not used.
func (l *keyLock) pass(c *call) (proven bool, unanswered int, err error) {
	held, refused := l.held()
	if held != nil && !l.renewed(c.Context(), refused) {
		return false, 0, held
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.credentials = l.credentials
	left := l.provenUntil.Sub(l.now())
	return left > 0 && left <= provenTime, l.unanswered, nil // more is left only where the clock was put back
}

// held returns why the key is not used and the credentials that were refused, or nil. Both are read
// at once: the credentials may be renewed in the next moment.
func (l *keyLock) held() (why *deletion.Error, refused Credentials) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused == nil {
		return nil, Credentials{}
	}
	left := lockTime - l.now().Sub(l.refusedAt)
	if left <= 0 || left > lockTime { // over, or the clock was put back
		l.refused = nil
		return nil, Credentials{}
	}
	held := *l.refused
	held.Message = "held back, since the key was refused: " + held.Message
	if l.renewErr != nil {
		held.Message += ": " + printable(l.renewErr.Error())
	}
	held.RetryAfter, held.MaybeSent = left, false
	return &held, l.credentials
}

func (l *keyLock) current() Credentials {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.credentials
}

// noteAnswer notes what the answer to a call says about its key, and reports whether its credentials,
// key or token, were refused.
func (l *keyLock) noteAnswer(used Credentials, err error) (unauthenticated bool) {
	e, failed := errors.AsType[*deletion.Error](err)
	unauthenticated = failed && e.Class == deletion.ClassUnauthenticated
	l.mu.Lock()
	defer l.mu.Unlock()
	if used != l.credentials { // replaced meanwhile
		return unauthenticated
	}
	switch {
	case unauthenticated && refusesKey(e):
		kept := *e // the caller may change its own
		l.refused, l.refusedAt, l.provenUntil = &kept, l.now(), time.Time{}
	case !failed, provesKey(e) && (!unauthenticated || !used.AccessKey.IsZero()):
		l.provenUntil = l.now().Add(provenTime)
	default: // also a refused token, and a 401 without a code: it may be a refusal whose text was lost
		l.unanswered++
		l.probeErr = e
	}
	return unauthenticated
}

// provesKey reports whether an error shows that the key was accepted: a code of DDS, or a refusal of
// the gateway that comes after authentication.
func provesKey(e *deletion.Error) bool {
	return strings.HasPrefix(e.Code, "DBS.") || (e.Code != "" && e.Class == deletion.ClassForbidden)
}

// renewed reports whether the credentials have changed since they were refused. One call asks their
// source, and the others wait for it until their deadline.
func (l *keyLock) renewed(ctx context.Context, refused Credentials) bool {
	if l.renew == nil {
		return false
	}
	select {
	case l.renewing <- struct{}{}:
		defer func() { <-l.renewing }()
	case <-ctx.Done():
		return false
	}
	l.mu.Lock()
	since := l.now().Sub(l.renewedAt)
	changed, due := l.credentials != refused, since >= renewEvery || since < 0
	l.mu.Unlock()
	if changed || !due {
		return changed
	}
	fresh, err := l.renew(ctx)
	if ctx.Err() != nil {
		return false // the source had no time to answer
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewedAt, l.renewErr = l.now(), err
	if err != nil || fresh == l.credentials {
		return false
	}
	l.credentials, l.refused, l.provenUntil = fresh, nil, time.Time{}
	return true
}

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
	if l.renew == nil || l.current() != (Credentials{}) {
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
	e, ok := errors.AsType[*deletion.Error](err)
	if ok {
		kept := *e
		return &kept
	}
	return unavailable("the credentials could not be read", err)
}
