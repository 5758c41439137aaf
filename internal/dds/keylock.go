package dds

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"dds-backup-delete/internal/deletion"
)

const (
	// lockTime is how long Huawei Cloud locks a key for everyone after more than five refused calls in a
	// row. https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html
	lockTime = 5 * time.Minute
	// provenTime is how long an answer proves a key. A later batch starts with a probe again, because
	// the key may have been withdrawn.
	provenTime = time.Minute
	// renewEvery is the shortest time between two readings of a refused key at its source.
	renewEvery = 30 * time.Second
)

// keyLock gives each call its credentials, and keeps Huawei Cloud from locking a bad key for everyone:
//   - While the key is not proven, one call goes out at a time: the probe. The others wait for its answer.
//     If it does not prove the key, the waiting calls fail too, instead of probing one after another.
//   - A refused key (see [refusesKey]) is not used for five minutes, unless the credentials change.
//     Other authentication failures concern the token or something in front of DDS, and hold back
//     only the calls that waited for that answer.
type keyLock struct {
	renew   func(context.Context) (Credentials, error) // nil if the credentials cannot change
	now     func() time.Time
	probe   *semaphore.Weighted // held by the probe
	reading *semaphore.Weighted // held by the call that reads the credentials from their source

	mu           sync.Mutex // never held during a wait
	credentials  Credentials
	provenUntil  time.Time
	refused      *deletion.Error // why the key is not used; nil if it is
	refusedAt    time.Time
	inconclusive *deletion.Error // the last failure that neither proved nor refused the key; each is a new pointer
	renewedAt    time.Time
	renewErr     error // of the last reading
}

func newKeyLock(c Credentials, renew func(context.Context) (Credentials, error), now func() time.Time) *keyLock {
	return &keyLock{renew: renew, now: now, probe: semaphore.NewWeighted(1), reading: semaphore.NewWeighted(1), credentials: c}
}

// pass sends a call through next as l allows. If the credentials are refused, it reads them again, and repeats
// the call once if they have changed.
func (l *keyLock) pass(c *call, next handler) (*response, error) {
	resp, unauthenticated, err := l.tryOnce(c, next)
	if unauthenticated && l.renewed(c.Context(), c.credentials) {
		resp, _, err = l.tryOnce(c, next)
	}
	return resp, err
}

// tryOnce calls next when it is c's turn, and reports whether the credentials were refused.
func (l *keyLock) tryOnce(c *call, next handler) (resp *response, unauthenticated bool, err error) {
	isProbe, err := l.waitTurn(c)
	if err != nil {
		return nil, false, err
	}
	if isProbe {
		defer l.probe.Release(1)
	}
	resp, err = next(c)
	return resp, l.noteAnswer(c.credentials, err), err
}

// waitTurn returns when c may go out with its credentials, and reports whether it is the probe, which
// holds l.probe.
func (l *keyLock) waitTurn(c *call) (isProbe bool, err error) {
	proven, before, err := l.credentialsFor(c)
	if proven || err != nil {
		return false, err
	}
	if err := l.probe.Acquire(c.Context(), 1); err != nil {
		return false, unavailable("no time was left while another call tried the key", err)
	}
	defer func() {
		if !isProbe { // also after a panic of the source of the credentials
			l.probe.Release(1)
		}
	}()
	proven, inconclusive, err := l.credentialsFor(c)
	switch {
	case proven || err != nil:
	case inconclusive == before:
		return true, nil
	case inconclusive.Class == deletion.ClassUnauthenticated: // a probe failed while c waited: do not probe again
		err = &deletion.Error{
			Class: inconclusive.Class, Code: inconclusive.Code, HTTPStatus: inconclusive.HTTPStatus,
			Message: "held back, since another call was refused: " + inconclusive.Message,
		}
	default:
		err = &deletion.Error{Class: deletion.ClassUnavailable, Message: "held back: the call that tested the key had no clear answer"}
	}
	return false, err
}

