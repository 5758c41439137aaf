package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/logline"
)

// newLogger returns a logger with the format, level and keys that Lambda's logging controls ask for, as
// [lambdacontext.NewLogger] does, which cannot be told where to write.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
func newLogger(w io.Writer) *slog.Logger {
	text, level := config.LambdaLog()
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: lambdacontext.ReplaceAttr}
	if text {
		return slog.New(logline.Bounded(requestID{slog.NewTextHandler(w, options)}))
	}
	return slog.New(logline.Bounded(requestID{slog.NewJSONHandler(w, options)}))
}

// requestID adds the id of the invocation to each line.
type requestID struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h requestID) Handle(ctx context.Context, r slog.Record) error {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("requestId", lc.AwsRequestID))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h requestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestID{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h requestID) WithGroup(name string) slog.Handler { return requestID{h.Handler.WithGroup(name)} }
