// Package throttle simulates the work on a long queue against a DDS that allows few calls. The
// decoder, the service and the DDS client with its pace are real; the clock, the queue, Lambda and
// DDS are simulated.
package throttle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/ledger"
	"dds-backup-delete/internal/secret"
)

// Settings of template.yaml, and defaults of AWS.
const (
	batchSize   = 10
	timeout     = 30 * time.Second
	visibility  = 180 * time.Second
	maxReceives = 10
	// Lambda starts with five batches at once and adds five a second while there is a backlog.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
	firstBatches = 5
	perSecond    = 5
)

const (
	ddsTakes    = 50 * time.Millisecond // until DDS answers
	refusalTime = 5 * time.Millisecond  // until its gateway refuses a call
	invokeTime  = 5 * time.Millisecond  // for the rest of an invocation
	pollTime    = time.Second           // between two polls of an empty queue
)

// Scenario is one run.
type Scenario struct {
	// Requests is the number of requests in the queue at the start.
	Requests int
	// Calls is the number of calls that DDS allows in each Window.
	Calls  int
	Window time.Duration
	// Silent says that a throttled answer does not report the limit.
	Silent bool
	// Concurrency is how many functions run at once, at most.
	Concurrency int
}

// Name returns a short description of the scenario.
func (s Scenario) Name() string {
	told := "told"
	if s.Silent {
		told = "not told"
	}
	return fmt.Sprintf("%d in %v, %s, %d functions", s.Calls, s.Window, told, s.Concurrency)
}

// Rate returns how many calls a second DDS allows.
func (s Scenario) Rate() float64 { return float64(s.Calls) / s.Window.Seconds() }

// Result is the result of a run.
type Result struct {
	Scenario Scenario
	// Deleted is how many backups were deleted, and Dead how many requests became dead letters.
	Deleted, Dead int
	// Took is the time until the last deletion. Share is the part of the calls allowed until then that
	// deleted something.
	Took  time.Duration
	Share float64
	// Refused is the part of all calls that was throttled.
	Refused float64
	// Receives and MaxReceives are how often a message was received, on average and at most.
	Receives    float64
	MaxReceives int
}

// fixedWindow is DDS behind its gateway. It accepts a fixed number of calls in each window and refuses
// the rest. Refused calls do not count.
type fixedWindow struct {
	s Scenario

	mu             sync.Mutex
	start          time.Time
	inWindow       int
	taken, refused int
	last           time.Time // of the last deletion
}

// RoundTrip implements [http.RoundTripper].
func (w *fixedWindow) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.admit() {
		time.Sleep(ddsTakes)
		w.mu.Lock()
		w.taken++
		w.last = time.Now()
		n := w.taken
		w.mu.Unlock()
		return answer(r, http.StatusOK, `{"job_id":"job-`+strconv.Itoa(n)+`"}`), nil
	}
	time.Sleep(refusalTime)
	message := "The throttling threshold has been reached: too many calls"
	if !w.s.Silent {
		message = fmt.Sprintf("policy user over ratelimit,limit:%d,time:%d second", w.s.Calls, int(w.s.Window.Seconds()))
	}
	return answer(r, http.StatusTooManyRequests, `{"error_code":"APIGW.0308","error_msg":"`+message+`"}`), nil
}

func (w *fixedWindow) admit() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.start) >= w.s.Window {
		w.start, w.inWindow = now, 0
	}
	if w.inWindow >= w.s.Calls {
		w.refused++
		return false
	}
	w.inWindow++
	return true
}

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader([]byte(body))),
	}
}

// bus is a sink that accepts every event.
type bus struct{}

// Publish implements [deletion.Sink].
func (bus) Publish(_ context.Context, events []deletion.Event) []error {
	return make([]error, len(events))
}

// Run runs a scenario. Call it in a synctest bubble; otherwise it takes hours.
func Run(ctx context.Context, s Scenario) (Result, error) {
	start := time.Now()
	d := &fixedWindow{s: s}
	q := newQueue(s.Requests, start)
	all := ledger.NewMemory(s.Requests+1, nil) // one for all functions, like a table
	var mu sync.Mutex
	var failed error
	var functions sync.WaitGroup
	for i := range s.Concurrency {
		f, err := newFunction(d, all)
		if err != nil {
			return Result{}, err
		}
		functions.Go(func() {
			if i >= firstBatches {
				time.Sleep(time.Duration(i-firstBatches+1) * time.Second / perSecond)
			}
			if err := f.poll(ctx, q); err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	functions.Wait()
	if failed != nil {
		return Result{}, failed
	}
	r := Result{Scenario: s, Deleted: d.taken, Dead: q.dead, MaxReceives: q.most, Took: d.last.Sub(start)}
	r.Share = float64(d.taken) / (s.Rate() * r.Took.Seconds())
	r.Refused = float64(d.refused) / float64(d.refused+d.taken)
	r.Receives = float64(q.receives) / float64(s.Requests)
	return r, nil
}

// function is one execution environment.
type function struct {
	decoder event.Decoder
	service *deletion.Service
}

func newFunction(d *fixedWindow, l deletion.Ledger) (*function, error) {
	client, err := dds.New(dds.Options{
		Endpoints:   map[string]string{"r": "https://dds.example"},
		Credentials: dds.Credentials{AccessKey: secret.New("AK"), SecretKey: secret.New("SK")},
		Transport:   d,
	})
	if err != nil {
		return nil, err
	}
	return &function{service: &deletion.Service{
		Backups: client, Ledger: l, Sink: bus{}, Concurrency: 32, Log: slog.New(slog.DiscardHandler),
		Scope: deletion.Scope{Region: "r", ProjectID: "p"},
	}}, nil
}

// poll processes batches of the queue until it is empty.
func (f *function) poll(ctx context.Context, q *queue) error {
	for {
		batch, empty := q.receive(time.Now())
		switch {
		case empty:
			return nil
		case len(batch) == 0:
			time.Sleep(pollTime)
			continue
		}
		kept, err := f.work(ctx, batch)
		if err != nil {
			return err
		}
		q.settle(time.Now(), batch, kept)
	}
}

// work does one invocation. It returns for how long each returned message is hidden.
func (f *function) work(ctx context.Context, messages []*message) (map[string]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	time.Sleep(invokeTime)
	batch, err := f.decoder.Decode(payload(messages), event.Invocation{ID: "invocation"})
	if err != nil {
		return nil, err
	}
	outcomes := f.service.Do(ctx, batch.Requests)
	reply, err := batch.Reply(outcomes)
	if err != nil {
		return nil, err
	}
	var failures struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(reply, &failures); err != nil {
		return nil, err
	}
	kept := make(map[string]time.Duration)
	for _, failure := range failures.BatchItemFailures {
		kept[failure.ItemIdentifier] = 0
	}
	for _, v := range batch.Visibilities(outcomes) {
		kept[v.MessageID] = v.Timeout
	}
	return kept, nil
}
