package dds

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// newTestCall returns a call that a fake handler answers.
func newTestCall(ctx context.Context, t *testing.T) *call {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, "http://127.0.0.1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &call{Request: r}
}

func refusedKey() error {
	return &deletion.Error{Class: deletion.ClassUnauthenticated, Code: "APIGW.0301", HTTPStatus: 401, Message: "verify aksk signature fail"}
}

// batch sends n calls at once through h and returns their errors.
func batch(t *testing.T, h handler, n int) []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		c := newTestCall(t.Context(), t)
		wg.Go(func() { _, errs[i] = h(c) })
	}
	wg.Wait()
	return errs
}

func TestOneCallProvesTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, calls atomic.Int64
		l := newKeyLock(Credentials{AccessKey: secret.New("a")}, nil, time.Now)
		h := (&keyLocks{own: l}).locking(func(*call) (*response, error) {
			first := calls.Add(1) == 1
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(20 * time.Millisecond)
			if first && most.Load() != 1 {
				t.Error("the first call did not go alone")
			}
			now.Add(-1)
			return &response{status: 202}, nil
		})
		start := time.Now()
		batch(t, h, 10)
		if took := time.Since(start); took != 40*time.Millisecond || most.Load() != 9 {
			t.Errorf("a first batch took %v with %d at once, want two round trips", took, most.Load())
		}
		start = time.Now()
		batch(t, h, 10)
		if took := time.Since(start); took != 20*time.Millisecond {
			t.Errorf("the next batch took %v, want one round trip", took)
		}
		// After a while the key may have been withdrawn.
		time.Sleep(2 * provenTime)
		start = time.Now()
		batch(t, h, 10)
		if took := time.Since(start); took != 40*time.Millisecond {
			t.Errorf("a batch long after took %v, want two round trips", took)
		}
	})
}

// Any answer of DDS except a refusal proves the key. No answer proves nothing, so the next call goes alone too.
func TestWhatProvesTheKey(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		proven bool
	}{
		"a success":     {nil, true},
		"not found":     {&deletion.Error{Class: deletion.ClassNotFound, Code: "DBS.201214", HTTPStatus: 400}, true},
		"no permission": {&deletion.Error{Class: deletion.ClassForbidden, Code: "DBS.280063", HTTPStatus: 403}, true},
		"no access":     {&deletion.Error{Class: deletion.ClassForbidden, Code: "APIGW.0302", HTTPStatus: 403}, true},
		"no answer":     {&deletion.Error{Class: deletion.ClassUnavailable}, false},
		"a bare 502":    {&deletion.Error{Class: deletion.ClassUnavailable, HTTPStatus: 502}, false},
		"IAM is away":   {&deletion.Error{Class: deletion.ClassUnavailable, Code: "APIGW.0613", HTTPStatus: 503}, false},
		"throttled":     {&deletion.Error{Class: deletion.ClassThrottled, Code: "APIGW.0308", HTTPStatus: 429}, false},
		"a proxy":       {&deletion.Error{Class: deletion.ClassForbidden, HTTPStatus: 407}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newKeyLock(Credentials{AccessKey: secret.New("a")}, nil, time.Now)
			h := (&keyLocks{own: l}).locking(func(*call) (*response, error) { return nil, tc.err })
			_, _ = h(newTestCall(t.Context(), t))
			if proven := time.Now().Before(l.provenUntil); proven != tc.proven {
				t.Errorf("proven: %v, want %v", proven, tc.proven)
			}
		})
	}
}

func TestARefusedKeyIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		l := newKeyLock(Credentials{AccessKey: secret.New("a")}, nil, time.Now)
		h := (&keyLocks{own: l}).locking(func(*call) (*response, error) {
			calls.Add(1)
			time.Sleep(20 * time.Millisecond)
			return nil, refusedKey()
		})
		check := func(want int64) {
			t.Helper()
			for _, err := range batch(t, h, 10) {
				var e *deletion.Error
				if !errors.As(err, &e) || e.Class != deletion.ClassUnauthenticated {
					t.Fatalf("error %v", err)
				}
			}
			if calls.Load() != want {
				t.Fatalf("%d calls went out, want %d", calls.Load(), want)
			}
		}
		check(1) // of the batch
		time.Sleep(4 * time.Minute)
		check(1) // the next invocation
		_, err := h(newTestCall(t.Context(), t))
		var e *deletion.Error
		if !errors.As(err, &e) || e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
			t.Errorf("held back for another %v, want what is left of five minutes", e.RetryAfter)
		}
		time.Sleep(61 * time.Second)
		check(2) // the lock is over: one tries again
	})
}

// A key that is refused after it was proven is not used either.
func TestAProvenKeyThatTurnsBad(t *testing.T) {
	good, calls := true, 0
	l := newKeyLock(Credentials{AccessKey: secret.New("a")}, nil, time.Now)
	h := (&keyLocks{own: l}).locking(func(*call) (*response, error) {
		if calls++; good {
			return &response{status: 202}, nil
		}
		return nil, refusedKey()
	})
	for range 2 {
		_, _ = h(newTestCall(t.Context(), t))
	}
	good = false
	for range 3 {
		_, _ = h(newTestCall(t.Context(), t))
	}
	if calls != 3 {
		t.Errorf("%d calls went out, want two good ones and one bad", calls)
	}
}

func TestARotatedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inSecret := Credentials{AccessKey: secret.New("old")}
		accepted := inSecret
		reads := 0
		renew := func(context.Context) (Credentials, error) {
			reads++
			return inSecret, nil
		}
		used := make(map[Credentials]int)
		var mu sync.Mutex
		l := newKeyLock(inSecret, renew, time.Now)
		h := (&keyLocks{own: l}).locking(func(c *call) (*response, error) {
			mu.Lock()
			defer mu.Unlock()
			used[c.credentials]++
			if c.credentials != accepted {
				return nil, refusedKey()
			}
			return &response{status: 202}, nil
		})
		batch(t, h, 3)
		if reads != 0 {
			t.Errorf("the secret was read %d times though nothing was wrong", reads)
		}

		// Rotated at both ends: one refusal, one read, and all succeed.
		time.Sleep(2 * provenTime)
		inSecret, accepted = Credentials{AccessKey: secret.New("new")}, Credentials{AccessKey: secret.New("new")}
		for _, err := range batch(t, h, 10) {
			if err != nil {
				t.Errorf("error %v", err)
			}
		}
		if reads != 1 || used[Credentials{AccessKey: secret.New("old")}] != 4 {
			t.Errorf("%d reads, used %v: want one read after one refusal", reads, used)
		}

		// Withdrawn, and the secret not yet changed: one refusal, no second try.
		time.Sleep(2 * provenTime)
		accepted = Credentials{AccessKey: secret.New("newer")}
		before := used[inSecret]
		for _, err := range batch(t, h, 10) {
			if err == nil {
				t.Error("a withdrawn key succeeded")
			}
		}
		if used[inSecret] != before+1 || reads != 2 {
			t.Errorf("the withdrawn key was used %d times, and %d reads", used[inSecret]-before, reads)
		}

		// The secret has the accepted key too: calls go out again.
		time.Sleep(renewEvery)
		inSecret = accepted
		for _, err := range batch(t, h, 10) {
			if err != nil {
				t.Errorf("error %v", err)
			}
		}
	})
}

func TestTheKeyIsWaitedForNoLongerThanTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newKeyLock(Credentials{AccessKey: secret.New("a")}, nil, time.Now)
		h := (&keyLocks{own: l}).locking(func(c *call) (*response, error) {
			<-c.Context().Done()
			return nil, &deletion.Error{Class: deletion.ClassUnavailable, Message: c.Context().Err().Error()}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 3 {
			c := newTestCall(ctx, t)
			wg.Go(func() {
				_, err := h(c)
				var e *deletion.Error
				if !errors.As(err, &e) || e.Class != deletion.ClassUnavailable || e.MaybeSent {
					t.Errorf("error %v", err)
				}
			})
		}
		wg.Wait()
	})
}

