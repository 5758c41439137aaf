package lambdatest

import (
	"errors"
	"fmt"
	"os"
)

var (
	// ErrTimeout says that the function did not answer before its deadline. The
	// process was ended.
	ErrTimeout = errors.New("lambdatest: function timed out")
	// ErrInitTimeout is the cause of an InitError if the process did not ask for
	// its first event in time.
	ErrInitTimeout = errors.New("init timed out")
	// ErrRequestInUse says that an invocation with the same request id is still
	// waiting or running.
	ErrRequestInUse = errors.New("lambdatest: request id in use")

	errInitReported = errors.New("init error reported")
	errInitExited   = errors.New("process ended before it asked for an event")
)

// FunctionError is the error that the function returned for an invocation.
type FunctionError struct {
	Type    string // errorType of the body, or else of the error type header
	Message string // errorMessage of the body
	Body    []byte // as posted
}

// Error returns the type and the message.
func (e *FunctionError) Error() string {
	return fmt.Sprintf("function error %s: %s", e.Type, e.Message)
}

// InitError says that the process did not ask for an event. The process has
// ended.
type InitError struct {
	ExitCode int    // -1 if a signal ended the process
	Body     []byte // as posted to /runtime/init/error; nil if it was not
	Stdout   string
	Stderr   string
	Err      error // the cause: ErrInitTimeout, or an error that has only a text
}

// Error returns the cause, the exit code and the end of the logs.
func (e *InitError) Error() string {
	return fmt.Sprintf("lambdatest: init failed: %v (exit code %d) %s\n%s", e.Err, e.ExitCode, e.Body, tail(e.Stderr))
}

// Unwrap returns the cause.
func (e *InitError) Unwrap() error { return e.Err }

// ExitError says that the process ended before it answered.
type ExitError struct {
	State  *os.ProcessState // how it ended
	Stderr string           // everything that it logged
}

// ExitCode returns the process's exit code, or -1 if a signal ended it.
func (e *ExitError) ExitCode() int { return e.State.ExitCode() }

// Error returns how the process ended and the end of its logs.
func (e *ExitError) Error() string {
	return fmt.Sprintf("lambdatest: process ended before it answered: %v\n%s", e.State, tail(e.Stderr))
}

// tail returns the end of a log, so that an error message stays readable.
func tail(s string) string {
	const limit = 2000
	if len(s) <= limit {
		return s
	}
	return "…" + s[len(s)-limit:]
}
