// Package sinktest has what outcomes are published to, for tests.
package sinktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Entry is an entry of a PutEvents call.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
type Entry struct {
	EventBusName, Source, DetailType, Detail, TraceHeader string
	Resources                                             []string
}

// EventBridge is the PutEvents call of Amazon EventBridge in a test server. It keeps what it takes.
type EventBridge struct {
	*httptest.Server

	mu      sync.Mutex
	refuse  func(Entry) (code string)
	entries []Entry
	calls   []int
	keys    []string
}

// NewEventBridge starts the server. It fails each entry for which refuse, if not nil,
// returns an error code, inside an answer that is a success all the same.
func NewEventBridge(refuse func(Entry) (code string)) *EventBridge {
	s := &EventBridge{refuse: refuse}
	s.Server = httptest.NewServer(s)
	return s
}

// Entries returns all entries taken so far.
func (s *EventBridge) Entries() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Entry(nil), s.entries...)
}

// Calls returns how many entries each call so far had, taken or not.
func (s *EventBridge) Calls() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.calls...)
}

// Keys returns the id of the access key that each call so far was signed with.
func (s *EventBridge) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.keys...)
}

// ServeHTTP implements [http.Handler].
func (s *EventBridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Entries []Entry }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in)
	if target := r.Header.Get("X-Amz-Target"); err != nil || target != "AWSEvents.PutEvents" || len(in.Entries) == 0 || len(in.Entries) > 10 {
		http.Error(w, fmt.Sprintf(`{"__type":"ValidationException","message":"%s, %d entries, %v"}`, target, len(in.Entries), err), http.StatusBadRequest)
		return
	}
	type result struct {
		EventID      string `json:"EventId,omitempty"`
		ErrorCode    string `json:",omitempty"`
		ErrorMessage string `json:",omitempty"`
	}
	var out struct {
		FailedEntryCount int
		Entries          []result
	}
	s.mu.Lock()
	s.calls = append(s.calls, len(in.Entries))
	_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ = strings.Cut(key, "/")
	s.keys = append(s.keys, key)
	for _, entry := range in.Entries {
		code := ""
		if s.refuse != nil {
			code = s.refuse(entry)
		}
		if code != "" {
			out.FailedEntryCount++
			out.Entries = append(out.Entries, result{ErrorCode: code, ErrorMessage: "refused by the test"})
			continue
		}
		s.entries = append(s.entries, entry)
		out.Entries = append(out.Entries, result{EventID: fmt.Sprintf("event-%d", len(s.entries))})
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	text, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(text) // the client may be gone
}
