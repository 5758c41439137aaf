// Package handler is the whole function, bytes in and bytes out: it wires the rooms together
// and knows the way of the data through them. A host only carries the bytes.
package handler

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/httpapi"
	"dds-backup-delete/internal/ledger"
	"dds-backup-delete/internal/metrics"
)

// Handler handles payloads. It is safe for use by many goroutines.
type Handler struct {
	log     *slog.Logger
	client  *dds.Client
	decoder event.Decoder
	service *deletion.Service
	queue   *queue // nil where messages are not given back to one
	sink    string // OUTCOME_SINK
	metrics *metrics.Recorder
	warm    atomic.Bool // an invocation was here before

	credentials *lookup[dds.Credentials] // nil where the environment has them
	project     *lookup[string]          // nil where the environment names it
}

// New wires a handler. Only what c asks for is built. Where c says so, the credentials are
// read from their secret and the project is looked up. A look-up that fails is no error: it is
// repeated for each invocation, whose requests are given back until it succeeds. Events for the
// stdout sink go to out.
func New(ctx context.Context, c *config.Config, log *slog.Logger, out io.Writer, options ...Option) (*Handler, error) {
	clients, err := newClients(c, options)
	if err != nil {
		return nil, err
	}
	if c.LambdaRuntimeAPI != "" && c.LedgerTable() == "" { // the first line of the log
		log.WarnContext(ctx, "LEDGER is memory: what this process knows is lost with it and unknown to others, so after a crash "+
			"a job id can be lost, a repeat asks DDS again, and its outcome may be unconfirmed; expected dynamodb://<table>")
	}
	for _, warning := range c.Warnings {
		log.WarnContext(ctx, "configuration warning", "warning", warning)
	}
	var recorder *metrics.Recorder
	if c.Metrics == config.EMF {
		recorder = metrics.New(out, c.FunctionName)
	}
	h := &Handler{log: log, metrics: recorder, sink: c.OutcomeSink, decoder: event.Decoder{RequestType: c.RequestType, BasePath: c.HTTPBasePath}}
	if err := h.newClient(ctx, c, clients); err != nil {
		return nil, err
	}
	outcomes, err := newSink(c, clients, out)
	if err != nil {
		return nil, err
	}
	h.service = &deletion.Service{
		Deleter: h.client, Ledger: newLedger(c, clients), Sink: outcomes, DryRun: c.DryRun, Concurrency: c.Concurrency, Log: log,
		Scope: deletion.Scope{Region: c.Region, ProjectID: c.ProjectID, Regions: c.Regions, Projects: c.Projects},
	}
	if c.ProjectID == "" {
		h.project = newProject(c, h.client, h.credentials, log, recorder)
		h.service.FindProject = h.project.get
		if h.credentials == nil || h.credentials.lastFailure() == nil {
			_, _ = h.project.get(ctx) // a failure is in the log, and asked again when it is needed
		}
	}
	if c.LambdaRuntimeAPI != "" {
		h.queue = newQueue(clients, log)
	}
	if c.InitializationType == "on-demand" { // else the first event may be hours away
		clients.connect(ctx, func(ctx context.Context) { h.client.Connect(ctx, c.Region) })
	}
	return h, nil
}

// newClient builds the DDS client, with the credentials of the environment or of the secret.
func (h *Handler) newClient(ctx context.Context, c *config.Config, clients *clients) (err error) {
	o := dds.Options{
		Endpoints:     c.Endpoints,
		Credentials:   c.Credentials,
		Connections:   c.Concurrency,
		Rate:          c.Rate,
		RequireManual: c.RequireManual,
	}
	if h.metrics != nil {
		o.Observe = h.metrics.Call
	}
	if c.SecretARN != "" {
		h.credentials = newCredentials(c, clients, h.log, h.metrics)
		o.Renew = h.credentials.get
		o.Credentials, _ = h.credentials.get(ctx) // a failure is in the log, and asked again when they are needed
	}
	h.client, err = dds.New(o)
	return err
}

// newLedger builds the ledger that LEDGER names.
func newLedger(c *config.Config, clients *clients) deletion.Ledger {
	if table := c.LedgerTable(); table != "" {
		at := clients.config(c.AWSRegion, c.AWSEndpointDynamoDB, time.Second, retrySoon)
		open(clients, at, dynamodb.NewDefaultEndpointResolverV2(), dynamodb.EndpointParameters{Region: &at.Region, Endpoint: at.BaseEndpoint})
		return ledger.NewDynamoDB(dynamodb.NewFromConfig(at), table, nil)
	}
	return ledger.NewMemory(ledger.DefaultSize, nil)
}

