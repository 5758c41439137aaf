// Package functiongraphtest runs the built binary of a function the way Huawei FunctionGraph does: as a custom
// runtime that polls the runtime API, as the HTTP server of a container image, or as an HTTP function. It sends
// events with the headers of an invocation and returns the replies.
//
// It models one instance. It does not limit CPU or memory, and starts no other instance after a crash: call [Start]
// again for that. The package does not import testing, so that programs can use it as well.
//
// https://support.huaweicloud.com/intl/en-us/usermanual-functiongraph/functiongraph_01_0406.html
package functiongraphtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Mode is a way to run a function.
type Mode string

// The ways to run a function.
const (
	Runtime   Mode = "custom runtime"
	Container Mode = "container image"
	HTTP      Mode = "HTTP function"
)

// ProjectID is the project of the function.
const ProjectID = "0549b4a43100d4f32f51c01c2fe4acdb"

// ErrExited says that the process has ended before it answered.
var ErrExited = errors.New("functiongraphtest: the process has ended")

// Options says which function to start and how.
type Options struct {
	// Binary is the path of the executable.
	Binary string
	// Mode is how it runs; [Runtime] if empty.
	Mode Mode
	// Env has KEY=VALUE pairs that are added to the variables that FunctionGraph sets, and override them.
	Env []string
	// Timeout is that of an invocation, in whole seconds; 30 s if 0.
	Timeout time.Duration
}

// Keys are the credentials that an invocation brings.
type Keys struct{ Access, Secret, Token string }

// Headers returns the headers with which FunctionGraph sends the keys.
func (k Keys) Headers() http.Header {
	return http.Header{"X-Cff-Security-Access-Key": {k.Access}, "X-Cff-Security-Secret-Key": {k.Secret}, "X-Cff-Security-Token": {k.Token}}
}

// Invocation is one event for the function.
type Invocation struct {
	Payload   []byte
	RequestID string
	Header    http.Header // further headers, such as those of [Keys]
	Async     bool        // X-CFF-Invoke-Type
}

// header returns all headers of an invocation.
func (in *Invocation) header() http.Header {
	h := in.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	kind := "sync"
	if in.Async {
		kind = "async"
	}
	h.Set("X-Cff-Invoke-Type", kind)
	h.Set("X-Cff-Request-Id", in.RequestID)
	h.Set("Content-Type", "application/json")
	return h
}

// Result is what the function returned for an invocation.
type Result struct {
	Payload []byte         // the response, or the body of the error
	Err     *FunctionError // nil if the function succeeded
}

// FunctionError is the error that the function reported.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// Function is a started binary: one instance. All methods are safe for concurrent use.
type Function struct {
	api     *httptest.Server // nil without a runtime API
	address string           // of the function's own server; empty without one
	cmd     *exec.Cmd
	output  output
	queue   chan *call
	exited  chan struct{} // closed when the process has ended
	ready   chan struct{} // closed when it first asked for an event, or its server listened
	begun   func()        // closes ready, once

	mu      sync.Mutex
	started time.Time
	init    time.Duration    // from started to ready
	calls   map[string]*call // taken by the function and not answered, by request id
	polls   []int            // what the API answers to the next polls instead of working
	answers []int            // what it answers to the next answers
}

// call is an invocation on its way.
type call struct {
	in   Invocation
	done chan Result // buffered
}

