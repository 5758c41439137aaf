package sink_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/sink"
	"dds-backup-delete/internal/sink/awssink"
	"dds-backup-delete/internal/sink/sinktest"
)

const (
	bus      = "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes"
	topicARN = "arn:aws:sns:eu-central-1:123456789012:outcomes"
	queueARN = "arn:aws:sqs:eu-central-1:123456789012:outcomes"
	topicURN = "urn:smn:" + ddstest.Region + ":" + ddstest.ProjectID + ":outcomes"
)

// parse reads an ARN that is good.
func parse(text string) arn.ARN {
	a, ok := arn.Parse(text)
	if !ok {
		panic("no ARN: " + text)
	}
	return a
}

var keys = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret"}, nil
})

// someEvents returns n events with one status, each about another backup.
func someEvents(n int) []deletion.Event {
	var events []deletion.Event
	for i := range n {
		events = append(events, deletion.Event{
			ID: fmt.Sprintf("id-%d", i), Type: "dds.backup.deletion.accepted.v1", Source: "urn:huaweicloud:dds:cn-north-4:project",
			Subject: fmt.Sprintf("backup-%d", i), Status: deletion.Accepted, ProjectID: "project",
			Data: fmt.Appendf(nil, `{"project_id":"project","backup_id":"backup-%d","status":"accepted"}`, i),
			JSON: fmt.Appendf(nil, `{"specversion":"1.0","id":"id-%d","source":"urn:huaweicloud:dds:cn-north-4:project","type":"dds.backup.deletion.accepted.v1",`+
				`"subject":"backup-%d","datacontenttype":"application/json","data":{"project_id":"project","backup_id":"backup-%d","status":"accepted"}}`, i, i, i),
		})
	}
	return events
}

func eventBridge(url string) deletion.Sink {
	return awssink.NewEventBridge(eventbridge.New(eventbridge.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(url), Credentials: keys, Retryer: aws.NopRetryer{},
	}), parse(bus), "our.source")
}

// service is a service to which outcomes are published.
type service struct {
	// sink returns a sink for a service at that address.
	sink func(url string) deletion.Sink
	// start starts a healthy service. It fails an entry with the code that refuse returns for its
	// body. taken returns the bodies it took, and calls the number of entries of each call.
	start func(refuse func(body string) string) (url string, taken func() []string, calls func() []int, stop func())
	// useless are answers with status 200 to a call of two entries that confirm nothing.
	useless map[string]string
	// perCall is how many events a call takes.
	perCall int
}

