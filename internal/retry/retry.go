// Package retry has what every retry loop of the program needs: how long to wait, the wait itself, and
// the wait that a server asks for. What is retried, and how often, is up to the caller.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// maxAfter bounds the wait that a server can ask for.
const maxAfter = 24 * time.Hour

// Backoff returns the wait after a failed try, the first of which is number 1: exponential with full
// jitter, that is a random duration below base, twice base, four times base and so on up to limit.
func Backoff(base, limit time.Duration, try int) time.Duration {
	return rand.N(min(base<<min(try-1, 10), limit)) //nolint:gosec // it spreads load and protects nothing
}

// Wait waits, and reports whether ctx is still valid after that. It returns false at once if the wait
// would reach the deadline of ctx, because no try could follow.
func Wait(ctx context.Context, d time.Duration) bool {
	deadline, bounded := ctx.Deadline()
	if bounded && !time.Now().Add(d).Before(deadline) {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// After returns the wait that a Retry-After header asks for, in seconds or as a date: a day at most,
// and 0 if the header holds neither.
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
func After(header string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(header, 10, 31)
	if err == nil || errors.Is(err, strconv.ErrRange) { // out of range, seconds is the largest number
		return min(time.Duration(seconds)*time.Second, maxAfter)
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(date.Sub(now), 0), maxAfter)
	}
	return 0
}
