package dds

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/retry"
)

// maxTries is how often one call is sent at most.
const maxTries = 4

// RetryPolicy decides whether a failed try is followed by another, and after what wait. The
// first try is number 1.
type RetryPolicy func(try int, err *deletion.Error) (wait time.Duration, again bool)

// DefaultRetryPolicy repeats throttled and unavailable tries with backoff, added to the wait that
// the service asked for. It meets throttled calls of IAM, since those of DDS are repeated by the pace (see
// [pace]).
func DefaultRetryPolicy(try int, err *deletion.Error) (wait time.Duration, again bool) {
	if try >= maxTries || (err.Class != deletion.ClassThrottled && err.Class != deletion.ClassUnavailable) {
		return 0, false
	}
	return err.RetryAfter + backoff(try), true
}

// backoff returns a random wait below 0.2, 0.4, 0.8 … 5 seconds: exponential with full jitter.
func backoff(try int) time.Duration { return retry.Backoff(200*time.Millisecond, 5*time.Second, try) }

// retrying returns a handler that repeats failed tries as the policy says, as long as
//   - the wait ends in the first half of the call's time, so that time is left for the others;
//   - the budget of the process allows it, so that the calls do not overload a failing DDS;
//   - it is not a throttled call in the background.
//
// One try on a dead kept-alive connection, for example after a freeze, does not count.
func retrying(next handler, policy RetryPolicy, budget *rate.Limiter) handler {
	return func(c *call) (*response, error) {
		giveUp := halfOf(c.Context())
		staleLeft := 1
		for try := 1; ; try++ {
			resp, err := next(c)
			e, failed := errors.AsType[*deletion.Error](err)
			if !failed {
				return resp, err
			}
			c.maybeSent = c.maybeSent || e.MaybeSent
			e.MaybeSent = c.maybeSent
			if c.last.stale && staleLeft > 0 && c.Context().Err() == nil {
				staleLeft--
				try--
				continue
			}
			wait, again := policy(try, e)
			again = again && (e.Class != deletion.ClassThrottled || !deletion.IsBackground(c.Context()))
			if !again || time.Now().Add(wait).After(giveUp) || !budget.Allow() || !retry.Wait(c.Context(), wait) {
				return nil, e
			}
		}
	}
}

// halfOf returns the time halfway to the deadline of ctx.
func halfOf(ctx context.Context) time.Time {
	now := time.Now()
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return now.Add(time.Minute)
	}
	return now.Add(deadline.Sub(now) / 2)
}
