package handler

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/metrics"
	"dds-backup-delete/internal/secret"
)

// lookupTime bounds one look-up. At start, all look-ups share it: Lambda ends a function that
// has not started after ten seconds.
const lookupTime = 5 * time.Second

// lookup asks another service for something that requests need: the credentials in a secret, the
// project of a region. A failure is the answer for the rest of the invocation, so that a batch
// asks once; the next invocation asks again.
type lookup[T any] struct {
	variable string // the environment variable that makes the look-up necessary
	log      *slog.Logger
	metrics  *metrics.Recorder
	find     func(context.Context) (T, error) // its errors are [*deletion.Error] values
	turn     chan struct{}                    // holds the one call of find

	mu      sync.Mutex
	failure error // of the last call, until the next invocation
}

func newLookup[T any](variable string, log *slog.Logger, m *metrics.Recorder, find func(context.Context) (T, error)) *lookup[T] {
	return &lookup[T]{variable: variable, log: log, metrics: m, find: find, turn: make(chan struct{}, 1)}
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
		l.mu.Lock()
		l.failure = err
		l.mu.Unlock()
	}
	return found, err
}

func (l *lookup[T]) lastFailure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// retry has the next get ask again after a failure. It is called as an invocation begins.
func (l *lookup[T]) retry() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = nil
}

// report counts a failed look-up and logs its whole cause, which callers do not get to see.
func (l *lookup[T]) report(ctx context.Context, class deletion.Class, cause error) {
	l.metrics.LookupFailed(class)
	l.log.ErrorContext(ctx, "look-up failed, so requests are given back", "variable", l.variable, "class", string(class),
		"error", secret.Redact(cause.Error()))
}
