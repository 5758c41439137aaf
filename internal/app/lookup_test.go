package app

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/deletion"
)

// Those who want the same thing at once share one look-up that fails, and the next invocation
// begins another. No caller waits for longer than its context allows.
func TestLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finds, hangs := 0, true
		l := newLookup("V", func(ctx context.Context) (string, error) {
			if finds++; hangs {
				<-ctx.Done()
				return "", &deletion.Error{Class: deletion.ClassUnavailable, Message: ctx.Err().Error()}
			}
			return "found", nil
		})
		all := func(timeout time.Duration) (took time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			began := time.Now()
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					var e *deletion.Error
					if _, err := l.get(ctx); !errors.As(err, &e) || e.Class != deletion.ClassUnavailable {
						t.Errorf("error %v", err)
					}
				})
			}
			wg.Wait()
			return time.Since(began)
		}
		if took := all(30 * time.Second); finds != 1 || took != lookupTime {
			t.Errorf("%d look-ups, %v", finds, took)
		}
		l.retry()
		if took := all(4 * time.Second); finds != 2 || took != 2*time.Second {
			t.Errorf("with little time: %d look-ups, %v", finds, took)
		}
		hangs = false
		l.retry()
		if found, err := l.get(t.Context()); found != "found" || err != nil {
			t.Errorf("found %q, error %v", found, err)
		}
	})
}
