package deletion

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// protect calls f and reports whether it panicked. It logs the panic, with the request unless that
// is nil. It guards the three places where a panic must cost only what it hit: one group of
// requests, one write to the ledger (a job id was just received), and one call of the sink.
func (s *Service) protect(ctx context.Context, r *Request, f func()) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			var attrs []slog.Attr
			if r != nil {
				attrs = requestAttrs(r)
			}
			attrs = append(attrs, slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
			s.Log.LogAttrs(ctx, slog.LevelError, "panic", attrs...)
		}
	}()
	f()
	return false
}
