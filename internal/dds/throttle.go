package dds

import (
	"errors"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"dds-backup-delete/internal/retry"
)

const (
	// firstRate, in calls per second, is what the first throttled answer slows the process to
	// where it told no limit.
	firstRate = 10
	// openRate, in calls per second, is where a recovering limit is dropped again.
	openRate = 200
	// headroom is how much faster than its calls were taken a process goes on that shares a limit
	// with others. What they leave is found by it; what is refused of it counts for nothing.
	headroom = 1.1
	// leastHorizon is the time over which calls are counted at the least.
	leastHorizon = 10 * time.Second
	// longestPause bounds how long a throttled answer that names no time holds all calls: less
	// than an invocation, so that each looks again before its messages go back to their queue.
	longestPause = 3 * time.Second
)

// pace slows all calls of the process together after a throttled answer, and recovers by
// itself. The limit is shared with processes that it knows nothing of, so it goes by what was
// taken of its own calls.
type pace struct {
	now     func() time.Time
	ceiling rate.Limit // DDS_RATE, or rate.Inf
	limiter *rate.Limiter

	mu      sync.Mutex
	until   time.Time  // no call goes out before
	hold    time.Time  // recovery begins then; before it, the limit told holds
	strikes int        // throttled answers since the last that was not
	refused time.Time  // the last throttled answer that counted
	told    rate.Limit // what the last answer that told a limit allows
	taken   tally      // of the calls that were not throttled
}

// newPace returns a pace of so many calls per second; 0 for no limit but the service's own.
func newPace(perSecond float64, now func() time.Time) *pace {
	p := &pace{ceiling: rate.Inf, now: now, taken: tally{horizon: time.Minute}}
	if perSecond > 0 {
		p.ceiling = rate.Limit(perSecond)
	}
	p.limiter = rate.NewLimiter(p.ceiling, burst(p.ceiling))
	return p
}

// burst is how many calls may go at once: a second's worth.
func burst(limit rate.Limit) int {
	if limit == rate.Inf {
		return 1
	}
	return max(1, int(math.Min(float64(limit), 1000)))
}

// pacing returns a handler that lets calls pass at the pace of the moment. A call that was
// throttled goes out again in its turn, as long as there is time: given back, its message would
// lose a receive.
func (p *pace) pacing(next handler) handler {
	return func(c *call) (resp *response, err error) {
		end := time.Now().Add(time.Minute)
		if deadline, bounded := c.Context().Deadline(); bounded {
			end = deadline
		}
		for {
			if held := p.wait(c, end); held != nil {
				if err != nil {
					return nil, err // what DDS said tells more
				}
				return nil, held
			}
			resp, err = next(c)
			var e *Error
			switch errors.As(err, &e); {
			case e != nil && e.Class == Throttled:
				p.slow(e, p.now())
				continue
			case err == nil || (e != nil && e.StatusCode != 0):
				p.recover(p.now())
			}
			return resp, err
		}
	}
}

// wait waits for the turn of c. Where the end of its time comes first, c is given back at once.
func (p *pace) wait(c *call, end time.Time) error {
	for first := true; ; first = false {
		p.mu.Lock()
		pause := p.until.Sub(p.now())
		if p.now().Before(p.refused) { // the clock was put back
			pause = 0
		}
		p.mu.Unlock()
		if pause <= 0 && !first {
			return nil
		}
		if pause > time.Until(end) {
			return &Error{Class: Throttled, Message: "held back, since DDS throttles calls", RetryAfter: pause}
		}
		if pause > 0 && !retry.Wait(c.Context(), pause) {
			return &Error{Class: Unavailable, Message: "no time was left to wait for a turn", Err: c.Context().Err()}
		}
		if err := p.limiter.Wait(c.Context()); err != nil {
			return &Error{Class: Throttled, Message: "held back: no turn before the deadline", Err: err}
		}
	}
}

// slow follows a throttled answer. Where it told a limit, calls go on as fast as they were taken
// of late, which is this process's share of it; else at a part of the present rate. The answers of
// calls that were on their way together count once.
func (p *pace) slow(e *Error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.until) {
		return
	}
	limit := p.limiter.Limit()
	longest := longestPause
	switch {
	case e.Limit.Calls > 0:
		// A little below it, so that the ends of windows do not matter. It is a rule, not a
		// guess, so it holds for long.
		p.told = rate.Limit(0.98 * float64(e.Limit.Calls) / e.Limit.Window.Seconds())
		p.hold = now.Add(10 * e.Limit.Window)
		p.taken.horizon = max(e.Limit.Window, leastHorizon)
		least := max(p.told/100, rate.Limit(1/p.taken.horizon.Seconds()))
		limit = min(max(headroom*p.taken.rate(now), least), p.told)
		longest = min(e.Limit.Window/50, longest)
	case limit == rate.Inf:
		limit = firstRate
		p.hold = now
	case p.strikes == 0:
		limit *= 0.8
		p.hold = now
	}
	limit = min(limit, p.ceiling)
	p.refused = now
	p.limiter.SetLimitAt(now, limit)
	p.limiter.SetBurstAt(now, 1)
	// One interval, and twice as long for each further strike, since the window may be spent.
	pause := min(time.Duration(float64(time.Second)/float64(limit)*math.Pow(2, float64(min(p.strikes, 10)))), longest)
	p.strikes++
	if e.Limit.Calls == 0 {
		pause = max(pause, e.RetryAfter) // the service's own word
	}
	p.until = now.Add(pause)
}

// recover follows an answer that was not throttled: the longer ago the last one that was, the
// faster it goes up, so that a limit nearby is met slowly and one that is gone is soon forgotten.
func (p *pace) recover(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.strikes = 0
	p.taken.add(now)
	limit := p.limiter.Limit()
	switch {
	case limit == p.ceiling:
		return
	case now.Before(p.hold): // others may have left something of the limit that was told
		factor := headroom + now.Sub(p.refused).Seconds()/(5*p.taken.horizon.Seconds())
		limit = min(max(limit, rate.Limit(factor)*p.taken.rate(now)), p.told, p.ceiling)
	default:
		limit += rate.Limit(now.Sub(p.hold).Seconds() / float64(limit))
		if limit >= min(openRate, p.ceiling) {
			limit = p.ceiling
			p.limiter.SetBurstAt(now, burst(limit))
		}
	}
	p.limiter.SetLimitAt(now, limit)
}

// tally counts calls over the last horizon of time: those of the present part of it, and those
// of the part before, as far as it reaches into the last horizon.
type tally struct {
	horizon     time.Duration
	since       time.Time // the first call of all
	start       time.Time // of the present part
	now, before float64
}

func (t *tally) add(now time.Time) {
	t.turn(now)
	t.now++
}

// turn begins a new part where the present one is over.
func (t *tally) turn(now time.Time) {
	switch past := now.Sub(t.start); {
	case past >= 2*t.horizon:
		t.start, t.now, t.before = now, 0, 0
		if t.since.IsZero() {
			t.since = now
		}
	case past >= t.horizon:
		t.start, t.now, t.before = t.start.Add(t.horizon), 0, t.now
	}
}

// rate is how many calls a second there were: over the horizon, or over the time since the
// first call of all where that is shorter, one second at the least.
func (t *tally) rate(now time.Time) rate.Limit {
	t.turn(now)
	left := 1 - now.Sub(t.start).Seconds()/t.horizon.Seconds()
	over := min(max(now.Sub(t.since), time.Second), t.horizon)
	return rate.Limit((t.now + left*t.before) / over.Seconds())
}
