package main

import (
	"context"
	"io"
	"log/slog"

	"dds-backup-delete/internal/logline"
)

// newLogger returns a logger of JSON lines with the keys that the Lambda function has, too.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(logline.Bounded(requestID{slog.NewJSONHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			switch {
			case len(groups) > 0:
			case a.Key == slog.TimeKey:
				a.Key = "timestamp"
			case a.Key == slog.MessageKey:
				a.Key = "message"
			}
			return a
		},
	})}))
}

type requestIDKey struct{}

// withRequestID returns a context whose lines of log have the id of the invocation.
func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// requestID adds the id of the invocation to each line.
type requestID struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h requestID) Handle(ctx context.Context, r slog.Record) error {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		r.AddAttrs(slog.String("requestId", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h requestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestID{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h requestID) WithGroup(name string) slog.Handler { return requestID{h.Handler.WithGroup(name)} }
