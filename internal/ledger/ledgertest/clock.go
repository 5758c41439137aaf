package ledgertest

import (
	"sync/atomic"
	"time"
)

// Clock is a clock that only a test moves.
type Clock struct{ ns atomic.Int64 }

// NewClock returns a clock that stands still.
func NewClock() *Clock {
	c := new(Clock)
	c.ns.Store(time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC).UnixNano())
	return c
}

// Now returns the time of the clock.
func (c *Clock) Now() time.Time { return time.Unix(0, c.ns.Load()) }

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) { c.ns.Add(int64(d)) }
