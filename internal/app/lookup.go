package app

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
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

// lookupFailed counts a failed look-up and logs its whole cause, which callers must not learn.
func (a *App) lookupFailed(ctx context.Context, variable string, class deletion.Class, cause string) {
	a.metrics.LookupFailed(class)
	a.log.ErrorContext(ctx, "look-up failed, so requests are given back", "variable", variable, "class", string(class),
		"error", secret.Redact(cause))
}

// newCredentials returns the look-up of the credentials in the secret that HUAWEICLOUD_SECRET_ARN names.
func newCredentials(a *App, c *config.Config, read func(context.Context, arn.ARN) (string, *deletion.Error)) *lookup[dds.Credentials] {
	const variable = "HUAWEICLOUD_SECRET_ARN"
	return newLookup(variable, func(ctx context.Context) (dds.Credentials, error) {
		text, failure := read(ctx, c.Credentials.Secret)
		if failure != nil {
			a.lookupFailed(ctx, variable, failure.Class, failure.Cause)
			failure.Cause = "" // it is logged once, and not again for each request
			return dds.Credentials{}, failure
		}
		credentials, err := config.ParseSecret(text)
		if err != nil { // the content can be corrected without a deployment
			a.lookupFailed(ctx, variable, deletion.ClassForbidden, err.Error())
			return dds.Credentials{}, &deletion.Error{Class: deletion.ClassForbidden, Message: err.Error()}
		}
		return credentials, nil
	})
}

// newProject returns the look-up of the region's project at IAM, which is asked until it names
// one. Calls to IAM need credentials; a failure of their look-up has its own line in the log.
func newProject(a *App, c *config.Config) *lookup[string] {
	const variable = "HUAWEICLOUD_SDK_PROJECT_ID"
	known := ""
	return newLookup(variable, func(ctx context.Context) (string, error) {
		if known != "" {
			return known, nil
		}
		found, err := a.DDS.FindProject(ctx, c.IAMEndpoint, c.Region)
		if err != nil {
			e := projectError(err)
			if a.credentials.lastFailure() == nil {
				a.lookupFailed(ctx, variable, e.Class, e.Error())
			}
			return "", e
		}
		known = found
		return known, nil
	})
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
