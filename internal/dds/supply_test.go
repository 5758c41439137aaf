package dds

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// A client without credentials reads them once for all waiting calls, and again for later calls if that
// failed. No call is sent before.
func TestTheFirstCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails, reads, sent := true, 0, atomic.Int64{}
		failure := &deletion.Error{Class: deletion.ClassForbidden, Message: "denied", RetryAfter: time.Hour}
		renew := func(context.Context) (Credentials, error) {
			reads++
			time.Sleep(10 * time.Millisecond)
			if fails {
				return Credentials{}, failure
			}
			return Credentials{AccessKey: secret.New("first")}, nil
		}
		l := newKeyLock(Credentials{}, renew, time.Now)
		h := (&keyLocks{own: l}).supplying((&keyLocks{own: l}).locking(func(c *call) (*response, error) {
			if sent.Add(1); c.credentials.AccessKey.Reveal() != "first" {
				t.Error("a call went out without the credentials")
			}
			return &response{status: 202}, nil
		}))
		for _, err := range batch(t, h, 3) {
			var e *deletion.Error
			if !errors.As(err, &e) || e.Class != deletion.ClassForbidden || e.RetryAfter != time.Hour || e == failure {
				t.Errorf("error %v, want a copy of the failure", err)
			}
		}
		if sent.Load() != 0 {
			t.Errorf("%d calls went out", sent.Load())
		}
		fails, reads = false, 0
		for _, err := range batch(t, h, 10) {
			if err != nil {
				t.Errorf("error %v", err)
			}
		}
		if reads != 1 || sent.Load() != 10 {
			t.Errorf("%d reads, %d calls", reads, sent.Load())
		}
	})
}

// If the source hangs, each call ends at its own deadline.
func TestTheFirstCredentialsAreWaitedForNoLongerThanTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newKeyLock(Credentials{}, func(ctx context.Context) (Credentials, error) {
			<-ctx.Done()
			return Credentials{}, ctx.Err()
		}, time.Now)
		h := (&keyLocks{own: l}).supplying(func(*call) (*response, error) { panic("a call went out") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan error)
		for range 2 {
			c := newTestCall(ctx, t)
			go func() {
				_, err := h(c)
				done <- err
			}()
		}
		for range 2 {
			var e *deletion.Error
			if err := <-done; !errors.As(err, &e) || e.Class != deletion.ClassUnavailable || e.MaybeSent {
				t.Errorf("error %v", err)
			}
		}
	})
}
