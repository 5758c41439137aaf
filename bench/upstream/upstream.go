// Package upstream is what the function talks to, as cheap as can be: DDS, EventBridge and
// DynamoDB on one loopback address, as far away as the settable latency says. A request takes
// one round trip, and so does each step of opening a connection. It answers correctly and
// checks little, so that a run measures the functions and not this.
package upstream

import (
	"crypto/tls"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dds-backup-delete/internal/ledger/dynamodbtest"
)

// Server is a running upstream.
type Server struct {
	http    *httptest.Server
	latency atomic.Int64
	tables  dynamodbtest.Tables
	calls   [Services]atomic.Int64
}

// Service is one of the services of a [Server].
type Service int

// The services.
const (
	DDS Service = iota
	EventBridge
	DynamoDB
	// Services is how many there are.
	Services
)

// New starts a server with plain HTTP.
func New() *Server {
	s := &Server{}
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.http.Listener = &farListener{s.http.Listener, &s.latency, tripsTCP}
	s.http.Start()
	return s
}

// NewTLS starts a server with HTTPS, HTTP/1.1 for everyone. The certificate of its authority
// is written to ca.pem in dir, among those of the system: to read them all is a part of a start.
func NewTLS(dir string) (s *Server, ca string, err error) {
	ca = filepath.Join(dir, "ca.pem")
	certificate, err := newCertificate(ca)
	if err != nil {
		return nil, "", fmt.Errorf("upstream: certificate: %w", err)
	}
	s = &Server{}
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.http.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.http.Config.ErrorLog = quiet()
	s.http.Listener = &farListener{s.http.Listener, &s.latency, tripsTCP + tripsTLS}
	s.http.StartTLS()
	return s, ca, nil
}

// URL is the address of all the services. It is a number, so that no resolver is measured.
func (s *Server) URL() string { return s.http.URL }

// SetLatency sets what is added to the time of every round trip.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// Calls returns how many calls a service got so far.
func (s *Server) Calls(of Service) int64 { return s.calls[of].Load() }

// Close stops the server.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	if d := time.Duration(s.latency.Load()); d > 0 {
		time.Sleep(d)
	}
	status, answer := http.StatusBadRequest, []byte(`{"__type":"UnknownOperationException"}`)
	target := r.Header.Get("X-Amz-Target")
	switch {
	case target == "AWSEvents.PutEvents":
		s.calls[EventBridge].Add(1)
		status, answer = putEvents(body)
	case strings.HasPrefix(target, dynamodbtest.TargetPrefix):
		s.calls[DynamoDB].Add(1)
		status, answer = s.tables.Answer(strings.TrimPrefix(target, dynamodbtest.TargetPrefix), body)
	case strings.HasPrefix(r.URL.Path, "/v3/"):
		s.calls[DDS].Add(1)
		status, answer = dds(r)
	}
	h := w.Header()
	if strings.HasPrefix(target, dynamodbtest.TargetPrefix) { // without it, the newest SDK writes a warning for each answer
		h["X-Amz-Crc32"] = []string{strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10)}
	}
	if target != "" {
		h["Content-Type"] = []string{"application/x-amz-json-1.1"}
	} else {
		h["Content-Type"] = []string{"application/json"}
	}
	w.WriteHeader(status)
	_, _ = w.Write(answer) // the client may be gone
}
