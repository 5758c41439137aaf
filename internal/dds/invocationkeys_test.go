package dds

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

func invocationKey(i int) Credentials {
	return Credentials{AccessKey: secret.New(fmt.Sprintf("invocation-key-%d", i)), SecretKey: secret.New("secret-of-a-key")}
}

// Keys come for ever. What is known of the last ones is kept, and of a key that is still in use.
func TestKeyLocksAreBounded(t *testing.T) {
	k := &keyLocks{now: time.Now}
	of := func(i int) *keyLock {
		l, err := k.of(WithCredentials(t.Context(), invocationKey(i)))
		if err != nil || l.credentials != invocationKey(i) {
			t.Fatalf("key %d: error %v", i, err)
		}
		return l
	}
	used, unused := of(0), of(1)
	for i := range 10 * maxKeyLocks {
		of(2 + i)
		if of(0) != used || len(k.recent) > maxKeyLocks {
			t.Fatalf("after %d keys: %d locks, or the key in use was forgotten", i, len(k.recent))
		}
	}
	if of(1) == unused {
		t.Error("the key that was used first is still known")
	}
}

// A key whose probe hangs, or that was refused, holds back only the calls that bring it.
func TestAnotherKeyIsTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keyLocks{now: time.Now}
		h := k.supplying(k.locking(func(c *call) (*response, error) {
			if c.credentials == invocationKey(0) {
				time.Sleep(10 * time.Second)
				return nil, refusedKey()
			}
			return &response{status: 202}, nil
		}))
		send := func(i int) error {
			_, err := h(newTestCall(WithCredentials(t.Context(), invocationKey(i)), t))
			return err
		}
		go func() { _ = send(0) }()
		synctest.Wait()
		start := time.Now()
		if err := send(1); err != nil || time.Since(start) != 0 {
			t.Errorf("another key: error %v after %v", err, time.Since(start))
		}
		time.Sleep(time.Minute)
		start = time.Now()
		var e *deletion.Error
		if err := send(0); !errors.As(err, &e) || e.Class != deletion.ClassUnauthenticated || time.Since(start) != 0 {
			t.Errorf("the refused key: error %v after %v, want it held back", err, time.Since(start))
		}
		if err := send(2); err != nil {
			t.Errorf("a third key: error %v", err)
		}
	})
}
