package main

import (
	"sync/atomic"
	"time"
)

// clock is the time of a simulation. It runs as the wall clock does, and can be moved on.
type clock struct{ ahead atomic.Int64 } // nanoseconds

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// pass lets a time pass at once. Nothing may be at work, because deadlines do not move with the clock.
func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }
