package app

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"dds-backup-delete/internal/deletion"
)

// lookupTime bounds one look-up. At start, all look-ups share it: Lambda ends a function that
// has not started after ten seconds.
const lookupTime = 5 * time.Second

// lookup asks another service for something that requests need: the credentials in a secret, or the
// project of a region. A failure is the answer for the rest of the invocation, so a batch
// asks once. The next invocation asks again.
type lookup[T any] struct {
	variable string                           // the environment variable that makes the look-up necessary
	find     func(context.Context) (T, error) // its errors are [*deletion.Error] values
	turn     chan struct{}                    // holds the one call of find

	failure atomic.Pointer[error] // of the last call, until the next invocation
}

func newLookup[T any](variable string, find func(context.Context) (T, error)) *lookup[T] {
	return &lookup[T]{variable: variable, find: find, turn: make(chan struct{}, 1)}
}

// get returns what find finds. It takes no more than half of the time that ctx leaves.
func (l *lookup[T]) get(ctx context.Context) (found T, err error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return found, &deletion.Error{Class: deletion.ClassUnavailable, Message: l.variable + ": no time was left to look it up: " + ctx.Err().Error()}
	}
	if err := l.lastFailure(); err != nil {
		return found, err
	}
	limit := lookupTime
	if deadline, bounded := ctx.Deadline(); bounded {
		limit = min(limit, time.Until(deadline)/2)
	}
	looking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found, err = l.find(looking)
	if err != nil && ctx.Err() == nil { // else the caller had no time, which is no failure
		l.failure.Store(&err)
	}
	return found, err
}

// lastFailure returns the failure of this invocation; nil also for no look-up at all.
func (l *lookup[T]) lastFailure() error {
	if l == nil {
		return nil
	}
	if failure := l.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// retry lets the next get ask again after a failure. It is called when an invocation begins.
func (l *lookup[T]) retry() {
	if l != nil {
		l.failure.Store(nil)
	}
}

// projectError returns the error of requests whose project is not known. What IAM answers says
// nothing about a request, so the error is never final: where only a person can help, it is
// [deletion.ClassForbidden].
func projectError(err error) *deletion.Error {
	e := &deletion.Error{Class: deletion.ClassUnavailable, Message: "no answer: " + err.Error()}
	if answer, ok := errors.AsType[*deletion.Error](err); ok {
		kept := *answer
		e = &kept
	}
	if e.Class == deletion.ClassInvalid || e.Class == deletion.ClassNotFound || (e.Class == deletion.ClassUnknown && e.HTTPStatus == http.StatusForbidden) {
		e.Class = deletion.ClassForbidden
	}
	e.Message = "HUAWEICLOUD_SDK_PROJECT_ID: not set, and IAM did not name the project of the region: " + e.Message
	e.MaybeSent = false // nothing was deleted
	return e
}
