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

// Termination tells how Terminate ended the process. The zero value, but for
// the exit code, means that it had ended before.
type Termination struct {
	Signaled bool // SIGTERM was sent: SIGTERMEnabled
	Killed   bool // SIGKILL ended it: no SIGTERM enabled, or still alive 500 ms after it
	ExitCode int  // -1 when a signal ended it
}

// Terminate ends the process as Lambda does at the end of an environment: with
// SIGTERM, and SIGKILL if it still lives after 500 ms, when an extension is
// registered; else with SIGKILL at once. A Go function with WithEnableSIGTERM
// runs its callbacks on SIGTERM and lives on, unless one of them exits, so that
// being killed is no error. When ctx ends first, the process is killed at once
// and the error is that of ctx.
func (f *Function) Terminate(ctx context.Context) (Termination, error) {
	t, err := f.end(ctx.Done())
	if err == nil && t.hurried {
		err = ctx.Err()
	}
	return t.Termination, err
}

// ending is a Termination that may have been cut short.
type ending struct {
	Termination
	hurried bool
}

// end is Terminate, that kills at once when hurry is closed.
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

// Kill ends the process with SIGKILL and waits for its end. It is no error when
// it has ended before.
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

// awaitExit waits for the process to end, for at most d. It reports whether
// hurry was closed before.
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
