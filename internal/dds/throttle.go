package dds

import (
	"cmp"
	"errors"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/retry"
)

const (
	// firstRate, in calls per second, is the limit after the first throttled answer that reported none.
	firstRate = 10
	// openRate, in calls per second, is where a recovering limit is removed.
	openRate = 200
	// headroom is how much faster a process calls than its calls were accepted, to find out what
	// other processes leave of a shared limit. A refusal of the excess does no harm.
	headroom = 1.1
	// leastHorizon is the shortest time over which calls are counted.
	leastHorizon = 10 * time.Second
	// longestPause bounds how long a throttled answer without a time stops all calls: less than an
	// invocation, so that each invocation tries again before its messages return to the queue.
	longestPause = 3 * time.Second
)

// pace slows down all calls of the process after a throttled answer, and recovers by itself. It
// shares the limit with unknown other processes, so it follows the rate at which its own calls
// were accepted.
//
// Calls in the background (see [deletion.IsBackground]) get at most half of the pace, and are never held
// until a pause ends: their work stays due, and the other half is for requests that somebody waits for.
type pace struct {
	now        func() time.Time
	ceiling    rate.Limit    // DDS_RATE, or rate.Inf
	limiter    *rate.Limiter // of all calls
	background *rate.Limiter // of those in the background, which need a turn of both

	mu            sync.Mutex
	until         time.Time  // no call is sent before
	holdUntil     time.Time  // the reported limit holds until then; later, the limit rises
	strikes       int        // throttled answers in a row
	refused       time.Time  // the last throttled answer that counted
	reportedLimit rate.Limit // a little below the limit that a throttled answer reported last
	accepted      rateWindow // the calls that were not throttled
}

// newPace returns a pace of at most perSecond calls; 0 if only the service limits them.
func newPace(perSecond float64, now func() time.Time) *pace {
	p := &pace{ceiling: rate.Inf, now: now, accepted: rateWindow{horizon: time.Minute}}
	if perSecond > 0 {
		p.ceiling = rate.Limit(perSecond)
	}
	p.limiter = rate.NewLimiter(p.ceiling, burst(p.ceiling))
	p.background = rate.NewLimiter(half(p.ceiling), burst(half(p.ceiling)))
	return p
}

// burst returns how many calls may be sent at once: those of a second.
func burst(limit rate.Limit) int { return int(max(1, min(limit, 1000))) }

// half returns half of a limit. Half of no limit is no limit.
func half(limit rate.Limit) rate.Limit {
	if limit == rate.Inf {
		return limit
	}
	return limit / 2
}

// pacing returns a handler that lets calls pass at the current pace. A throttled call is sent again
// in its turn while there is time, because returning its message to the queue would use up a receive.
// A call in the background is sent once. So the retry policy sees a throttled call only when there is no time left, or when IAM throttled it.
func (p *pace) pacing(next handler) handler {
	return func(c *call) (resp *response, err error) {
		end := time.Now().Add(time.Minute)
		if deadline, bounded := c.Context().Deadline(); bounded {
			end = deadline
		}
		for {
			held := p.wait(c, end)
			if held != nil {
				return nil, cmp.Or(err, held) // the answer of DDS says more
			}
			resp, err = next(c)
			if !p.noteAnswer(c, err) || deletion.IsBackground(c.Context()) {
				return resp, err
			}
		}
	}
}

// noteAnswer adapts the pace to the answer to a call, and reports whether the call was throttled.
func (p *pace) noteAnswer(c *call, err error) (throttled bool) {
	e, failed := errors.AsType[*deletion.Error](err)
	switch {
	case failed && e.Class == deletion.ClassThrottled:
		p.slowDown(e, c.last.limit, p.now())
		return true
	case err == nil || failed && e.HTTPStatus != 0:
		p.speedUp(p.now())
	}
	return false
}

// wait waits for the turn of c. It fails at once if the turn would come after end, or if c is in the
// background and calls are paused.
func (p *pace) wait(c *call, end time.Time) error {
	limiters := []*rate.Limiter{p.limiter}
	background := deletion.IsBackground(c.Context())
	if background {
		limiters = []*rate.Limiter{p.background, p.limiter}
	}
	for first := true; ; first = false {
		p.mu.Lock()
		pause := p.until.Sub(p.now())
		if p.now().Before(p.refused) { // the clock was set back
			pause = 0
		}
		p.mu.Unlock()
		if pause <= 0 && !first {
			return nil
		}
		if pause > time.Until(end) || pause > 0 && (background || !retry.Wait(c.Context(), pause)) {
			return &deletion.Error{Class: deletion.ClassThrottled, Message: "held back, since DDS throttles calls", RetryAfter: pause}
		}
		for _, limiter := range limiters {
			if err := limiter.Wait(c.Context()); err != nil {
				e := &deletion.Error{Class: deletion.ClassThrottled, Message: "held back: no turn before the deadline: " + err.Error()}
				if background { // nobody throttles it: its part of the rate is used up
					e.Class, e.NoTurn = deletion.ClassUnavailable, true
				}
				return e
			}
		}
	}
}

