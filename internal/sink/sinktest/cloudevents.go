package sinktest

import (
	"io"
	"net/http"
	"net/http/httptest"
)

// CloudEvents is an address that takes CloudEvents over HTTP in the structured mode, one per call. It keeps their
// JSON.
type CloudEvents struct {
	*httptest.Server
	received[string]

	refuse func(event string) (status int)
}

// NewCloudEvents starts the server. It fails each event for which refuse returns a status; 0 takes the
// event, and nil refuses none.
func NewCloudEvents(refuse func(event string) (status int)) *CloudEvents {
	if refuse == nil {
		refuse = func(string) int { return 0 }
	}
	s := &CloudEvents{refuse: refuse}
	s.Server = httptest.NewServer(s)
	return s
}

// ServeHTTP implements [http.Handler].
func (s *CloudEvents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	status := s.refuse(string(event))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, 1)
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	s.taken = append(s.taken, string(event))
}
