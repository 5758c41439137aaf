package dds

import (
	"errors"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// firstRate, in calls per second, is what the first throttled answer slows the process to
	// where it told no limit.
	firstRate = 10
	// openRate, in calls per second, is where a recovering limit is dropped again.
	openRate = 200
)

// pace slows all calls of the process together after a throttled answer, and recovers by
// itself.
type pace struct {
	now     func() time.Time
	ceiling rate.Limit // DDS_RATE, or rate.Inf
	limiter *rate.Limiter

	mu      sync.Mutex
	until   time.Time // no call goes out before
	hold    time.Time // recovery begins then
	strikes int       // throttled answers since the last that was not
}

// newPace returns a pace of so many calls per second; 0 for no limit but the service's own.
func newPace(perSecond float64, now func() time.Time) *pace {
	p := &pace{ceiling: rate.Inf, now: now}
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

// pacing returns a handler that lets calls pass at the pace of the moment.
func (p *pace) pacing(next handler) handler {
	return func(c *call) (*response, error) {
		if err := p.wait(c); err != nil {
			return nil, err
		}
		resp, err := next(c)
		var e *Error
		if errors.As(err, &e) && e.Class == Throttled {
			p.slow(e, p.now())
		} else if err == nil || (e != nil && e.StatusCode != 0) {
			p.recover(p.now())
		}
		return resp, err
	}
}

// wait waits for the turn of c. Where its deadline comes first, c is given back at once.
func (p *pace) wait(c *call) error {
	p.mu.Lock()
	pause := p.until.Sub(p.now())
	p.mu.Unlock()
	deadline, bounded := c.Context().Deadline()
	if bounded && pause > time.Until(deadline) {
		return &Error{Class: Throttled, Message: "held back, since DDS throttles calls", RetryAfter: pause}
	}
	if pause > 0 && !sleep(c.Context(), pause) {
		return &Error{Class: Unavailable, Message: "no time was left to wait for a turn", Err: c.Context().Err()}
	}
	if err := p.limiter.Wait(c.Context()); err != nil {
		return &Error{Class: Throttled, Message: "held back: no turn before the deadline", Err: err}
	}
	return nil
}

// slow follows a throttled answer: to the limit that it told, else to a part of the present
// one. The answers of calls that were on their way together count once.
func (p *pace) slow(e *Error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.until) {
		return
	}
	limit := p.limiter.Limit()
	longest := time.Minute
	switch {
	case e.Limit.Calls > 0:
		// A little below it, so that the ends of windows do not matter. It is a rule, not a
		// guess, so it holds for long.
		limit = rate.Limit(0.98 * float64(e.Limit.Calls) / e.Limit.Window.Seconds())
		p.hold = now.Add(10 * e.Limit.Window)
		longest = e.Limit.Window / 10
	case limit == rate.Inf:
		limit = firstRate
		p.hold = now
	case p.strikes == 0:
		limit *= 0.8
		p.hold = now
	}
	limit = min(limit, p.ceiling)
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
	limit := p.limiter.Limit()
	if limit == p.ceiling || now.Before(p.hold) {
		return
	}
	limit += rate.Limit(now.Sub(p.hold).Seconds() / float64(limit))
	if limit >= min(openRate, p.ceiling) {
		limit = p.ceiling
		p.limiter.SetBurstAt(now, burst(limit))
	}
	p.limiter.SetLimitAt(now, limit)
}