func services() map[string]service {
	return map[string]service{
		"EventBridge": {
			perCall: 10,
			sink:    eventBridge,
			start: func(refuse func(string) string) (string, func() []string, func() []int, func()) {
				server := sinktest.NewEventBridge(func(e sinktest.Entry) string { return refuse(e.Detail) })
				taken := func() []string {
					var bodies []string
					for _, e := range server.Taken() {
						bodies = append(bodies, e.Detail)
					}
					return bodies
				}
				return server.URL, taken, server.Calls, server.Close
			},
			useless: map[string]string{
				"HTML": "<html>", "nothing": "", "an empty object": "{}", "too few entries": `{"Entries":[{"EventId":"1"}]}`,
				"too many entries": `{"Entries":[{"EventId":"1"},{"EventId":"2"},{"EventId":"3"}]}`, "no event ids": `{"Entries":[{},{}]}`,
			},
		},
		"SNS": {
			perCall: 10,
			sink: func(url string) deletion.Sink {
				return awssink.NewSNS(sns.New(sns.Options{
					Region: "eu-central-1", BaseEndpoint: aws.String(url), Credentials: keys, Retryer: aws.NopRetryer{},
				}), parse(topicARN))
			},
			start: func(refuse func(string) string) (string, func() []string, func() []int, func()) {
				return started(sinktest.NewSNS(refusal(refuse)))
			},
			useless: map[string]string{
				"HTML": "<html>", "nothing": "", "JSON": "{}",
				"no entries":     snsAnswer(""),
				"others":         snsAnswer("<member><Id>7</Id><MessageId>m</MessageId></member><member><Id>8</Id><MessageId>m</MessageId></member>"),
				"no message ids": snsAnswer("<member><Id>0</Id></member><member><Id>1</Id></member>"),
			},
		},
		"SQS": {
			perCall: 10,
			sink: func(url string) deletion.Sink {
				s, err := awssink.NewSQS(sqs.New(sqs.Options{
					Region: "eu-central-1", BaseEndpoint: aws.String(url), Credentials: keys, Retryer: aws.NopRetryer{},
				}), parse(queueARN))
				if err != nil {
					panic(err)
				}
				return s
			},
			start: func(refuse func(string) string) (string, func() []string, func() []int, func()) {
				return started(sinktest.NewSQS(refusal(refuse)))
			},
			useless: map[string]string{
				"HTML": "<html>", "nothing": "", "an empty object": "{}",
				"others":         `{"Successful":[{"Id":"7","MessageId":"m"},{"Id":"8","MessageId":"m"}],"Failed":[]}`,
				"no message ids": `{"Successful":[{"Id":"0"},{"Id":"1"}],"Failed":[]}`,
				"another body":   `{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"00"},{"Id":"1","MessageId":"m","MD5OfMessageBody":"00"}]}`,
			},
		},
		"HTTP": {
			perCall: 1,
			sink:    func(url string) deletion.Sink { return sink.NewHTTP(sink.HTTPOptions{Address: address(url)}, nil) },
			start: func(refuse func(string) string) (string, func() []string, func() []int, func()) {
				r := &receiver{refuse: refuse}
				server := httptest.NewServer(r)
				return server.URL, r.bodies, r.calls, server.Close
			},
		},
		"SMN": {
			perCall: 1,
			sink: func(url string) deletion.Sink {
				return sink.NewSMN(ddstest.ProjectID, topicURN, post(url, ddstest.SecretKey))
			},
			start: func(refuse func(string) string) (string, func() []string, func() []int, func()) {
				server := ddstest.NewServer(ddstest.Options{RefuseMessage: func(m ddstest.Message) (int, string) {
					switch refuse(m.Message) {
					case passing:
						return http.StatusInternalServerError, "SMN.0018"
					case lasting:
						return http.StatusForbidden, "SMN.0001"
					default:
						return 0, ""
					}
				}})
				taken := func() []string {
					var bodies []string
					for _, m := range server.Messages() {
						bodies = append(bodies, m.Message)
					}
					return bodies
				}
				return server.URL(), taken, func() []int { return slices.Repeat([]int{1}, len(server.Calls())) }, server.Close
			},
			useless: map[string]string{"HTML": "<html>", "nothing": "", "an empty object": "{}", "no message id": `{"request_id":"r","message_id":""}`},
		},
	}
}

// post returns calls of SMN at that address, signed by a DDS client of their own.
func post(url, secretKey string) sink.PostJSON {
	client, err := dds.New(dds.Options{Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(secretKey)}})
	if err != nil {
		panic(err)
	}
	return func(ctx context.Context, projectID string, body []byte, path ...string) ([]byte, error) {
		return client.Post(ctx, url, projectID, body, path...)
	}
}

func snsAnswer(successful string) string {
	return "<PublishBatchResponse><PublishBatchResult><Successful>" + successful + "</Successful><Failed></Failed></PublishBatchResult></PublishBatchResponse>"
}

// refusal makes a refusal of a broker from the code that refuse returns.
func refusal(refuse func(string) string) func(sinktest.Message) *sinktest.Refusal {
	return func(m sinktest.Message) *sinktest.Refusal {
		if code := refuse(m.Body); code != "" {
			return &sinktest.Refusal{Code: code, SenderFault: code == lasting}
		}
		return nil
	}
}

func started(b *sinktest.Broker) (string, func() []string, func() []int, func()) {
	taken := func() []string {
		var bodies []string
		for _, m := range b.Taken() {
			bodies = append(bodies, m.Body)
		}
		return bodies
	}
	return b.URL, taken, b.Calls, b.Close
}

// The codes of refusals, which mean the same for all services.
const (
	passing = "InternalFailure"
	lasting = "AccessDeniedException"
)

