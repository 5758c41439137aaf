package dds

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"dds-backup-delete/internal/deletion"
)

func TestDefaultRetryPolicy(t *testing.T) {
	for class, again := range map[deletion.Class]bool{
		deletion.ClassInvalid: false, deletion.ClassNotFound: false, deletion.ClassForbidden: false, deletion.ClassUnauthenticated: false, deletion.ClassConflict: false,
		deletion.ClassThrottled: true, deletion.ClassUnavailable: true,
	} {
		if _, got := DefaultRetryPolicy(1, &deletion.Error{Class: class}); got != again {
			t.Errorf("%s: again %v, want %v", class, got, again)
		}
		if _, got := DefaultRetryPolicy(maxTries, &deletion.Error{Class: class}); got {
			t.Errorf("%s: a try beyond the last", class)
		}
	}
	if wait, _ := DefaultRetryPolicy(1, &deletion.Error{Class: deletion.ClassThrottled, RetryAfter: time.Minute}); wait < time.Minute {
		t.Errorf("waits %v, though the service asked for a minute", wait)
	}
}

// Full jitter: a wait from zero to the bound, which doubles up to a limit.
func TestBackoff(t *testing.T) {
	for try, most := range map[int]time.Duration{
		1: 200 * time.Millisecond, 2: 400 * time.Millisecond, 3: 800 * time.Millisecond, 10: 5 * time.Second, 1000: 5 * time.Second,
	} {
		var low, high bool
		for range 1000 {
			wait := backoff(try)
			if wait < 0 || wait >= most {
				t.Fatalf("try %d waits %v, want less than %v", try, wait, most)
			}
			low = low || wait < most/4
			high = high || wait > most*3/4
		}
		if !low || !high {
			t.Errorf("try %d: no spread", try)
		}
	}
}

// If DDS is dead, half of the call's time is left for other calls, and the retries of all calls are limited.
func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		dead := func(*call) (*response, error) {
			tries++
			return nil, &deletion.Error{Class: deletion.ClassUnavailable}
		}
		forEver := func(int, *deletion.Error) (time.Duration, bool) { return time.Second, true }

		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		_, err := retrying(dead, forEver, rate.NewLimiter(rate.Inf, 1))(newTestCall(ctx, t))
		if took := time.Since(start); err == nil || took != 10*time.Second {
			t.Errorf("error %v after %v, want one after half of 20 s", err, took)
		}

		tries = 0
		ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		h := retrying(dead, func(try int, _ *deletion.Error) (time.Duration, bool) { return 0, try < 4 }, rate.NewLimiter(1, 5))
		for range 10 {
			_, _ = h(newTestCall(ctx, t))
		}
		if tries != 10+5 {
			t.Errorf("%d tries of ten calls with a budget of five repeats", tries)
		}
	})
}

// After an answer was lost, the call stays marked, whatever the last try returned.
func TestALostAnswerStaysMarked(t *testing.T) {
	tries := 0
	h := retrying(func(*call) (*response, error) {
		if tries++; tries == 1 {
			return nil, &deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true}
		}
		return nil, &deletion.Error{Class: deletion.ClassConflict, HTTPStatus: 403}
	}, func(_ int, e *deletion.Error) (time.Duration, bool) { return 0, e.Class == deletion.ClassUnavailable }, rate.NewLimiter(1, 10))
	c := newTestCall(t.Context(), t)
	_, err := h(c)
	var e *deletion.Error
	if !errors.As(err, &e) || e.Class != deletion.ClassConflict || !e.MaybeSent || !c.maybeSent {
		t.Errorf("error %+v", e)
	}
}

// A dead connection is followed by another try at once. A second one is an ordinary failure.
func TestOneStaleConnectionIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		h := retrying(func(c *call) (*response, error) {
			tries++
			c.last.stale = true
			return nil, &deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true}
		}, func(int, *deletion.Error) (time.Duration, bool) { return 0, false }, rate.NewLimiter(0, 0))
		start := time.Now()
		if _, err := h(newTestCall(t.Context(), t)); err == nil || tries != 2 || time.Since(start) != 0 {
			t.Errorf("error %v after %d tries and %v", err, tries, time.Since(start))
		}
	})
}
