package deletion

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// requestAttrs returns the log attributes of every line about a request, followed by more.
func requestAttrs(r *Request, more ...slog.Attr) []slog.Attr {
	attrs := append(make([]slog.Attr, 0, 20),
		slog.String("request_id", r.ID), slog.String("source", string(r.Source)),
		slog.String("project_id", r.ProjectID), slog.String("backup_id", r.BackupID))
	if r.MessageID != "" && r.MessageID != r.ID {
		attrs = append(attrs, slog.String("message_id", r.MessageID))
	}
	attrs = appendText(attrs, "traceparent", r.TraceParent)
	if r.By != nil {
		attrs = append(attrs, slog.String("authtype", r.By.Type), slog.String("authid", r.By.ID))
		if r.By.Claimed {
			attrs = append(attrs, slog.Bool("authclaimed", true))
		}
	}
	attrs = appendText(attrs, "trace_header", r.TraceHeader)
	return append(attrs, more...)
}

// logRequest writes a line about a request.
func logRequest(ctx context.Context, log *slog.Logger, level slog.Level, message string, r *Request, more ...slog.Attr) {
	log.LogAttrs(ctx, level, message, requestAttrs(r, more...)...)
}

// appendText appends an attribute, unless its value is empty.
func appendText(attrs []slog.Attr, key, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(key, value))
}

// logJob logs a job id before anything else is done, because DDS returns it only once. It ignores
// the log level.
func logJob(ctx context.Context, log *slog.Logger, r *Request, jobID string) {
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "job started", 0)
	line.AddAttrs(requestAttrs(r, slog.String("job_id", jobID))...)
	_ = log.Handler().Handle(ctx, line) // there is no other place to report it
}

// logOutcome logs an outcome: at error level if it could not be delivered, or if there is a bug.
func logOutcome(ctx context.Context, log *slog.Logger, o *Outcome) {
	attrs := requestAttrs(&o.Request, slog.String("status", string(o.Status)))
	if len(o.Request.Metadata) > 0 {
		attrs = append(attrs, slog.Any("metadata", o.Request.Metadata)) // as JSON
	}
	attrs = appendText(attrs, "job_id", o.JobID)
	attrs = appendText(attrs, "event_id", o.Event.ID)
	if o.Parked {
		attrs = append(attrs, slog.Bool("parked", true))
	}
	if o.Replayed {
		attrs = append(attrs, slog.Bool("replayed", true))
	}
	if o.Duration > 0 {
		attrs = append(attrs, slog.Int64("dds_ms", o.Duration.Milliseconds()))
	}
	level := slog.LevelInfo
	if o.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("class", string(o.Err.Class)), slog.String("code", o.Err.Code), slog.String("error", o.Err.Message),
			slog.Int("http_status", o.Err.HTTPStatus), slog.String("dds_request_id", o.Err.DDSRequestID))
		attrs = appendText(attrs, "cause", o.Err.Cause)
		if o.Status == Retry {
			attrs = append(attrs, slog.Int64("retry_after", int64(o.Err.RetryAfter.Seconds())))
		}
		if o.Err.Class == ClassInternal || o.Err.Class == ClassUndelivered {
			level = slog.LevelError
		}
	}
	log.LogAttrs(ctx, level, "outcome", attrs...)
}

// protect calls f and reports whether it panicked. It logs the panic, with the request unless that
// is nil. It guards three places, so that a panic fails only one group of requests, one
// write to the ledger (a job id was just received), or one call of the sink.
func protect(ctx context.Context, log *slog.Logger, r *Request, f func()) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			var attrs []slog.Attr
			if r != nil {
				attrs = requestAttrs(r)
			}
			attrs = append(attrs, slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
			log.LogAttrs(ctx, slog.LevelError, "panic", attrs...)
		}
	}()
	f()
	return false
}