// slowDown reacts to a throttled answer. If it reported a limit, calls continue at the rate at which
// they were accepted lately, which is this process's share; otherwise at a part of the current rate.
// The answers to calls that were sent together count once.
func (p *pace) slowDown(e *deletion.Error, reported rateLimit, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.until) {
		return
	}
	limit := p.limiter.Limit()
	longest := longestPause
	switch {
	case reported.calls > 0:
		// A little below it, so that the edges of windows do not matter. It is known and not
		// guessed, so it holds for long.
		p.reportedLimit = rate.Limit(0.98 * float64(reported.calls) / reported.window.Seconds())
		p.holdUntil = now.Add(10 * reported.window)
		p.accepted.horizon = max(reported.window, leastHorizon)
		least := max(p.reportedLimit/100, rate.Limit(1/p.accepted.horizon.Seconds()))
		limit = min(max(headroom*p.accepted.rate(now), least), p.reportedLimit)
		longest = min(reported.window/50, longest)
	case limit == rate.Inf:
		limit = firstRate
		p.holdUntil = now
	case p.strikes == 0:
		limit *= 0.8
		p.holdUntil = now
	}
	limit = min(limit, p.ceiling)
	p.refused = now
	p.setLimit(now, limit)
	p.setBurst(now, 1, 1)
	// One interval, doubled for each further strike, because the window may be used up.
	pause := min(time.Duration(float64(time.Second)/float64(limit)*math.Pow(2, float64(min(p.strikes, 10)))), longest)
	p.strikes++
	if reported.calls == 0 {
		pause = max(pause, e.RetryAfter) // what the service asked for
	}
	p.until = now.Add(pause)
}

// speedUp reacts to an answer that was not throttled. The longer ago the last throttled answer was,
// the faster the limit rises: slowly near a real limit, quickly after the limit is gone.
func (p *pace) speedUp(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.strikes = 0
	p.accepted.add(now)
	limit := p.limiter.Limit()
	switch {
	case limit == p.ceiling:
		return
	case now.Before(p.holdUntil): // other processes may leave a part of the reported limit
		factor := headroom + now.Sub(p.refused).Seconds()/(5*p.accepted.horizon.Seconds())
		limit = min(max(limit, rate.Limit(factor)*p.accepted.rate(now)), p.reportedLimit, p.ceiling)
	default:
		limit += rate.Limit(now.Sub(p.holdUntil).Seconds() / float64(limit))
		if limit >= min(openRate, p.ceiling) {
			limit = p.ceiling
			p.setBurst(now, burst(limit), burst(half(limit)))
		}
	}
	p.setLimit(now, limit)
}

func (p *pace) setLimit(now time.Time, limit rate.Limit) {
	p.limiter.SetLimitAt(now, limit)
	p.background.SetLimitAt(now, half(limit))
}

func (p *pace) setBurst(now time.Time, all, background int) {
	p.limiter.SetBurstAt(now, all)
	p.background.SetBurstAt(now, background)
}

// rateWindow counts calls over a sliding window of time. It keeps two fixed parts, each as long as
// the horizon, and counts the earlier one as far as it overlaps the window.
type rateWindow struct {
	horizon           time.Duration
	since             time.Time // the first call of all
	start             time.Time // of the current part
	current, previous float64   // calls in each part
}

func (w *rateWindow) add(now time.Time) {
	w.turn(now)
	w.current++
}

// turn begins a new part if the current one is over.
func (w *rateWindow) turn(now time.Time) {
	past := now.Sub(w.start)
	switch {
	case past >= 2*w.horizon:
		w.start, w.current, w.previous = now, 0, 0
		if w.since.IsZero() {
			w.since = now
		}
	case past >= w.horizon:
		w.start, w.current, w.previous = w.start.Add(w.horizon), 0, w.current
	}
}

// rate returns the calls per second over the horizon, or over the time since the first call if that
// is shorter, but at least over one second.
func (w *rateWindow) rate(now time.Time) rate.Limit {
	w.turn(now)
	left := 1 - now.Sub(w.start).Seconds()/w.horizon.Seconds()
	over := min(max(now.Sub(w.since), time.Second), w.horizon)
	return rate.Limit((w.current + left*w.previous) / over.Seconds())
}
