package app

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// maxLoggedIDs bounds the ids of a kind in one log line. A batch may bring thousands.
const maxLoggedIDs = 3

// Handle works one payload and returns the reply to its source. The error, a
// [*event.FunctionError], is the reply to a source whose protocol knows errors. Handle never
// panics, since a panic would end the process.
func (a *App) Handle(ctx context.Context, in event.Invocation, payload []byte) (reply []byte, err error) {
	w := work{began: time.Now()}
	defer func() {
		if p := recover(); p != nil {
			a.log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply, err = nil, event.Panicked()
		}
		a.report(ctx, &w)
	}()
	a.credentials.retry()
	a.project.retry()
	batch, err := a.decoder.Decode(payload, in)
	if err != nil {
		a.log.WarnContext(ctx, "payload refused", "error", err.Error(), "bytes", len(payload))
		return nil, err
	}
	w.batch = batch
	if len(batch.Echoes) > 0 {
		a.log.WarnContext(ctx, "own outcome events came in and were left alone",
			"count", len(batch.Echoes), "ids", batch.Echoes[:min(len(batch.Echoes), maxLoggedIDs)])
	}
	if batch.SourceARN != "" && batch.SourceARN == a.sinkARN {
		// This function would take its own outcomes, and no consumer would get any.
		a.log.ErrorContext(ctx, "OUTCOME_SINK is where these requests come from; want another one", "requests", len(batch.Requests))
		return nil, event.Misconfigured()
	}
	if batch.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, batch.Limit)
		defer cancel()
	}
	w.outcomes = a.Service.Do(ctx, batch.Requests)
	if a.postpone != nil {
		a.postpone(ctx, batch.SourceARN, batch.Visibilities(w.outcomes))
	}
	return batch.Reply(w.outcomes)
}

// work is what is known about an invocation.
type work struct {
	began    time.Time
	batch    *event.Batch // nil if the payload was refused
	outcomes []deletion.Outcome
}

// report writes the line of an invocation, and the metrics.
func (a *App) report(ctx context.Context, w *work) {
	counts := make(map[deletion.Status]int)
	replayed := 0
	for i := range w.outcomes {
		counts[w.outcomes[i].Status]++
		if w.outcomes[i].Replayed {
			replayed++
		}
	}
	var attrs []any
	requests, echoes := 0, 0
	if w.batch != nil {
		attrs = append(attrs, "source", string(w.batch.Source))
		if w.batch.SourceARN != "" {
			attrs = append(attrs, "source_arn", w.batch.SourceARN)
		}
		requests, echoes = len(w.batch.Requests), len(w.batch.Echoes)
		a.metrics.Outcomes(w.batch.Source, w.outcomes)
	}
	attrs = append(attrs, "requests", requests)
	for _, status := range []deletion.Status{
		deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated, deletion.Retry,
	} {
		attrs = append(attrs, string(status), counts[status])
	}
	cold := !a.warm.Swap(true)
	if cold {
		a.metrics.ColdStart()
	}
	attrs = append(attrs, "replayed", replayed, "echoes", echoes, "duration_ms", time.Since(w.began).Milliseconds(), "cold_start", cold)
	if w.batch != nil && w.batch.Tombstones > 0 {
		attrs = append(attrs, "tombstones", w.batch.Tombstones)
	}
	a.log.InfoContext(ctx, "invocation", attrs...)
	if err := a.metrics.Flush(); err != nil {
		a.log.WarnContext(ctx, "metrics: not written", "error", err.Error())
	}
}
