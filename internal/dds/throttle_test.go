package dds

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"dds-backup-delete/internal/deletion"
)

// fixedWindow is a service that accepts a number of calls in each window, and may report the limit.
type fixedWindow struct {
	mu       sync.Mutex
	limit    rateLimit
	silent   bool
	start    time.Time
	inWindow int
	taken    int
	refused  int
}

func (w *fixedWindow) handle(c *call) (*response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.start) >= w.limit.window {
		w.start, w.inWindow = now, 0
	}
	if w.inWindow++; w.inWindow > w.limit.calls {
		w.refused++
		e := &deletion.Error{Class: deletion.ClassThrottled, HTTPStatus: 429}
		if !w.silent {
			c.last.limit, e.RetryAfter = w.limit, w.limit.window
		}
		return nil, e
	}
	w.taken++
	return &response{status: 202}, nil
}

// press sends calls through h with a number of workers until the time is over.
func press(t *testing.T, h handler, workers int, lasting time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	pressIn(ctx, t, h, workers)
}

// pressIn sends calls through h with a number of workers until ctx ends.
func pressIn(ctx context.Context, t *testing.T, h handler, workers int) {
	t.Helper()
	var wg sync.WaitGroup
	for range workers {
		c := newTestCall(ctx, t)
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := h(c); err != nil {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
}

// All calls slow down together, and the process then uses nearly all of the limit.
func TestPaceFollowsTheLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		window *fixedWindow
		least  float64 // share of what the limit allows
		most   float64 // share of calls that are refused
	}{
		"reported":          {&fixedWindow{limit: rateLimit{600, time.Minute}}, 0.95, 0.1},
		"reported, seconds": {&fixedWindow{limit: rateLimit{20, time.Second}}, 0.95, 0.1},
		"not reported":      {&fixedWindow{limit: rateLimit{20, time.Second}, silent: true}, 0.7, 0.15},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tc.window
				press(t, newPace(0, time.Now).pacing(w.handle), 32, 10*time.Minute)
				allowed := (10 * time.Minute).Seconds() / w.limit.window.Seconds() * float64(w.limit.calls)
				if share := float64(w.taken) / allowed; share < tc.least {
					t.Errorf("%.0f %% of what was allowed, want %.0f", 100*share, 100*tc.least)
				}
				if share := float64(w.refused) / float64(w.taken+w.refused); share > tc.most {
					t.Errorf("%.0f %% of the calls were refused, want %.0f at the most", 100*share, 100*tc.most)
				}
				t.Logf("taken %d of %.0f, refused %d", w.taken, allowed, w.refused)
			})
		})
	}
}

func TestPaceRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0, time.Now)
		throttled := true
		h := p.pacing(func(*call) (*response, error) {
			if throttled {
				return nil, &deletion.Error{Class: deletion.ClassThrottled, HTTPStatus: 429}
			}
			time.Sleep(time.Millisecond)
			return &response{status: 202}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h(newTestCall(ctx, t)); err == nil {
			t.Fatal("no error")
		}
		throttled = false
		press(t, h, 4, 30*time.Second)
		if p.limiter.Limit() != p.ceiling {
			t.Errorf("still limited to %v after half a minute without a refusal", p.limiter.Limit())
		}
	})
}

func TestPaceHoldsAFixedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var mu sync.Mutex
		h := newPace(5, time.Now).pacing(func(*call) (*response, error) {
			mu.Lock()
			defer mu.Unlock()
			calls++
			return &response{status: 202}, nil
		})
		press(t, h, 8, 10*time.Second)
		if calls < 50 || calls > 56 { // a second's worth may go at once
			t.Errorf("%d calls in ten seconds at five a second", calls)
		}
	})
}

// A call that cannot have a turn before its deadline fails at once.
func TestPaceGivesBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newPace(0, time.Now).pacing(func(*call) (*response, error) {
			return nil, &deletion.Error{Class: deletion.ClassThrottled, HTTPStatus: 429, RetryAfter: 30 * time.Second}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, _ = h(newTestCall(ctx, t))
		start := time.Now()
		_, err := h(newTestCall(ctx, t))
		var e *deletion.Error
		if !errors.As(err, &e) || e.Class != deletion.ClassThrottled || e.RetryAfter != 30*time.Second || time.Since(start) != 0 {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}

// The same holds for a turn that would come at the very deadline.
func TestPaceGivesBackATurnAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0, time.Now)
		p.until = time.Now().Add(10 * time.Second)
		h := p.pacing(func(*call) (*response, error) { panic("a call went out") })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		_, err := h(newTestCall(ctx, t))
		var e *deletion.Error
		if !errors.As(err, &e) || e.Class != deletion.ClassThrottled || e.RetryAfter != 10*time.Second || time.Since(start) != 0 {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}

// A call in the background is sent once, whatever time is left.
func TestThrottledInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		refusal := &deletion.Error{Class: deletion.ClassThrottled, HTTPStatus: 429, RetryAfter: 2 * time.Second}
		p := newPace(0, time.Now)
		h := retrying(p.pacing(func(*call) (*response, error) {
			sent++
			return nil, refusal
		}), DefaultRetryPolicy, rate.NewLimiter(1, 100))
		background := newTestCall(deletion.InBackground(t.Context()), t)
		start := time.Now()
		if _, err := h(background); !errors.Is(err, refusal) || sent != 1 || time.Since(start) != 0 {
			t.Errorf("error %v after %v and %d calls", err, time.Since(start), sent)
		}
		// While calls are paused, it is not even sent.
		time.Sleep(time.Second)
		_, err := h(background)
		var e *deletion.Error
		if !errors.As(err, &e) || e.Class != deletion.ClassThrottled || e.RetryAfter != time.Second || sent != 1 || time.Since(start) != time.Second {
			t.Errorf("during the pause: error %v after %v and %d calls", err, time.Since(start), sent)
		}
		time.Sleep(time.Second)
		if _, err := h(background); !errors.Is(err, refusal) || sent != 2 {
			t.Errorf("after the pause: error %v, %d calls", err, sent)
		}
	})
}

