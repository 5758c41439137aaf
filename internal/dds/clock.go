package dds

import (
	"errors"
	"sync/atomic"
	"time"
)

// leastSkew is how far the time of a signature must be from that of its answer for the clock to be the
// likely reason of a refusal. The gateway allows 15 minutes, and nothing on the way takes five.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-0001.html
const leastSkew = 5 * time.Minute

// clock is the time by which calls are signed: that of this machine, corrected by what a refusal told.
type clock struct {
	machine func() time.Time
	skew    atomic.Int64 // nanoseconds that the server's clock is ahead
}

func (c *clock) now() time.Time { return c.machine().Add(time.Duration(c.skew.Load())) }

// correcting returns a handler that signs a call once more where the first signature was refused and
// its time was far from the Date of the refusal. The texts of gateways differ, and some say no more
// than "unauthorized", so the times decide. Only the gateway and IAM are believed, and a correction
// that does not help is dropped. One that helps stays for the calls that follow, until another refusal
// shows that it no longer fits.
func (c *clock) correcting(next handler) handler {
	return func(call *call) (*response, error) {
		resp, err := next(call)
		var e *Error
		if !errors.As(err, &e) || !refusesKey(e) || e.date.IsZero() {
			return resp, err
		}
		signed, parseErr := time.Parse(dateLayout, call.Header.Get(headerDate))
		if parseErr != nil || e.date.Sub(signed).Abs() < leastSkew { // not signed, or in time
			return resp, err
		}
		before := c.skew.Swap(int64(e.date.Sub(c.machine())))
		resp, err = next(call)
		if errors.As(err, &e) && e.Class == Unauthenticated {
			c.skew.Store(before)
		}
		return resp, err
	}
}