func never(string) string { return "" }

// check expects that the service has each event that counts as published and, with exact, no other.
func check(t *testing.T, events []deletion.Event, errs []error, taken []string, exact bool) {
	t.Helper()
	if len(errs) != len(events) {
		t.Fatalf("%d results for %d events", len(errs), len(events))
	}
	known := make(map[string]bool, len(events))
	for i, e := range events {
		known[string(e.JSON)] = true
		there := slices.Contains(taken, string(e.JSON))
		if errs[i] == nil && !there {
			t.Errorf("event %d counts as published, but the service does not have it", i)
		}
		if exact && errs[i] != nil && there {
			t.Errorf("event %d counts as failed, but the service has it: %v", i, errs[i])
		}
	}
	for _, body := range taken {
		if !known[body] {
			t.Errorf("the service has an event that was not sent: %s", body)
		}
	}
}

func TestBatches(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			url, taken, calls, stop := s.start(never)
			defer stop()
			events := someEvents(23)
			errs := s.sink(url).Publish(t.Context(), events)
			check(t, events, errs, taken(), true)
			if len(taken()) != 23 {
				t.Errorf("%d messages, want 23", len(taken()))
			}
			want := []int{3, 10, 10}
			if s.perCall == 1 {
				want = slices.Repeat([]int{1}, 23)
			}
			got := calls()
			slices.Sort(got)
			if !cmp.Equal(got, want) {
				t.Errorf("calls of %v entries, want %v", got, want)
			}
		})
	}
}

// Ten large events make several calls, none of which is larger than the services allow.
func TestBatchesBySize(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			url, taken, calls, stop := s.start(never)
			defer stop()
			events := someEvents(10)
			for i := range events {
				events[i].JSON = append(events[i].JSON[:len(events[i].JSON)-1], `,"filling":"`+strings.Repeat("ż", 30_000)+`"}`...)
			}
			errs := s.sink(url).Publish(t.Context(), events)
			check(t, events, errs, taken(), true)
			if got := len(calls()); len(taken()) != 10 || (s.perCall == 10 && got != 3) {
				t.Errorf("%d messages in %d calls, want ten in three", len(taken()), got)
			}
		})
	}
}

// Half of the entries fail at first. Only these are sent again.
func TestHalfFail(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			tries := make(map[string]int)
			url, taken, calls, stop := s.start(func(body string) string {
				mu.Lock()
				defer mu.Unlock()
				if tries[body]++; tries[body] == 1 && len(tries)%2 == 0 {
					return passing
				}
				return ""
			})
			defer stop()
			events := someEvents(10)
			errs := s.sink(url).Publish(t.Context(), events)
			check(t, events, errs, taken(), true)
			if len(taken()) != 10 {
				t.Errorf("%d messages, want each of ten once", len(taken()))
			}
			if got := calls(); s.perCall == 10 && !cmp.Equal(got, []int{10, 5}) {
				t.Errorf("calls of %v entries, want 10 and 5", got)
			}
		})
	}
}

// An entry with a permanent error is not sent again, and does not delay the others.
func TestSomeAreRefused(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			url, taken, calls, stop := s.start(func(body string) string {
				if strings.Contains(body, `"id-3"`) || strings.Contains(body, `"id-11"`) {
					return lasting
				}
				return ""
			})
			defer stop()
			events := someEvents(12)
			errs := s.sink(url).Publish(t.Context(), events)
			check(t, events, errs, taken(), true)
			for i, err := range errs {
				if failed := i == 3 || i == 11; (err != nil) != failed {
					t.Errorf("event %d: %v", i, err)
				}
			}
			if sent := len(calls()); (s.perCall == 10 && sent != 2) || (s.perCall == 1 && sent != 12) {
				t.Errorf("%d calls, want no repeat", sent)
			}
		})
	}
}

// A call that is refused as a whole is made once.
func TestRefused(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				http.Error(w, `{"__type":"AccessDeniedException"}`, http.StatusForbidden)
			}))
			defer server.Close()
			events := someEvents(1)
			errs := s.sink(server.URL).Publish(t.Context(), events)
			check(t, events, errs, nil, true)
			if calls.Load() != 1 {
				t.Errorf("%d calls, want one", calls.Load())
			}
		})
	}
}

