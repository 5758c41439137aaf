package retry_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/retry"
)

func TestBackoffGrowsToItsBound(t *testing.T) {
	const base, limit = 100 * time.Millisecond, 2 * time.Second
	for try := 1; try < 100; try++ {
		bound := min(base<<min(try-1, 10), limit)
		for range 20 {
			if wait := retry.Backoff(base, limit, try); wait < 0 || wait >= bound {
				t.Fatalf("try %d: %v, want less than %v", try, wait, bound)
			}
		}
	}
}

func TestWait(t *testing.T) {
	for name, tc := range map[string]struct {
		deadline, cancel time.Duration // 0 for none
		lasted           bool
		took             time.Duration
	}{
		"no deadline":     {lasted: true, took: time.Second},
		"a later one":     {deadline: time.Minute, lasted: true, took: time.Second},
		"one at its end":  {deadline: time.Second},
		"an earlier one":  {deadline: time.Millisecond},
		"canceled during": {cancel: time.Millisecond, took: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.deadline > 0 {
					var done context.CancelFunc
					ctx, done = context.WithTimeout(ctx, tc.deadline)
					defer done()
				}
				if tc.cancel > 0 {
					time.AfterFunc(tc.cancel, cancel)
				}
				start := time.Now()
				if lasted := retry.Wait(ctx, time.Second); lasted != tc.lasted || time.Since(start) != tc.took {
					t.Errorf("lasted: %v after %v, want %v after %v", lasted, time.Since(start), tc.lasted, tc.took)
				}
			})
		})
	}
}

func TestAfter(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-1": 0, "0": 0, "7": 7 * time.Second, "86401": 24 * time.Hour, "99999999999999999999": 24 * time.Hour,
		now.Add(time.Minute).Format(http.TimeFormat):    time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat):   0,
		now.Add(48 * time.Hour).Format(http.TimeFormat): 24 * time.Hour,
	} {
		if got := retry.After(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}
