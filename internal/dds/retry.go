package dds

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"dds-backup-delete/internal/retry"
)

// maxTries is how often one call goes out at the most.
const maxTries = 4

// RetryPolicy decides whether a failed try is followed by another, and after what wait. The
// first try is number 1.
type RetryPolicy func(try int, err *Error) (wait time.Duration, again bool)

// DefaultRetryPolicy repeats what may pass by itself, throttling and unavailability, with
// backoff, or after the wait that the service asked for.
func DefaultRetryPolicy(try int, err *Error) (wait time.Duration, again bool) {
	if try >= maxTries || (err.Class != Throttled && err.Class != Unavailable) {
		return 0, false
	}
	return err.RetryAfter + Backoff(try), true
}

// Backoff returns a random wait below 0.2, 0.4, 0.8 … 5 seconds: exponential with full jitter.
func Backoff(try int) time.Duration {
	const base, most = 200 * time.Millisecond, 5 * time.Second
	return retry.Backoff(base, most, try)
}

// retrying returns a handler that repeats failed tries as the policy says, as long as
//   - the wait is over before the deadline, and half of the call's time is left for others;
//   - the budget of the process allows: a dead DDS must not be hammered by every call.
//
// A kept-alive connection that turned out to be dead, as after a freeze, costs one try that
// counts for nothing.
func retrying(next handler, policy RetryPolicy, budget *rate.Limiter) handler {
	return func(c *call) (*response, error) {
		giveUp := halfOf(c.Context())
		staleLeft := 1
		for try := 1; ; try++ {
			resp, err := next(c)
			if err == nil {
				return resp, nil
			}
			var e *Error
			if !errors.As(err, &e) {
				return nil, err
			}
			c.answerLost = c.answerLost || e.AnswerLost
			e.AnswerLost = c.answerLost
			if e.stale && staleLeft > 0 && c.Context().Err() == nil {
				staleLeft--
				try--
				continue
			}
			wait, again := policy(try, e)
			if !again || time.Now().Add(wait).After(giveUp) || !budget.Allow() || !retry.Wait(c.Context(), wait) {
				return nil, e
			}
		}
	}
}

// halfOf returns the moment at which half of the time is gone that ctx leaves.
func halfOf(ctx context.Context) time.Time {
	now := time.Now()
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return now.Add(time.Minute)
	}
	return now.Add(deadline.Sub(now) / 2)
}
