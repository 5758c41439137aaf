package lambdatest

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		fmt.Println("skipped with -short: these are tests of a test server")
		return 0
	}
	var err error
	bin, err = os.MkdirTemp("", "lambdatest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(bin) }()
	for _, name := range []string{"handler", "initexit", "initerror", "inithang", "raw"} {
		if err := Build(context.Background(), "testdata", "./"+name, filepath.Join(bin, name)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

func start(t *testing.T, name string, o Options) *Function {
	t.Helper()
	o.Binary = filepath.Join(bin, name)
	f, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func invoke(t *testing.T, f *Function, payload string) Result {
	t.Helper()
	r, err := f.Invoke(t.Context(), Invocation{Payload: []byte(payload)})
	if err != nil {
		t.Fatalf("invoke %s: %v", payload, err)
	}
	return r
}

// eventually waits until ok returns true, because a process takes its time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestBuildError(t *testing.T) {
	t.Parallel()
	err := Build(t.Context(), "testdata", "./nosuch", filepath.Join(t.TempDir(), "x"))
	if err == nil || !strings.Contains(err.Error(), "directory not found") {
		t.Errorf("no compiler output in %v", err)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	if got := tail(strings.Repeat("a", 3000) + "z"); len(got) > 2100 || !strings.HasSuffix(got, "az") {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	f := start(t, "handler", Options{})
	if f.InitDuration() <= 0 || f.Pid() <= 0 || f.State() != nil || f.SIGTERMEnabled() {
		t.Errorf("init %v, pid %d, state %v, SIGTERM %v", f.InitDuration(), f.Pid(), f.State(), f.SIGTERMEnabled())
	}
	for _, event := range []string{`{"a":1}`, `[]`, `"` + strings.Repeat("x", 1<<20) + `"`} {
		r := invoke(t, f, event)
		if string(r.Payload) != event || r.Err != nil || r.Duration <= 0 || len(r.RequestID) != 36 {
			t.Errorf("%.40s: got %.40s, %v, %v, %s", event, r.Payload, r.Err, r.Duration, r.RequestID)
		}
		eventually(t, "the log line", func() bool { return strings.Contains(f.Stdout(), r.RequestID) })
	}
}

func TestInvocationHeaders(t *testing.T) {
	t.Parallel()
	f := start(t, "handler", Options{Env: []string{"AWS_LAMBDA_FUNCTION_NAME=mine"}})
	before := time.Now()
	r, err := f.Invoke(t.Context(), Invocation{
		Payload: []byte(`"context"`), RequestID: "id-1", Timeout: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID, ARN, Trace string
		Deadline       int64
	}
	if err := json.Unmarshal(r.Payload, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != "id-1" || r.RequestID != "id-1" || !strings.HasPrefix(got.Trace, "Root=1-") {
		t.Errorf("got %+v", got)
	}
	if got.ARN != "arn:aws:lambda:eu-central-1:123456789012:function:mine" {
		t.Errorf("arn %s", got.ARN)
	}
	if d := time.UnixMilli(got.Deadline); d.Before(before.Add(time.Hour-time.Second)) || d.After(time.Now().Add(time.Hour)) {
		t.Errorf("deadline %v", d)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("LAMBDATEST_LEAK", "1")
	t.Setenv("GOCOVERDIR", bin)
	f := start(t, "handler", Options{Env: []string{"MINE=1", "AWS_REGION=us-east-1"}})
	var env []string
	if err := json.Unmarshal(invoke(t, f, `"env"`).Payload, &env); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MINE=1", "AWS_REGION=us-east-1", "GOCOVERDIR=" + bin, "TZ=:UTC", "LAMBDA_TASK_ROOT=" + bin, "_HANDLER=handler"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %v", want, env)
		}
	}
	for _, kv := range env {
		if strings.HasPrefix(kv, "LAMBDATEST_LEAK") || strings.HasPrefix(kv, "HOME=") {
			t.Errorf("leaked %s", kv)
		}
	}
}

func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	f := start(t, "handler", Options{})
	for range 2 { // the process goes on after an error
		r := invoke(t, f, `"error"`)
		if r.Err == nil || r.Err.Type != "brokenError" || r.Err.Message != "it broke" || r.Payload != nil {
			t.Fatalf("got %+v", r)
		}
		if !strings.Contains(r.Err.Error(), "brokenError: it broke") || !json.Valid(r.Err.Body) {
			t.Errorf("%v, body %s", r.Err, r.Err.Body)
		}
	}
	if r := invoke(t, f, `"stream"`); r.Err == nil || r.Err.Type != "brokenError" || r.Err.Message != "it broke" {
		t.Errorf("error while streaming: %+v", r)
	}
	if r := invoke(t, f, `"big"`); r.Err == nil || r.Err.Type != "Function.ResponseSizeTooLarge" {
		t.Errorf("too large: %+v", r.Err)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	f := start(t, "handler", Options{})
	r := invoke(t, f, `"panic"`)
	if r.Err == nil || r.Err.Type != "string" || r.Err.Message != "at the disco" {
		t.Fatalf("got %+v", r.Err)
	}
	<-f.exited // it answers, then ends
	_, err := f.Invoke(t.Context(), Invocation{})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(exit.Stderr, "at the disco") {
		t.Errorf("got %v", err)
	}
}

func TestExitWhileRunning(t *testing.T) {
	t.Parallel()
	f := start(t, "handler", Options{})
	_, err := f.Invoke(t.Context(), Invocation{Payload: []byte(`"exit"`)})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(err.Error(), "leaving") {
		t.Errorf("got %v", err)
	}
	if f.State() == nil || f.State().ExitCode() != 3 || f.Stderr() != "leaving\n" {
		t.Errorf("state %v", f.State())
	}
	got, err := f.Terminate(t.Context())
	if err != nil || got != (Termination{ExitCode: 3}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestInitErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		code    int
		text    string
		timeout time.Duration
	}{
		"initexit":  {code: 4, text: "bad configuration"},
		"initerror": {code: 5, text: `{"errorType":"Init.Bad"}`},
		"inithang":  {code: -1, text: ErrInitTimeout.Error(), timeout: 50 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Start(t.Context(), Options{Binary: filepath.Join(bin, name), InitTimeout: tt.timeout})
			var init *InitError
			if !errors.As(err, &init) || init.ExitCode != tt.code || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v", err)
			}
			if errors.Is(err, ErrInitTimeout) != (name == "inithang") {
				t.Errorf("cause %v", init.Err)
			}
		})
	}
	t.Run("no binary", func(t *testing.T) {
		t.Parallel()
		if _, err := Start(t.Context(), Options{Binary: filepath.Join(bin, "nosuch")}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := Start(ctx, Options{Binary: filepath.Join(bin, "inithang")})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	f := start(t, "handler", Options{Timeout: 100 * time.Millisecond})
	r, err := f.Invoke(t.Context(), Invocation{Payload: []byte(`"hang"`), RequestID: "slow"})
	if !errors.Is(err, ErrTimeout) || r.RequestID != "slow" || r.Duration < 100*time.Millisecond {
		t.Errorf("got %+v, %v", r, err)
	}
	if f.State() == nil || f.State().ExitCode() != -1 {
		t.Errorf("not killed: %v", f.State())
	}
}

func TestTimeoutAnnounced(t *testing.T) {
	t.Parallel()
	f := start(t, "handler", Options{Env: []string{"ON_SIGTERM=exit"}})
	_, err := f.Invoke(t.Context(), Invocation{Payload: []byte(`"hang"`), Timeout: 100 * time.Millisecond})
	if !errors.Is(err, ErrTimeout) || f.State() == nil || f.State().ExitCode() != 7 {
		t.Errorf("got %v, %v", err, f.State())
	}
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want Termination
		out  string
	}{
		"":      {want: Termination{Killed: true, ExitCode: -1}},
		"exit":  {want: Termination{Signaled: true, ExitCode: 7}},
		"print": {want: Termination{Signaled: true, Killed: true, ExitCode: -1}, out: "terminating"},
	}
	for mode, tt := range tests {
		t.Run("on SIGTERM "+mode, func(t *testing.T) {
			t.Parallel()
			f := start(t, "handler", Options{Env: []string{"ON_SIGTERM=" + mode}})
			if f.SIGTERMEnabled() != tt.want.Signaled {
				t.Errorf("SIGTERM enabled: %v", f.SIGTERMEnabled())
			}
			got, err := f.Terminate(t.Context())
			if err != nil || got != tt.want || !strings.Contains(f.Stdout(), tt.out) {
				t.Errorf("got %+v, %v, %s", got, err, f.Stdout())
			}
		})
	}
	t.Run("beside an extension", func(t *testing.T) {
		t.Parallel()
		got, err := start(t, "handler", Options{Extension: true}).Terminate(t.Context())
		if err != nil || !got.Signaled || got.Killed {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		t.Parallel()
		f := start(t, "handler", Options{Env: []string{"ON_SIGTERM=print"}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		got, err := f.Terminate(ctx)
		if !errors.Is(err, context.Canceled) || !got.Killed || f.State() == nil {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestKill(t *testing.T) {
	t.Parallel()
	f := start(t, "handler", Options{})
	errs := make(chan error, 2)
	for range 2 { // one runs, one waits in the queue
		go func() {
			_, err := f.Invoke(t.Context(), Invocation{Payload: []byte(`"hang"`)})
			errs <- err
		}()
	}
	eventually(t, "both invocations entered", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.calls) == 2 && strings.Contains(f.Stdout(), "hanging")
	})
	for range 2 {
		if err := f.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		var exit *ExitError
		if err := <-errs; !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Errorf("got %v", err)
		}
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestInvokeConcurrently(t *testing.T) {
	t.Parallel()
	for mode, n := range map[string]int{"": 8, "meet": 2} {
		t.Run("mode "+mode, func(t *testing.T) {
			t.Parallel()
			var o Options
			if mode == "meet" { // an invocation ends only once both run
				o.Env = []string{fmt.Sprintf("AWS_LAMBDA_MAX_CONCURRENCY=%d", n)}
			}
			f := start(t, "handler", o)
			var wg sync.WaitGroup
			for i := range n {
				event := fmt.Sprintf(`"%s %d"`, mode, i)
				wg.Go(func() {
					r, err := f.Invoke(t.Context(), Invocation{Payload: []byte(event)})
					if err != nil || string(r.Payload) != event {
						t.Errorf("%s: %s, %v", event, r.Payload, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestInvokeCanceled(t *testing.T) {
	t.Parallel()
	f := start(t, "handler", Options{})
	gate := filepath.Join(t.TempDir(), "gate")
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 2)
	for i := range 2 { // one runs, one waits in the queue
		go func() {
			in := Invocation{Payload: []byte(`"wait ` + gate + `"`), RequestID: fmt.Sprint("id-", i)}
			_, err := f.Invoke(ctx, in)
			errs <- err
		}()
	}
	eventually(t, "both invocations entered", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.calls) == 2 && strings.Contains(f.Stdout(), "event id-")
	})
	if _, err := f.Invoke(t.Context(), Invocation{RequestID: "id-1"}); !errors.Is(err, ErrRequestInUse) {
		t.Errorf("same id: %v", err)
	}
	cancel()
	for range 2 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := f.Invoke(ctx, Invocation{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// The event that runs may end, and its reply is dropped. The other one never ran.
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, f, `{}`); string(r.Payload) != `{}` {
		t.Errorf("got %s", r.Payload)
	}
	if err := f.Kill(); err != nil { // the output is complete only after the end
		t.Fatal(err)
	}
	if n := strings.Count(f.Stdout(), "event id-"); n != 1 {
		t.Errorf("%d events ran", n)
	}
}

func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	f := start(t, "raw", Options{})
	for event, want := range map[string]string{"unknown": "400 400", "init": "403", "extension": "400 501 400 403"} {
		if r := invoke(t, f, event); string(r.Payload) != want {
			t.Errorf("%s: got %s, want %s", event, r.Payload, want)
		}
	}
	if r := invoke(t, f, "double"); string(r.Payload) != "once" {
		t.Errorf("got %s", r.Payload)
	}
	if r := invoke(t, f, "last"); string(r.Payload) != "400" {
		t.Errorf("second answer: %s", r.Payload)
	}
	if r := invoke(t, f, "limit"); len(r.Payload) != 6<<20 {
		t.Errorf("got %d bytes, %v", len(r.Payload), r.Err)
	}
	if r := invoke(t, f, "big"); r.Err == nil || r.Err.Type != "Function.ResponseSizeTooLarge" {
		t.Errorf("got %v", r.Err)
	}
	if r := invoke(t, f, "last"); string(r.Payload) != "413" {
		t.Errorf("too large: %s", r.Payload)
	}
	r := invoke(t, f, "text")
	if r.Err == nil || r.Err.Type != "Raw.Text" || string(r.Err.Body) != "no JSON" {
		t.Errorf("got %+v", r)
	}
}

// brokenWriter is a connection whose client has died.
type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestEventNotSwallowed loses an event twice before a client receives it: once
// to a client that is known to be gone, and once to one that is not.
func TestEventNotSwallowed(t *testing.T) {
	t.Parallel()
	f := newFunction(Options{Timeout: time.Minute})
	got := make(chan Result, 1)
	go func() {
		r, err := f.Invoke(t.Context(), Invocation{Payload: []byte("x"), RequestID: "id"})
		if err != nil {
			t.Error(err)
		}
		got <- r
	}()

	next := func(ctx context.Context, wrap func(http.ResponseWriter) http.ResponseWriter) string {
		w := httptest.NewRecorder()
		f.serveNext(wrap(w), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		return w.Body.String()
	}
	plain := func(w http.ResponseWriter) http.ResponseWriter { return w }

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // often enough for both cases of the select
		if b := next(gone, plain); b != "" {
			t.Errorf("wrote %q", b)
		}
	}
	next(t.Context(), func(w http.ResponseWriter) http.ResponseWriter { return brokenWriter{w} })
	if b := next(t.Context(), plain); b != "x" {
		t.Errorf("wrote %q", b)
	}
	if !f.settle("id", Result{Payload: []byte("y")}) {
		t.Error("not running")
	}
	if r := <-got; string(r.Payload) != "y" {
		t.Errorf("got %s", r.Payload)
	}
}