// credentialsFor gives c its credentials. It reports whether they are proven, and the last failure that
// left that open. The error says why they are not used.
func (l *keyLock) credentialsFor(c *call) (proven bool, inconclusive *deletion.Error, err error) {
	refusal, refused := l.refusal()
	if refusal != nil && !l.renewed(c.Context(), refused) {
		return false, nil, refusal
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.credentials = l.credentials
	return l.isProvenLocked(), l.inconclusive, nil
}

// isProven reports whether a recent answer proves the key.
func (l *keyLock) isProven() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isProvenLocked()
}

func (l *keyLock) isProvenLocked() bool {
	left := l.provenUntil.Sub(l.now())
	return left > 0 && left <= provenTime // a longer time means that the clock was set back
}

// refusal returns why the key is not used now, and the credentials that were refused; nil if it may be
// used. Both are read at once, because another call may renew the credentials at any time.
func (l *keyLock) refusal() (why *deletion.Error, refused Credentials) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := lockTime - l.now().Sub(l.refusedAt)
	if l.refused == nil || left <= 0 || left > lockTime { // a longer time means that the clock was set back
		l.refused = nil
		return nil, Credentials{}
	}
	e := *l.refused
	e.Message = "held back, since the key was refused: " + e.Message
	if l.renewErr != nil {
		e.Message += ": " + printable(l.renewErr.Error())
	}
	e.RetryAfter, e.MaybeSent = left, false
	return &e, l.credentials
}

// noteAnswer notes what the answer to a call says about its key, and reports whether its credentials,
// key or token, were refused.
func (l *keyLock) noteAnswer(used Credentials, err error) (unauthenticated bool) {
	e, failed := errors.AsType[*deletion.Error](err)
	unauthenticated = failed && e.Class == deletion.ClassUnauthenticated
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case used != l.credentials: // replaced meanwhile
	case !failed, provesKey(e) && (!unauthenticated || !used.AccessKey.IsZero()):
		l.provenUntil = l.now().Add(provenTime)
	case refusesKey(e) && unauthenticated:
		l.refused, l.refusedAt, l.provenUntil = copyOf(e), l.now(), time.Time{}
	default: // also a refused token, and a 401 without a code: it may be a refusal whose text was lost
		l.inconclusive = copyOf(e)
	}
	return unauthenticated
}

// copyOf returns a copy of e, because the call that got e may change it.
func copyOf(e *deletion.Error) *deletion.Error {
	kept := *e
	return &kept
}

// provesKey reports whether an error shows that the key was accepted: a code of DDS or SMN, or a refusal of
// the gateway that comes after authentication.
func provesKey(e *deletion.Error) bool {
	return strings.HasPrefix(e.Code, "DBS.") || strings.HasPrefix(e.Code, "SMN.") || (e.Code != "" && e.Class == deletion.ClassForbidden)
}

// renewed reports whether the credentials have changed since they were refused. One call reads them
// from their source, and the others wait for it until their deadline.
func (l *keyLock) renewed(ctx context.Context, refused Credentials) bool {
	if l.renew == nil || l.reading.Acquire(ctx, 1) != nil {
		return false
	}
	defer l.reading.Release(1)
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

// supply reads the credentials from their source if there are none yet. One call does so at a time, and
// the others wait for its result.
func (l *keyLock) supply(ctx context.Context) error {
	if l.renew == nil || !l.lacksCredentials() {
		return nil
	}
	if err := l.reading.Acquire(ctx, 1); err != nil {
		return unavailable("no time was left while another call read the credentials", err)
	}
	defer l.reading.Release(1)
	if !l.lacksCredentials() {
		return nil
	}
	first, err := l.renew(ctx)
	e, explained := errors.AsType[*deletion.Error](err)
	switch {
	case explained:
		return copyOf(e) // several calls may get the same one
	case err != nil:
		return unavailable("the credentials could not be read", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.credentials = first
	return nil
}

func (l *keyLock) lacksCredentials() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.credentials == Credentials{}
}
