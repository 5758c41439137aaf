package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// Function is a started binary with its Runtime API: one execution environment.
// All methods are safe for concurrent use.
type Function struct {
	options Options
	arn     string
	server  *httptest.Server
	cmd     *exec.Cmd
	stdout  output
	stderr  output

	queue      chan *call    // unbuffered: an event stays with Invoke until the process asks for it
	ready      chan struct{} // closed when the process first asks for an event
	initFailed chan struct{} // closed when it reports an init error
	exited     chan struct{} // closed when it has ended
	closeOnce  func() error

	mu         sync.Mutex
	calls      map[string]*call // queued and running, by request id
	extensions map[string]struct{}
	started    time.Time
	init       time.Duration
	initError  []byte
	ended      *os.ProcessState
}

func newFunction(o Options) *Function {
	f := &Function{
		options:    o,
		queue:      make(chan *call),
		ready:      make(chan struct{}),
		initFailed: make(chan struct{}),
		exited:     make(chan struct{}),
		calls:      make(map[string]*call),
		extensions: make(map[string]struct{}),
	}
	f.closeOnce = sync.OnceValue(f.shutdown)
	return f
}

// Start starts the binary and waits until it asks for its first event. The
// error is an *InitError if the process ends or reports an init error before
// that, or takes too long. Otherwise it is the error of ctx or of starting the
// process. After an error no process is left behind.
//
// ctx is for Start only; the function runs until it is closed.
func Start(ctx context.Context, o Options) (*Function, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("lambdatest: start: %w", err)
	}
	f := newFunction(o)
	f.server = httptest.NewServer(f.routes())
	if err := f.start(ctx); err != nil {
		f.server.Close()
		return nil, fmt.Errorf("lambdatest: start: %w", err)
	}
	if err := f.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Function) start(ctx context.Context) error {
	env := f.options.environment(f.server.Listener.Addr().String())
	f.arn = fmt.Sprintf("arn:aws:lambda:%s:123456789012:function:%s",
		lookup(env, "AWS_REGION"), lookup(env, "AWS_LAMBDA_FUNCTION_NAME"))

	//nolint:gosec // running the given binary is the purpose
	f.cmd = exec.CommandContext(context.WithoutCancel(ctx), f.options.Binary)
	f.cmd.Dir = filepath.Dir(f.options.Binary)
	f.cmd.Env = env
	f.cmd.Stdout = &f.stdout
	f.cmd.Stderr = &f.stderr
	f.cmd.WaitDelay = time.Second // child processes may keep the pipes open

	f.mu.Lock() // the process may ask for an event before Start returns
	defer f.mu.Unlock()
	f.started = time.Now()
	if err := f.cmd.Start(); err != nil {
		return err
	}
	go f.wait()
	return nil
}

// wait waits for the end of the process and ends its open calls.
func (f *Function) wait() {
	_ = f.cmd.Wait() // the state says how it ended
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = f.cmd.ProcessState
	f.abort()
	close(f.exited)
}

func (f *Function) awaitReady(ctx context.Context) error {
	timer := time.NewTimer(f.options.InitTimeout)
	defer timer.Stop()
	cause := errInitExited
	select {
	case <-f.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-f.exited:
	case <-timer.C:
		cause = ErrInitTimeout
	case <-f.initFailed:
		f.awaitExit(killAfter, ctx.Done()) // for its own exit code and last log lines
	}
	if err := f.Kill(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.initError != nil {
		cause = errInitReported
	}
	return &InitError{
		ExitCode: f.ended.ExitCode(),
		Body:     f.initError,
		Stdout:   f.stdout.String(),
		Stderr:   f.stderr.String(),
		Err:      cause,
	}
}

func (f *Function) markReady() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !isClosed(f.ready) {
		f.init = time.Since(f.started)
		close(f.ready)
	}
}

// markInitFailed reports false if the initialization has ended.
func (f *Function) markInitFailed(body []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if isClosed(f.ready) || isClosed(f.initFailed) {
		return false
	}
	f.initError = body
	close(f.initFailed)
	return true
}

// exitError describes the end of the process. The caller holds f.mu.
func (f *Function) exitError() *ExitError {
	return &ExitError{State: f.ended, Stderr: f.stderr.String()}
}

// Stdout returns what the process has written to its standard output so far.
// The last lines of an invocation may come after Invoke returns. Once the
// process has ended, the output is complete.
func (f *Function) Stdout() string { return f.stdout.String() }

// Stderr returns what the process has written to its standard error so far, as
// Stdout does.
func (f *Function) Stderr() string { return f.stderr.String() }

// Pid returns the process id.
func (f *Function) Pid() int { return f.cmd.Process.Pid }

// State returns how the process ended, or nil while it runs.
func (f *Function) State() *os.ProcessState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// InitDuration returns the time from starting the process until it asked for
// its first event.
func (f *Function) InitDuration() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.init
}

// SIGTERMEnabled reports whether the process has registered an extension or
// runs beside one. Only then does Lambda send SIGTERM before SIGKILL.
func (f *Function) SIGTERMEnabled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.options.Extension || len(f.extensions) > 0
}

// Close kills the process, if it runs, and closes the API. A second call returns
// the same error.
func (f *Function) Close() error { return f.closeOnce() }

func (f *Function) shutdown() error {
	err := f.Kill()
	f.server.CloseClientConnections()
	f.server.Close()
	return err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