// maxLoggedIDs bounds the ids of a kind in one log line. A batch may bring thousands.
const maxLoggedIDs = 3

// Handle works one payload and returns the reply to its source. The error, a
// [*event.FunctionError], is the reply to a source whose protocol knows errors. Handle never
// panics, since a panic would end the process.
func (h *Handler) Handle(ctx context.Context, in event.Invocation, payload []byte) (reply []byte, err error) {
	err = h.invoke(ctx, func(w *work) (err error) {
		if w.batch, err = h.decoder.Decode(payload, in); err != nil {
			h.log.WarnContext(ctx, "payload refused", "error", err.Error(), "bytes", len(payload))
			return err
		}
		if err = h.work(ctx, w); err == nil {
			reply, err = w.batch.Reply(w.outcomes)
		}
		return err
	})
	return reply, err
}

// HTTP returns the HTTP API, for a server. It works calls just as Handle works payloads.
func (h *Handler) HTTP() http.Handler {
	api := h.decoder.API()
	api.Work = func(ctx context.Context, read func() *httpapi.Call) (response *httpapi.Response, err error) {
		err = h.invoke(ctx, func(w *work) error {
			call := read()
			w.batch = &event.Batch{Source: httpapi.Source, Limit: httpapi.MaxTime, Requests: call.Requests}
			if err := h.work(ctx, w); err != nil {
				return err
			}
			response = call.Answer(w.outcomes)
			return nil
		})
		return response, err
	}
	return api
}

// work is what is known of an invocation.
type work struct {
	began    time.Time
	batch    *event.Batch // nil if the payload was refused
	outcomes []deletion.Outcome
}

// invoke does what all invocations have in common: one line in the log, metrics, and no panic.
func (h *Handler) invoke(ctx context.Context, do func(*work) error) (err error) {
	w := work{began: time.Now()}
	defer func() {
		if p := recover(); p != nil {
			h.log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = event.Panicked()
		}
		h.report(ctx, &w)
	}()
	h.credentials.retry()
	h.project.retry()
	return do(&w)
}

// work works the requests of a batch.
func (h *Handler) work(ctx context.Context, w *work) error {
	batch := w.batch
	if len(batch.OwnEvents) > 0 {
		h.log.WarnContext(ctx, "own outcome events came in and were left alone",
			"count", len(batch.OwnEvents), "ids", batch.OwnEvents[:min(len(batch.OwnEvents), maxLoggedIDs)])
	}
	if batch.SourceARN != "" && batch.SourceARN == h.sink {
		// Whoever waits for outcomes would get none: this function takes them itself.
		h.log.ErrorContext(ctx, "OUTCOME_SINK is where these requests come from; want another one", "requests", len(batch.Requests))
		return event.Misconfigured()
	}
	if batch.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, batch.Limit)
		defer cancel()
	}
	w.outcomes = h.service.Do(ctx, batch.Requests)
	if h.queue != nil {
		h.queue.postpone(ctx, batch.SourceARN, batch.Visibilities(w.outcomes))
	}
	return nil
}

// report writes the line of an invocation, and the metrics.
func (h *Handler) report(ctx context.Context, w *work) {
	counts := make(map[deletion.Status]int)
	replayed := 0
	for i := range w.outcomes {
		counts[w.outcomes[i].Status]++
		if w.outcomes[i].Replayed {
			replayed++
		}
	}
	var attrs []any
	requests, ownEvents := 0, 0
	if w.batch != nil {
		attrs = append(attrs, "source", string(w.batch.Source))
		if w.batch.SourceARN != "" {
			attrs = append(attrs, "source_arn", w.batch.SourceARN)
		}
		requests, ownEvents = len(w.batch.Requests), len(w.batch.OwnEvents)
		h.metrics.Outcomes(w.batch.Source, w.outcomes)
	}
	attrs = append(attrs, "requests", requests)
	for _, status := range []deletion.Status{
		deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated, deletion.Retry,
	} {
		attrs = append(attrs, string(status), counts[status])
	}
	cold := !h.warm.Swap(true)
	if cold {
		h.metrics.ColdStart()
	}
	attrs = append(attrs, "replayed", replayed, "echoes", ownEvents, "duration_ms", time.Since(w.began).Milliseconds(), "cold_start", cold)
	if w.batch != nil && w.batch.Tombstones > 0 {
		attrs = append(attrs, "tombstones", w.batch.Tombstones)
	}
	h.log.InfoContext(ctx, "invocation", attrs...)
	if err := h.metrics.Flush(); err != nil {
		h.log.WarnContext(ctx, "metrics: not written", "error", err.Error())
	}
}

// Close lets go of what is kept open between invocations.
func (h *Handler) Close() { h.client.CloseIdleConnections() }