// If one event makes a service refuse a call, the other events are published.
func TestAPoisonedCall(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			url, taken, _, stop := s.start(never)
			defer stop()
			front := newFront(t, url, nil)
			front.refuse = func(body string) bool { return strings.Contains(body, "id-3") }
			events := someEvents(5)
			errs := s.sink(front.URL).Publish(t.Context(), events)
			check(t, events, errs, taken(), true)
			for i, err := range errs {
				if (err != nil) != (i == 3) {
					t.Errorf("event %d: %v", i, err)
				}
			}
		})
	}
}

// An answer that confirms nothing fails its events, on each try until time runs out.
func TestUselessAnswers(t *testing.T) {
	for name, s := range services() {
		for what, text := range s.useless {
			t.Run(name+"/"+what, func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
				defer server.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				events := someEvents(2)
				check(t, events, s.sink(server.URL).Publish(ctx, events), nil, true)
			})
		}
	}
}

// A service that fails for a while gets all events in the end, however it fails.
func TestOutages(t *testing.T) {
	for name, s := range services() {
		for what, fault := range map[string]http.HandlerFunc{
			"an error":       func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusInternalServerError) },
			"unavailable":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusServiceUnavailable) },
			"drops":          func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"breaks off":     func(w http.ResponseWriter, _ *http.Request) { breakOff(w) },
			"another answer": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				url, taken, _, stop := s.start(never)
				defer stop()
				front := newFront(t, url, fault)
				front.first = 3
				events := someEvents(12)
				errs := s.sink(front.URL).Publish(t.Context(), events)
				check(t, events, errs, taken(), true)
				for i, err := range errs {
					if err != nil {
						t.Errorf("event %d: %v", i, err)
					}
				}
			})
		}
	}
}

// breakOff announces more than it sends.
func breakOff(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "1000")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write([]byte("{"))
	panic(http.ErrAbortHandler)
}

// After a lost answer the result is not known. The event is sent again, and may arrive twice.
func TestLostAnswers(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			url, taken, _, stop := s.start(never)
			defer stop()
			front := newFront(t, url, nil)
			front.first = 2
			events := someEvents(12)
			errs := s.sink(front.URL).Publish(t.Context(), events)
			check(t, events, errs, taken(), false)
			for i, err := range errs {
				if err != nil {
					t.Errorf("event %d: %v", i, err)
				}
			}
			if len(taken()) <= 12 {
				t.Errorf("%d messages: no answer was lost", len(taken()))
			}
		})
	}
}

func TestSlowness(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-release:
				case <-r.Context().Done():
				}
			}))
			defer server.Close()
			defer close(release)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			events := someEvents(25)
			for i, err := range s.sink(server.URL).Publish(ctx, events) {
				if err == nil {
					t.Errorf("event %d counts as published, but had no answer", i)
				}
			}
		})
	}
}

// front forwards calls to a service. It fails some of them first.
type front struct {
	*httptest.Server

	// first is how many calls fail at first: with the fault or, if there is none, by losing the answer.
	first int32
	fault http.HandlerFunc
	// refuse reports whether to refuse a call by its body; it may be nil.
	refuse func(body string) bool

	t     *testing.T
	url   string
	calls atomic.Int32
}

func newFront(t *testing.T, url string, fault http.HandlerFunc) *front {
	t.Helper()
	f := &front{t: t, url: url, fault: fault}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	failing := f.calls.Add(1) <= f.first
	switch {
	case failing && f.fault != nil:
		f.fault(w, r)
		return
	case f.refuse != nil && f.refuse(string(body)):
		http.Error(w, `{"__type":"ValidationException"}`, http.StatusBadRequest)
		return
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, f.url+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return
	}
	request.Header, request.Host = r.Header, r.Host // which may be signed
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	if failing {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	if _, err := io.Copy(w, response.Body); err != nil {
		f.t.Error(err)
	}
}
