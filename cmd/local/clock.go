package main

import (
	"sync/atomic"
	"time"
)

// clock is the time of a simulation. It stands still until it is moved, so a run shows the same times on every machine.
type clock struct {
	start  time.Time
	passed atomic.Int64 // nanoseconds
}

func newClock() *clock { return &clock{start: time.Now()} }

func (c *clock) now() time.Time { return c.start.Add(time.Duration(c.passed.Load())) }

// pass lets a time pass at once. Nothing may be at work, because deadlines do not move with the clock.
func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }
