package dds

import (
	"errors"
	"sync/atomic"
	"time"

	"dds-backup-delete/internal/deletion"
)

// leastSkew is how far the signature's time must be from the answer's time before the clock counts as
// the reason of a refusal. The gateway allows 15 minutes, and no call takes five.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-0001.html
const leastSkew = 5 * time.Minute

// clock is the time for signatures: this machine's time, corrected by the Date of a refusal.
type clock struct {
	machine func() time.Time
	skew    atomic.Int64 // nanoseconds that the server's clock is ahead
}

func (k *clock) now() time.Time { return k.machine().Add(time.Duration(k.skew.Load())) }

// correcting returns a handler that signs a call again if its signature was refused and its time was
// far from the Date of the refusal. The times decide, because the texts of gateways differ and some
// say only "unauthorized". Only the gateway and IAM are believed, and a correction that does not help
// is dropped. One that helps stays until another refusal shows that it is wrong.
func (k *clock) correcting(next handler) handler {
	return func(c *call) (*response, error) {
		resp, err := next(c)
		e, failed := errors.AsType[*deletion.Error](err)
		if !failed || !refusesKey(e) || c.signedAt.IsZero() || c.last.date.IsZero() || c.last.date.Sub(c.signedAt).Abs() < leastSkew {
			return resp, err
		}
		before := k.skew.Swap(int64(c.last.date.Sub(k.machine())))
		resp, err = next(c)
		e, failed = errors.AsType[*deletion.Error](err)
		if failed && e.Class == deletion.ClassUnauthenticated {
			k.skew.Store(before)
		}
		return resp, err
	}
}

// wallClock returns the time without the monotonic clock, which stops while a function is frozen:
// five minutes must pass for a frozen function too.
func wallClock() time.Time { return time.Now().Round(0) }
