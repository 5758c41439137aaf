package app

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/httpapi"
	"dds-backup-delete/internal/secret"
)

// maxLoggedIDs bounds the ids of a kind in one log line. A batch may bring thousands.
const maxLoggedIDs = 3

// Handle works one payload and returns the reply to its source. The error, a
// [*event.FunctionError], is the reply to a source whose protocol knows errors. Handle never
// panics, since a panic would end the process.
func (a *App) Handle(ctx context.Context, in event.Invocation, payload []byte) (reply []byte, err error) {
	err = a.invoke(ctx, func(w *work) (err error) {
		batch, err := a.decoder.Decode(payload, in)
		if err != nil {
			a.log.WarnContext(ctx, "payload refused", "error", err.Error(), "bytes", len(payload))
			return err
		}
		w.batch = batch
		if err = a.work(ctx, w); err == nil {
			a.tick(ctx, w)
			reply, err = w.batch.Reply(w.outcomes)
		}
		return err
	})
	return reply, err
}

// HTTP returns the HTTP API, for a server. It works calls just as Handle works payloads.
func (a *App) HTTP() http.Handler {
	api := a.decoder.API()
	api.Work = func(ctx context.Context, read func() *httpapi.Call) (response *httpapi.Response, err error) {
		err = a.invoke(ctx, func(w *work) error {
			call := read()
			w.batch = &event.Batch{Source: httpapi.Source, Limit: httpapi.MaxTime, Requests: call.Requests, Status: call.Status}
			if err := a.work(ctx, w); err != nil {
				return err
			}
			response = call.Answer(w.outcomes)
			return nil
		})
		return response, err
	}
	return api
}

// tickSchedule is how often ticks come on schedule in template.yaml.
const tickSchedule = 5 * time.Minute

// askTime bounds asking for the next tick, because the invocation must end in time.
const askTime = time.Second

// work is what is known about an invocation.
type work struct {
	began    time.Time
	batch    *event.Batch // empty if the payload was refused
	outcomes []deletion.Outcome
	tick     *deletion.TickResult // nil if the payload asked for none
}

// invoke does what all invocations have in common: one line in the log, metrics, and no panic.
func (a *App) invoke(ctx context.Context, do func(*work) error) (err error) {
	w := work{began: time.Now(), batch: new(event.Batch)}
	defer func() {
		if p := recover(); p != nil {
			a.log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = event.Panicked()
		}
		a.report(ctx, &w)
	}()
	a.credentials.retry()
	a.project.retry()
	return do(&w)
}

// work works the requests of a batch.
func (a *App) work(ctx context.Context, w *work) error {
	batch := w.batch
	if len(batch.OwnEvents) > 0 {
		a.log.WarnContext(ctx, "own outcome events came in and were left alone",
			"count", len(batch.OwnEvents), "ids", batch.OwnEvents[:min(len(batch.OwnEvents), maxLoggedIDs)])
	}
	if batch.SourceARN != "" && batch.SourceARN == a.sinkARN {
		// This function would take its own outcomes, and no consumer would get any.
		a.log.ErrorContext(ctx, "OUTCOME_SINK is where these requests come from; want another one", "requests", len(batch.Requests))
		return event.Misconfigured()
	}
	if batch.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, batch.Limit)
		defer cancel()
	}
	w.outcomes = a.Service.Do(ctx, batch.Requests)
	if q := batch.Status; q != nil {
		q.State, q.Err = a.Service.Status(ctx, q.Backup)
	}
	if a.postpone != nil {
		a.postpone(ctx, batch.SourceARN, batch.Visibilities(w.outcomes))
	}
	return nil
}

// tick works the agenda of the ledger, if the payload asks for it. Whatever goes wrong, the invocation succeeds:
// all that is due stays due, and a repeat of the invocation would only be another tick. A tick that ends with work due is
// followed by another, until the next one comes on schedule: otherwise each of those would begin a chain of its own.
func (a *App) tick(ctx context.Context, w *work) {
	if !w.batch.Tick {
		return
	}
	until := w.began.Add(tickSchedule) // a sender must not make it longer
	if asked := w.batch.TickUntil; !asked.IsZero() && asked.Before(until) {
		until = asked
	}
	w.tick = a.Service.Tick(ctx)
	if !w.tick.Again() || a.askForTick == nil || time.Now().After(until) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if err := a.askForTick(ctx, until); err != nil {
		a.log.WarnContext(ctx, "tick: the next one could not be asked for, so it comes on schedule", "error", secret.Redact(err.Error()))
	}
}

// report writes the line of an invocation, and the metrics.
func (a *App) report(ctx context.Context, w *work) {
	outcomes := w.outcomes
	if w.tick != nil {
		outcomes = append(slices.Clone(outcomes), w.tick.Outcomes...)
	}
	counts := make(map[deletion.Status]int)
	replayed, parked := 0, 0
	for i := range outcomes {
		counts[outcomes[i].Status]++
		if outcomes[i].Replayed {
			replayed++
		}
		if outcomes[i].Parked && !outcomes[i].Request.OnAgenda { // it is kept since its source delivered it
			parked++
		}
	}
	var attrs []any
	if w.batch.Source != "" {
		attrs = append(attrs, "source", string(w.batch.Source))
	}
	if w.batch.SourceARN != "" {
		attrs = append(attrs, "source_arn", w.batch.SourceARN)
	}
	attrs = append(attrs, "requests", len(w.batch.Requests))
	for _, status := range []deletion.Status{
		deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated, deletion.Retry,
	} {
		attrs = append(attrs, string(status), counts[status])
	}
	a.metrics.Outcomes(w.batch.Source, outcomes)
	a.metrics.Parked(w.batch.Source, parked)
	cold := !a.warm.Swap(true)
	if cold {
		a.metrics.ColdStart()
	}
	attrs = append(attrs, "replayed", replayed, "echoes", len(w.batch.OwnEvents), "duration_ms", time.Since(w.began).Milliseconds(), "cold_start", cold)
	if parked > 0 {
		attrs = append(attrs, "parked", parked)
	}
	if t := w.tick; t != nil {
		a.metrics.Agenda(t.Ends, t.Overdue)
		attrs = append(attrs, "tick", t)
	}
	if w.batch.Tombstones > 0 {
		attrs = append(attrs, "tombstones", w.batch.Tombstones)
	}
	a.log.InfoContext(ctx, "invocation", attrs...)
	if err := a.metrics.Flush(); err != nil {
		a.log.WarnContext(ctx, "metrics: not written", "error", err.Error())
	}
}
