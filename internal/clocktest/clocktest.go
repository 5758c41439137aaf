// Package clocktest has a clock for tests and simulations.
package clocktest

import (
	"sync/atomic"
	"time"
)

// Clock stands still until it is moved. It is safe for use by many goroutines.
type Clock struct {
	start  time.Time
	passed atomic.Int64 // nanoseconds
}

// New returns a clock that shows the time start.
func New(start time.Time) *Clock { return &Clock{start: start} }

// Now returns the time of the clock.
func (c *Clock) Now() time.Time { return c.start.Add(time.Duration(c.passed.Load())) }

// Pass lets a time pass at once. Deadlines of contexts and timers do not move with the clock.
func (c *Clock) Pass(d time.Duration) { c.passed.Add(int64(d)) }
