package sinktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// Entry is an entry of a PutEvents call.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
type Entry struct {
	EventBusName, Source, DetailType, Detail, TraceHeader string
	Resources                                             []string
}

// EventBridge is the PutEvents call of Amazon EventBridge in a test server.
type EventBridge struct {
	*httptest.Server
	received[Entry]

	refuse func(Entry) (code string)
	keys   []string
}

// NewEventBridge starts the server. It fails each entry for which refuse returns an error code, in an
// answer that otherwise succeeds; nil refuses none.
func NewEventBridge(refuse func(Entry) (code string)) *EventBridge {
	if refuse == nil {
		refuse = func(Entry) string { return "" }
	}
	s := &EventBridge{refuse: refuse}
	s.Server = httptest.NewServer(s)
	return s
}

// Keys returns the id of the access key that each call so far was signed with.
func (s *EventBridge) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

// ServeHTTP implements [http.Handler].
func (s *EventBridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Entries []Entry }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in)
	target := r.Header.Get("X-Amz-Target")
	if err != nil || target != "AWSEvents.PutEvents" || len(in.Entries) == 0 || len(in.Entries) > 10 {
		http.Error(w, fmt.Sprintf(`{"__type":"ValidationException","message":"%s, %d entries, %v"}`, target, len(in.Entries), err), http.StatusBadRequest)
		return
	}
	type entryResult struct {
		EventID      string `json:"EventId,omitempty"`
		ErrorCode    string `json:",omitempty"`
		ErrorMessage string `json:",omitempty"`
	}
	var out struct {
		FailedEntryCount int
		Entries          []entryResult
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, len(in.Entries))
	_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ = strings.Cut(key, "/")
	s.keys = append(s.keys, key)
	for _, entry := range in.Entries {
		code := s.refuse(entry)
		if code != "" {
			out.FailedEntryCount++
			out.Entries = append(out.Entries, entryResult{ErrorCode: code, ErrorMessage: "refused by the test"})
			continue
		}
		s.taken = append(s.taken, entry)
		out.Entries = append(out.Entries, entryResult{EventID: fmt.Sprintf("event-%d", len(s.taken))})
	}
	answerJSON(w, "application/x-amz-json-1.1", out)
}
