package dds

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