// Nor is it sent again if the pause has ended by the time of its answer.
func TestThrottledInTheBackgroundWithoutAPause(t *testing.T) {
	now, sent := time.Now(), 0
	h := newPace(0, func() time.Time {
		now = now.Add(time.Minute)
		return now
	}).pacing(func(*call) (*response, error) {
		sent++
		if sent > 1 {
			return &response{status: 202}, nil
		}
		return nil, &deletion.Error{Class: deletion.ClassThrottled, HTTPStatus: 429}
	})
	if _, err := h(newTestCall(deletion.InBackground(t.Context()), t)); err == nil || sent != 1 {
		t.Errorf("error %v after %d calls", err, sent)
	}
}

// A pause that begins while a call in the background waits for its turn ends that wait, too.
func TestPauseWhileTheBackgroundWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1, time.Now)
		h := p.pacing(func(*call) (*response, error) { return &response{status: 200}, nil })
		ctx := deletion.InBackground(t.Context())
		if _, err := h(newTestCall(ctx, t)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		time.AfterFunc(time.Second, func() {
			p.slowDown(&deletion.Error{RetryAfter: time.Hour}, rateLimit{}, time.Now())
		})
		_, err := h(newTestCall(ctx, t))
		var e *deletion.Error
		if !errors.As(err, &e) || e.Class != deletion.ClassThrottled || time.Since(start) > 3*time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}

// Calls in the background get at most half of the pace, even if there are no others; and with many of them,
// the others get at least half. That holds for a fixed rate, and for the pace after a throttled answer.
func TestBackgroundGetsHalf(t *testing.T) {
	const lasting, perSecond = 100, 10
	for name, tc := range map[string]struct {
		fixed      float64
		live       int
		background int // calls, about
	}{
		"fixed, alone":         {fixed: perSecond, background: lasting * perSecond / 2},
		"fixed, with others":   {fixed: perSecond, live: 4, background: lasting * perSecond / 2},
		"throttled, alone":     {background: lasting * perSecond / 2},
		"throttled, with live": {live: 4, background: lasting * perSecond / 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPace(tc.fixed, time.Now)
				if tc.fixed == 0 { // as after an answer that reported a limit a little above
					p.slowDown(&deletion.Error{}, rateLimit{600, time.Minute}, time.Now())
					p.setLimit(time.Now(), perSecond)
				}
				var mu sync.Mutex
				calls := make(map[bool]int) // in the background or not
				h := p.pacing(func(c *call) (*response, error) {
					mu.Lock()
					defer mu.Unlock()
					calls[deletion.IsBackground(c.Context())]++
					return &response{status: 200}, nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), lasting*time.Second)
				defer cancel()
				var wg sync.WaitGroup
				wg.Go(func() { pressIn(deletion.InBackground(ctx), t, h, 32) })
				wg.Go(func() { pressIn(ctx, t, h, tc.live) })
				wg.Wait()
				all := lasting * perSecond
				if n := calls[true]; n < tc.background*9/10 || n > tc.background+perSecond {
					t.Errorf("%d calls in the background, want about %d", n, tc.background)
				}
				if n := calls[true] + calls[false]; n > all+2*perSecond {
					t.Errorf("%d calls, want %d at most", n, all)
				}
				if n := calls[false]; tc.live > 0 && n < all*45/100 {
					t.Errorf("%d other calls of %d, want half at least", n, all)
				}
			})
		})
	}
}

// Without a limit, the background has none either; and its limit is gone when that of all is.
func TestBackgroundRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0, time.Now)
		if p.background.Limit() != rate.Inf {
			t.Errorf("the limit is %v at first", p.background.Limit())
		}
		p.slowDown(&deletion.Error{}, rateLimit{}, time.Now())
		if got := p.background.Limit(); got != firstRate/2 {
			t.Errorf("the limit is %v after a throttled answer", got)
		}
		h := p.pacing(func(*call) (*response, error) {
			time.Sleep(time.Millisecond)
			return &response{status: 202}, nil
		})
		ctx, cancel := context.WithTimeout(deletion.InBackground(t.Context()), time.Minute)
		defer cancel()
		pressIn(ctx, t, h, 4)
		if p.background.Limit() != rate.Inf || p.background.Burst() != burst(rate.Inf) {
			t.Errorf("still limited to %v, %d at once", p.background.Limit(), p.background.Burst())
		}
	})
}
