package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// killAfter is how long Lambda waits after SIGTERM when only internal
// extensions are registered.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
const killAfter = 500 * time.Millisecond

// Termination says how Terminate ended the process. If neither Signaled nor
// Killed is set, it had ended before.
type Termination struct {
	Signaled bool // SIGTERM was sent, because SIGTERMEnabled
	Killed   bool // SIGKILL ended it: without SIGTERM, or 500 ms after it
	ExitCode int  // -1 when a signal ended it
}

// Terminate ends the process as Lambda does at the end of an environment: with
// SIGTERM and, 500 ms later, SIGKILL if an extension is registered, otherwise
// with SIGKILL at once. A Go function with WithEnableSIGTERM runs its callbacks
// on SIGTERM and goes on unless one of them exits, so a kill is not an error. If
// ctx ends first, Terminate kills the process at once and returns the error of
// ctx.
func (f *Function) Terminate(ctx context.Context) (Termination, error) {
	t, err := f.end(ctx.Done())
	if err == nil && t.hurried {
		err = ctx.Err()
	}
	return t.Termination, err
}

// ending is a Termination that a context may have cut short.
type ending struct {
	Termination
	hurried bool
}

// end is Terminate. It kills the process as soon as hurry is closed.
func (f *Function) end(hurry <-chan struct{}) (ending, error) {
	var t ending
	if s := f.State(); s != nil {
		t.ExitCode = s.ExitCode()
		return t, nil
	}
	if f.SIGTERMEnabled() {
		if err := f.signal(syscall.SIGTERM); err != nil {
			return t, err
		}
		t.Signaled = true
		t.hurried = f.awaitExit(killAfter, hurry)
	}
	if err := f.Kill(); err != nil {
		return t, err
	}
	s := f.State()
	status, ok := s.Sys().(syscall.WaitStatus)
	t.Killed = ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	t.ExitCode = s.ExitCode()
	return t, nil
}

// Kill ends the process with SIGKILL and waits for its end. If it has ended
// before, that is not an error.
func (f *Function) Kill() error {
	if err := f.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-f.exited
	return nil
}

func (f *Function) signal(s syscall.Signal) error {
	if err := f.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("lambdatest: %v: %w", s, err)
	}
	return nil
}

// awaitExit waits at most d for the process to end. It reports whether hurry
// was closed before that.
func (f *Function) awaitExit(d time.Duration, hurry <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-f.exited:
	case <-timer.C:
	case <-hurry:
		return true
	}
	return false
}