// output collects what the process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// Start starts the binary. A function with a server of its own is ready when Start returns; a custom runtime takes
// its first event when it is. An error has the output of a process that ended.
func Start(ctx context.Context, o Options) (*Function, error) {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	f := &Function{queue: make(chan *call), exited: make(chan struct{}), ready: make(chan struct{}), calls: make(map[string]*call)}
	f.begun = sync.OnceFunc(func() {
		f.mu.Lock()
		f.init = time.Since(f.started)
		f.mu.Unlock()
		close(f.ready)
	})
	// Of the caller's environment nothing is passed on.
	env := []string{
		"RUNTIME_PROJECT_ID=" + ProjectID, "RUNTIME_FUNC_NAME=functiongraphtest", "RUNTIME_FUNC_VERSION=latest", "RUNTIME_PACKAGE=default",
		"RUNTIME_HANDLER=bootstrap", "RUNTIME_MEMORY=128", "RUNTIME_CPU=300", "RUNTIME_CODE_ROOT=" + filepath.Dir(o.Binary),
		"RUNTIME_TIMEOUT=" + strconv.Itoa(int(o.Timeout/time.Second)), "PATH=/usr/bin:/bin",
	}
	if o.Mode == Container || o.Mode == HTTP {
		port, err := freePort(ctx)
		if err != nil {
			return nil, err
		}
		f.address = "127.0.0.1:" + port
		env = append(env, "FUNCTION_PORT="+port)
		if o.Mode == HTTP {
			env = append(env, "FUNCTION_TYPE=http")
		}
	} else {
		f.api = httptest.NewServer(f.routes())
		env = append(env, "RUNTIME_API_ADDR="+f.api.Listener.Addr().String())
	}
	//nolint:gosec // running the given binary is the purpose
	f.cmd = exec.CommandContext(context.WithoutCancel(ctx), o.Binary)
	f.cmd.Env = slices.Concat(env, o.Env)
	f.cmd.Stdout, f.cmd.Stderr = &f.output, &f.output
	f.mu.Lock() // the process may poll before Start returns
	f.started = time.Now()
	err := f.cmd.Start()
	f.mu.Unlock()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("functiongraphtest: start: %w", err), f.Close())
	}
	go func() {
		_ = f.cmd.Wait() // the state says how it ended
		close(f.exited)
	}()
	if err := f.awaitServer(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// freePort returns a port that was free a moment ago.
func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("functiongraphtest: %w", err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// awaitServer waits until the function's own server listens.
func (f *Function) awaitServer(ctx context.Context) error {
	for f.address != "" {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", f.address)
		if err == nil {
			f.begun()
			return c.Close()
		}
		select {
		case <-time.After(time.Millisecond):
		case <-f.exited:
			return fmt.Errorf("%w: exit code %d: %s", ErrExited, f.ExitCode(), f.Output())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Ready waits until the function can take an event, and returns how long the process took from its start until then:
// to its first poll, or until its server listened.
func (f *Function) Ready(ctx context.Context) (time.Duration, error) {
	select {
	case <-f.ready:
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.init, nil
	case <-f.exited:
		return 0, fmt.Errorf("%w: exit code %d: %s", ErrExited, f.ExitCode(), f.Output())
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Pid returns the id of the process.
func (f *Function) Pid() int { return f.cmd.Process.Pid }

// Stalled is an answer that says that it has an event and never sends it.
const Stalled = -1

// Fail lets the runtime API answer the next polls with these statuses and no body; 200 is a poll without an event,
// 0 closes the connection, and [Stalled] is no status either.
func (f *Function) Fail(statuses ...int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.polls = append(f.polls, statuses...)
}

// FailAnswers is [Function.Fail] for the answers to invocations.
func (f *Function) FailAnswers(statuses ...int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers = append(f.answers, statuses...)
}

// failing lets a handler fail as the list says, which it takes from.
func (f *Function) failing(list *[]int, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		if len(*list) == 0 {
			f.mu.Unlock()
			next(w, r)
			return
		}
		status := (*list)[0]
		*list = (*list)[1:]
		f.mu.Unlock()
		switch status {
		case 0:
			panic(http.ErrAbortHandler)
		case Stalled:
			w.Header().Set("X-Cff-Request-Id", "stalled")
			_ = http.NewResponseController(w).Flush() // it can
			<-r.Context().Done()
		default:
			w.WriteHeader(status)
		}
	}
}

func (f *Function) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/runtime/invocation/request", f.failing(&f.polls, func(w http.ResponseWriter, r *http.Request) {
		f.begun()
		select {
		case c := <-f.queue:
			f.mu.Lock()
			f.calls[c.in.RequestID] = c
			f.mu.Unlock()
			for name, values := range c.in.header() {
				w.Header()[name] = values
			}
			_, _ = w.Write(c.in.Payload) // a function that is gone does not answer
		case <-r.Context().Done():
		}
	}))
	answer := func(failed bool) http.HandlerFunc {
		return f.failing(&f.answers, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			f.mu.Lock()
			c := f.calls[r.PathValue("id")]
			delete(f.calls, r.PathValue("id"))
			f.mu.Unlock()
			if c == nil {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			c.done <- newResult(body, failed)
		})
	}
	mux.HandleFunc("POST /v1/runtime/invocation/response/{id}", answer(false))
	mux.HandleFunc("POST /v1/runtime/invocation/error/{id}", answer(true))
	return mux
}

func newResult(body []byte, failed bool) Result {
	r := Result{Payload: body}
	if failed {
		r.Err = new(FunctionError)
		if json.Unmarshal(body, r.Err) != nil {
			r.Err.Message = string(body)
		}
	}
	return r
}

// Invoke sends an event and returns the reply: over the runtime API, or by POST /invoke. The error is [ErrExited]
// if the process ends first, or that of ctx.
func (f *Function) Invoke(ctx context.Context, in Invocation) (Result, error) {
	if f.address != "" {
		status, body, err := f.Do(ctx, http.MethodPost, "/invoke", in)
		return newResult(body, status != http.StatusOK), err
	}
	c := &call{in: in, done: make(chan Result, 1)}
	select {
	case f.queue <- c:
	case <-f.exited:
		return Result{}, ErrExited
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	select {
	case r := <-c.done:
		return r, nil
	case <-f.exited:
		return Result{}, ErrExited
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// Do calls the function's own server, as a gateway does for an HTTP function, with the headers of an invocation.
func (f *Function) Do(ctx context.Context, method, path string, in Invocation) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+f.address+path, bytes.NewReader(in.Payload))
	if err != nil {
		return 0, nil, err
	}
	r.Header = in.header()
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		if f.Ended() {
			err = ErrExited
		}
		return 0, nil, err
	}
	defer got.Body.Close() //nolint:errcheck // it was read
	body, err = io.ReadAll(got.Body)
	return got.StatusCode, body, err
}

// Output returns what the process has written so far, to standard output and to standard error.
func (f *Function) Output() string {
	f.output.mu.Lock()
	defer f.output.mu.Unlock()
	return f.output.buf.String()
}

// Freeze stops the process, as FunctionGraph does between invocations, and [Function.Thaw] lets it go on. All threads
// have stopped when it returns: the signal alone reaches them a moment later, in which they could still answer a fault.
func (f *Function) Freeze() error {
	if err := f.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for ; ; time.Sleep(time.Millisecond) {
		stopped, err := f.stopped()
		if stopped || err != nil {
			return err
		}
	}
}

// stopped reports whether all threads of the process are stopped. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func (f *Function) stopped() (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", f.cmd.Process.Pid))
	if err == nil && len(threads) == 0 {
		err = errors.New("functiongraphtest: the process has no threads in /proc")
	}
	if err != nil {
		return false, err
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread) //nolint:gosec // of our own process
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return false, err
		}
		// The state follows the name, which is in parentheses and may have some itself.
		_, state, _ := strings.Cut(string(text[max(bytes.LastIndexByte(text, ')'), 0):]), " ")
		if !strings.HasPrefix(state, "T") {
			return false, nil
		}
	}
	return true, nil
}

// Thaw ends a [Function.Freeze].
func (f *Function) Thaw() error { return f.cmd.Process.Signal(syscall.SIGCONT) }

// Terminate sends SIGTERM and waits for the end of the process.
func (f *Function) Terminate() error { return f.end(syscall.SIGTERM) }

// Kill ends the process at once. A process that has ended is no error.
func (f *Function) Kill() error { return f.end(syscall.SIGKILL) }

func (f *Function) end(s syscall.Signal) error {
	if err := f.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-f.exited
	return nil
}

// Wait waits for the end of the process.
func (f *Function) Wait(ctx context.Context) error {
	select {
	case <-f.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ended reports whether the process has ended.
func (f *Function) Ended() bool {
	select {
	case <-f.exited:
		return true
	default:
		return false
	}
}

// ExitCode returns the exit code of a process that has ended; -1 if a signal ended it.
func (f *Function) ExitCode() int { return f.cmd.ProcessState.ExitCode() }

// Close kills the process, if it runs, and closes the runtime API.
func (f *Function) Close() error {
	var err error
	if f.cmd.Process != nil {
		err = f.Kill()
	}
	if f.api != nil {
		f.api.CloseClientConnections()
		f.api.Close()
	}
	return err
}
