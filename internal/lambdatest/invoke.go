package lambdatest

import (
	"context"
	"fmt"
	"time"
)

// Invocation is one event for the function.
type Invocation struct {
	Payload   []byte        // the event
	RequestID string        // a random UUID if empty
	Timeout   time.Duration // Options.Timeout if 0
}

// Result is what the function returned for an invocation.
type Result struct {
	RequestID string
	Payload   []byte         // the response; nil if there is an error
	Err       *FunctionError // nil if the function succeeded
	Duration  time.Duration  // from sending the event to receiving the whole reply
}

type state int

const (
	queued  state = iota // waits until the function asks for an event
	running              // the function has the event
	settled              // has its result
)

// call is an invocation on its way through the function.
type call struct {
	in   Invocation
	lost chan struct{} // receives a value if the event could not be sent
	done chan struct{} // closed once result and err are final

	// Guarded by Function.mu until done is closed.
	state     state
	abandoned bool // Invoke no longer waits for the result
	started   time.Time
	timer     *time.Timer
	result    Result
	err       error
}

// Invoke sends the event to the function as soon as it asks for one, and returns
// its reply. If the function fails, the Result has an Err and the error is nil;
// as in Lambda, the process may go on or end after that.
//
// The error is ErrTimeout if the deadline passes without a reply (Invoke then
// ends the process as Terminate does), an *ExitError if the process ends,
// ErrRequestInUse, or the error of ctx. If ctx ends after the event was sent, the
// function may work on it until the deadline, and its reply is dropped.
//
// Invoke may be called concurrently. The function gets the events in the order
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
		lost:   make(chan struct{}, 1), // buffered, because Invoke may have returned
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

// hand starts the clock of c. It reports false if c was abandoned.
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

// takeBack queues c again if the function did not receive it.
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

// settle sets the result of the running call id. It reports false if there is
// no such call or it has a result.
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

// expire ends the process after the deadline of c.
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

// abort ends all calls of a process that has ended. The caller holds f.mu.
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

// forget makes the result of c final. The caller holds f.mu.
func (f *Function) forget(c *call) {
	c.state = settled
	if c.timer != nil {
		c.timer.Stop()
	}
	delete(f.calls, c.in.RequestID)
}
