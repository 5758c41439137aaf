// Package sinktest has test servers of the services that outcomes are published to. They keep what
// they take.
package sinktest

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
)

// received keeps what a server was sent. A server embeds it and writes it under its lock.
type received[entry any] struct {
	mu    sync.Mutex
	taken []entry
	calls []int
}

// Taken returns everything that was taken so far.
func (r *received[entry]) Taken() []entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

// Calls returns how many entries each call so far had, taken or not.
func (r *received[entry]) Calls() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// answerJSON answers a call with a value as JSON of that content type.
func answerJSON(w http.ResponseWriter, contentType string, value any) {
	w.Header().Set("Content-Type", contentType)
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(text) // the client may be gone
}
