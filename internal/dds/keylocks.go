package dds

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxKeyLocks bounds the key locks of invocations. A platform renews the keys of a function every few hours, so
// one or two of them are in use at a time.
const maxKeyLocks = 16

// keyLocks finds the key lock of a call: that of the client's own credentials or, without any, that of the
// credentials that came with the invocation. A key id that comes with another secret or token has another lock,
// so no call waits for a key that is not its own, and none can get the credentials of another invocation.
type keyLocks struct {
	own *keyLock // nil if the client has no credentials of its own
	now func() time.Time

	mu     sync.Mutex
	recent []*keyLock // of invocations, the last used at the end
}

// of returns the key lock for calls with ctx. The error is that of [InvocationCredentials].
func (k *keyLocks) of(ctx context.Context) (*keyLock, error) {
	if k.own != nil {
		return k.own, nil
	}
	credentials, err := InvocationCredentials(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	// The credentials of these locks never change, so they can be read without the lock's mutex.
	i := slices.IndexFunc(k.recent, func(l *keyLock) bool { return l.credentials == credentials })
	var lock *keyLock
	if i >= 0 {
		lock = k.recent[i]
		k.recent = slices.Delete(k.recent, i, i+1)
	} else {
		lock = newKeyLock(credentials, nil, k.now)
		k.recent = k.recent[max(0, len(k.recent)-maxKeyLocks+1):]
	}
	k.recent = append(k.recent, lock)
	return lock, nil
}

// locking returns a handler that lets calls pass as the lock of their credentials allows.
func (k *keyLocks) locking(next handler) handler {
	return func(c *call) (*response, error) {
		l, err := k.of(c.Context())
		if err != nil {
			return nil, err
		}
		return l.pass(c, next)
	}
}

// supplying returns a handler that makes sure that a call has credentials: it reads the first ones if the client
// was built without any. It is outside of retries and pace, because a secret that cannot be read says nothing
// about DDS.
func (k *keyLocks) supplying(next handler) handler {
	return func(c *call) (*response, error) {
		l, err := k.of(c.Context())
		if err == nil {
			err = l.supply(c.Context())
		}
		if err != nil {
			return nil, err
		}
		return next(c)
	}
}
