// Package sink publishes outcome events. It knows nothing of the sources of their requests.
package sink

import (
	"context"
	"io"
	"slices"
	"sync"

	"dds-backup-delete/internal/deletion"
)

// Stdout writes each event as a line of JSON. Delivery ends there: no reader confirms a line.
type Stdout struct {
	mu sync.Mutex
	w  io.Writer
}

// NewStdout returns a sink that writes to w.
func NewStdout(w io.Writer) *Stdout { return &Stdout{w: w} }

// Publish implements [deletion.Sink].
func (s *Stdout) Publish(_ context.Context, events []deletion.Event) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, len(events))
	for i, e := range events {
		_, errs[i] = s.w.Write(slices.Concat(e.JSON, []byte("\n")))
	}
	return errs
}
