package logline

import (
	"io"
	"sync"
)

// maxKept bounds, in bytes, the memory that a [Writer] keeps between calls of Together.
const maxKept = 64 << 10

// Writer writes the lines of a log, each at once unless [Writer.Together] holds it. It is safe for use by
// many goroutines.
type Writer struct {
	mu   sync.Mutex
	w    io.Writer
	held int // calls of Together that run
	text []byte
}

// NewWriter returns a writer of lines to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write implements io.Writer.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held > 0 {
		w.text = append(w.text, line...)
		return len(line), nil
	}
	return w.w.Write(line)
}

// Together runs f and writes the lines of this time with one call, which costs less than a call for each.
// A process that is killed in this time loses them, so f must only log.
func (w *Writer) Together(f func()) {
	w.hold(1)
	defer w.hold(-1)
	f()
}

// hold counts the calls of Together that run. The last one that ends writes the lines.
func (w *Writer) hold(calls int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held += calls
	if w.held == 0 && len(w.text) > 0 {
		_, _ = w.w.Write(w.text) // there is no other place to report it
		w.text = w.text[:0]
		if cap(w.text) > maxKept {
			w.text = nil
		}
	}
}