// If DDS is dead, calls that wait lose the time of one call, not of one each.
func TestADeadCallFailsCallsThatWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		l := newKeyLock(Credentials{AccessKey: secret.New("a")}, nil, time.Now)
		h := (&keyLocks{own: l}).locking(func(*call) (*response, error) {
			calls++
			time.Sleep(10 * time.Second)
			return nil, &deletion.Error{Class: deletion.ClassUnavailable}
		})
		start := time.Now()
		batch(t, h, 100)
		if took := time.Since(start); took != 10*time.Second || calls != 1 {
			t.Errorf("a hundred calls took %v, %d went out", took, calls)
		}
	})
}

// A call that waits for its turn at the limiter has not passed the lock yet.
func TestARefusedKeyStopsCallsInThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, refusals := true, 0
		l := newKeyLock(Credentials{AccessKey: secret.New("a")}, nil, time.Now)
		var mu sync.Mutex
		h := newPace(1, time.Now).pacing((&keyLocks{own: l}).locking(func(*call) (*response, error) {
			mu.Lock()
			defer mu.Unlock()
			if good {
				return &response{status: 202}, nil
			}
			refusals++
			return nil, refusedKey()
		}))
		batch(t, h, 1)
		good = false
		batch(t, h, 40) // one a second
		if refusals != 1 {
			t.Errorf("%d calls went out with a refused key", refusals)
		}
	})
}

// A call that has its answer does not wait while another call looks up the secret.
func TestNoCallWaitsForTheSecretInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		renew := func(ctx context.Context) (Credentials, error) {
			<-ctx.Done()
			return Credentials{}, ctx.Err()
		}
		l := newKeyLock(Credentials{AccessKey: secret.New("a")}, renew, time.Now)
		l.provenUntil = time.Now().Add(provenTime)
		h := (&keyLocks{own: l}).locking(func(c *call) (*response, error) {
			if c.Method == http.MethodGet {
				time.Sleep(10 * time.Millisecond)
				return nil, refusedKey()
			}
			time.Sleep(50 * time.Millisecond)
			return &response{status: 202}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		bad, good := newTestCall(ctx, t), newTestCall(ctx, t)
		bad.Method = http.MethodGet
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = h(bad) })
		wg.Go(func() {
			start := time.Now()
			if _, err := h(good); err != nil || time.Since(start) != 50*time.Millisecond {
				t.Errorf("error %v after %v", err, time.Since(start))
			}
		})
		wg.Wait()
		if !l.renewedAt.IsZero() {
			t.Error("a look that was cut short counts")
		}
	})
}

// After a panic the next call still goes out.
func TestCallsGoOutAfterAPanic(t *testing.T) {
	l := newKeyLock(Credentials{}, nil, time.Now)
	func() {
		defer func() { _ = recover() }()
		_, _ = (&keyLocks{own: l}).locking(func(*call) (*response, error) { panic("bug") })(newTestCall(t.Context(), t))
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := (&keyLocks{own: l}).locking(func(*call) (*response, error) { return &response{}, nil })(newTestCall(ctx, t)); err != nil {
		t.Error(err)
	}
}

// A 401 without a code may be a refusal of the key whose text was lost. It does not lock the key, but
// the calls that waited for its answer do not all repeat it.
func TestABare401CostsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		l := newKeyLock(Credentials{AccessKey: secret.New("a")}, nil, time.Now)
		h := (&keyLocks{own: l}).locking(func(*call) (*response, error) {
			calls.Add(1)
			time.Sleep(20 * time.Millisecond)
			return nil, &deletion.Error{Class: deletion.ClassUnauthenticated, HTTPStatus: http.StatusUnauthorized}
		})
		batch(t, h, 10)
		if calls.Load() != 1 || l.refused != nil {
			t.Errorf("%d calls, refused: %v", calls.Load(), l.refused)
		}
		batch(t, h, 1)
		if calls.Load() != 2 {
			t.Errorf("%d calls, want the next to go out", calls.Load())
		}
	})
}
