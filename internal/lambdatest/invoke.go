package lambdatest

import (
	"context"
	"fmt"
	"time"
)

// Invocation is one event for the function.
type Invocation struct {
	Payload   []byte        // the event
	RequestID string        // a random UUID when empty
	Timeout   time.Duration // Options.Timeout when 0
}

// Result is what the function posted for an invocation.
type Result struct {
	RequestID string
	Payload   []byte         // the response; nil when there is an error
	Err       *FunctionError // nil when the function succeeded
	Duration  time.Duration  // from handing the event over to having the whole answer
}

type state int

const (
	queued  state = iota // waits for the function to ask
	running              // handed over
	settled              // has its outcome
)

// call is an invocation on its way through the function.
type call struct {
	in   Invocation
	lost chan struct{} // receives when the event couldn't be handed over after all
	done chan struct{} // closed when result and err are final

	// Guarded by Function.mu until done is closed.
	state     state
	abandoned bool // nobody waits for the outcome
	started   time.Time
	timer     *time.Timer
	result    Result
	err       error
}

// Invoke hands the event to the function as soon as it asks for one, and
// returns what it posts back. A function that fails gives a Result with an Err,
// and no error; like in Lambda it may go on or end after that.
//
// The error is ErrTimeout when the deadline passed without an answer (the
// process is ended the way Terminate does it, before Invoke returns), an
// *ExitError when the process ended, ErrRequestInUse, or that of ctx. When ctx
// ends, an event that was handed over already stays with the function: it may
// take its time until the deadline, and its answer is dropped.
//
// Invoke may be called concurrently: the function gets the events in the order
// of the calls, and only as many at once as it asks for.
func (f *Function) Invoke(ctx context.Context, in Invocation) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	c, err := f.enter(in)
	if err != nil {
		return Result{}, err
	}
	for {
		select {
		case f.queue <- c:
		case <-c.done:
			return c.result, c.err
		case <-ctx.Done():
			f.abandon(c)
			return Result{}, ctx.Err()
		}
		select {
		case <-c.lost:
		case <-c.done:
			return c.result, c.err
		case <-ctx.Done():
			f.abandon(c)
			return Result{}, ctx.Err()
		}
	}
}

func (f *Function) enter(in Invocation) (*call, error) {
	if in.RequestID == "" {
		in.RequestID = newUUID()
	}
	if in.Timeout <= 0 {
		in.Timeout = f.options.Timeout
	}
	c := &call{
		in:     in,
		lost:   make(chan struct{}, 1), // the sender mustn't depend on Invoke still being there
		done:   make(chan struct{}),
		result: Result{RequestID: in.RequestID},
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != nil {
		return nil, f.exitError()
	}
	if _, ok := f.calls[in.RequestID]; ok {
		return nil, fmt.Errorf("%w: %s", ErrRequestInUse, in.RequestID)
	}
	f.calls[in.RequestID] = c
	return c, nil
}

// hand starts the clock of c. It reports false when c was given up meanwhile.
func (f *Function) hand(c *call) (deadline time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.state != queued {
		return time.Time{}, false
	}
	c.state = running
	c.started = time.Now()
	c.timer = time.AfterFunc(c.in.Timeout, func() { f.expire(c) })
	return c.started.Add(c.in.Timeout), true
}

// takeBack queues c again, after the one who asked for it didn't get it.
func (f *Function) takeBack(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.state != running || !c.timer.Stop() {
		return
	}
	if c.abandoned {
		f.forget(c)
		return
	}
	c.state = queued
	c.lost <- struct{}{}
}

// settle gives the running call id its outcome. It reports false when there is
// no such call, or it has one already.
func (f *Function) settle(id string, r Result) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.calls[id]
	if !ok || c.state != running {
		return false
	}
	r.RequestID = id
	r.Duration = time.Since(c.started)
	c.result = r
	f.forget(c)
	close(c.done)
	return true
}

// expire ends the process, because c's deadline passed.
func (f *Function) expire(c *call) {
	f.mu.Lock()
	if c.state != running {
		f.mu.Unlock()
		return
	}
	c.result.Duration = time.Since(c.started)
	c.err = fmt.Errorf("%w after %v", ErrTimeout, c.in.Timeout)
	f.forget(c)
	f.mu.Unlock()

	if _, err := f.end(nil); err != nil {
		c.err = fmt.Errorf("%w: %w", c.err, err)
	}
	close(c.done)
}

func (f *Function) abandon(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.abandoned = true
	if c.state == queued {
		f.forget(c)
	}
}

// abort settles everything that waits for a process that has ended. f.mu is held.
func (f *Function) abort() {
	for _, c := range f.calls {
		if c.state == running {
			c.result.Duration = time.Since(c.started)
		}
		c.err = f.exitError()
		f.forget(c)
		close(c.done)
	}
}

// forget makes c's outcome final for the function. f.mu is held.
func (f *Function) forget(c *call) {
	c.state = settled
	if c.timer != nil {
		c.timer.Stop()
	}
	delete(f.calls, c.in.RequestID)
}
