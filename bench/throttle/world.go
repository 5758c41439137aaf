// Package throttle runs the deletion of a long queue against a DDS that allows few calls, on a
// simulated clock: real decoder, service, DDS client and pace, with a simulated queue, Lambda
// and DDS around them.
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

// What template.yaml sets, or AWS has as its default.
const (
	batchSize   = 10
	timeout     = 30 * time.Second
	visibility  = 180 * time.Second
	maxReceives = 10
	// Lambda starts with five batches at once and adds five a second, while there is a backlog.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
	firstBatches = 5
	perSecond    = 5
)

const (
	ddsTakes    = 50 * time.Millisecond // for an answer of DDS
	refusalTime = 5 * time.Millisecond  // for one of its gateway
	invokeTime  = 5 * time.Millisecond  // for all else of an invocation
	pollTime    = time.Second           // between two looks into an empty queue
)

// Scenario is one run.
type Scenario struct {
	// Requests is how many wait in the queue at the start.
	Requests int
	// Calls is how many DDS allows in each Window.
	Calls  int
	Window time.Duration
	// Silent says that a throttled answer does not tell the limit.
	Silent bool
	// Concurrency is how many functions run at once at the most.
	Concurrency int
}

// Name says what a scenario is, in a few words.
func (s Scenario) Name() string {
	told := "told"
	if s.Silent {
		told = "not told"
	}
	return fmt.Sprintf("%d in %v, %s, %d functions", s.Calls, s.Window, told, s.Concurrency)
}

// Rate is how many calls a second DDS allows.
func (s Scenario) Rate() float64 { return float64(s.Calls) / s.Window.Seconds() }

// Result is what came of a run.
type Result struct {
	Scenario Scenario
	// Deleted and Dead are how many requests were deleted, and ended in the dead-letter queue.
	Deleted, Dead int
	// Took is the time to the last deletion; Share that part of the allowed calls until then
	// which deleted something.
	Took  time.Duration
	Share float64
	// Refused is the share of all calls that was throttled.
	Refused float64
	// Receives is how often a message was received, on average and at the most.
	Receives    float64
	MaxReceives int
}

// fixedWindow is DDS behind its gateway: it takes so many calls in each window and refuses the
// rest, which count for nothing.
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

// bus takes every event.
type bus struct{}

// Publish implements [deletion.Sink].
func (bus) Publish(_ context.Context, events []deletion.Event) []error {
	return make([]error, len(events))
}

// Run runs a scenario. It must be called in a synctest bubble, or it takes hours.
func Run(ctx context.Context, s Scenario) (Result, error) {
	start := time.Now()
	d := &fixedWindow{s: s}
	q := newQueue(s.Requests, start)
	all := ledger.NewMemory(s.Requests+1, nil) // one for all, as a table is
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
		Deleter: client, Ledger: l, Sink: bus{}, Concurrency: 32, Log: slog.New(slog.DiscardHandler),
		Scope: deletion.Scope{Region: "r", ProjectID: "p"},
	}}, nil
}

// poll works batches of the queue until it is empty.
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

// work does one invocation. It returns for how long each message that is given back is hidden.
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
