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

func (c *clock) now() time.Time { return c.machine().Add(time.Duration(c.skew.Load())) }

// correcting returns a handler that signs a call again if its signature was refused and its time was
// far from the Date of the refusal. The times decide, because the texts of gateways differ and some
// say only "unauthorized". Only the gateway and IAM are believed, and a correction that does not help
// is dropped. One that helps stays until another refusal shows that it is wrong.
func (c *clock) correcting(next handler) handler {
	return func(call *call) (*response, error) {
		resp, err := next(call)
		var e *deletion.Error
		if !errors.As(err, &e) || !refusesKey(e) || call.last.date.IsZero() || call.signedAt.IsZero() {
			return resp, err
		}
		if call.last.date.Sub(call.signedAt).Abs() < leastSkew {
			return resp, err
		}
		before := c.skew.Swap(int64(call.last.date.Sub(c.machine())))
		resp, err = next(call)
		if errors.As(err, &e) && e.Class == deletion.ClassUnauthenticated {
			c.skew.Store(before)
		}
		return resp, err
	}
}

// wallClock returns the time without the monotonic clock, which stops while a function is frozen:
// five minutes must pass for a frozen function too.
func wallClock() time.Time { return time.Now().Round(0) }
