// Package upstream is what the function talks to, as cheap as can be: DDS, EventBridge,
// DynamoDB and a receiver of CloudEvents on loopback addresses, as far away as the settable latency says. A request takes
// one round trip, and so does each step of opening a connection. It answers correctly and
// checks little, so that a run measures the functions and not this.
package upstream

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
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
	http    [Services]*httptest.Server
	latency atomic.Int64
	tables  dynamodbtest.Tables
	tls     *tls.Config // nil for plain HTTP

	deleted, received atomic.Int64
}

// Service is one of the services of a [Server].
type Service int

// The services.
const (
	DDS Service = iota
	EventBridge
	DynamoDB
	Receiver // of CloudEvents over HTTP
	// Services is how many there are.
	Services
)

// New starts a server with plain HTTP.
func New(ctx context.Context) (*Server, error) { return start(ctx, nil) }

// NewTLS starts a server with HTTPS, HTTP/1.1 for everyone. The certificate of its authority
// is written to ca.pem in dir, among those of the system: to read them all is a part of a start.
func NewTLS(ctx context.Context, dir string) (s *Server, ca string, err error) {
	ca = filepath.Join(dir, "ca.pem")
	certificate, err := newCertificate(ca)
	if err != nil {
		return nil, "", fmt.Errorf("upstream: certificate: %w", err)
	}
	s, err = start(ctx, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	return s, ca, err
}

// start listens on an address of its own for each service, as there is one in the world: no
// client can use a connection, or the session of one, for two of them.
func start(ctx context.Context, config *tls.Config) (*Server, error) {
	s := &Server{tls: config}
	for i := range s.http {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addresses[i]+":0")
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("upstream: %w", err)
		}
		far := &farListener{l, &s.latency, tripsTCP}
		h := &httptest.Server{Listener: far, Config: &http.Server{Handler: http.HandlerFunc(s.serve), ErrorLog: quiet()}} //nolint:gosec // nobody else calls it
		s.http[i] = h
		if config == nil {
			h.Start()
			continue
		}
		far.trips += tripsTLS
		h.TLS = config.Clone()
		h.StartTLS()
	}
	return s, nil
}

// addresses of the services. They are numbers, so that no resolver is measured.
var addresses = [Services]string{DDS: "127.0.0.1", EventBridge: "127.0.0.2", DynamoDB: "127.0.0.3", Receiver: "127.0.0.4"}

// valkeyAddress is that of [Valkey], which the certificate is for, too.
const valkeyAddress = "127.0.0.5"

// ReceiverPath is where the [Receiver] takes events.
const ReceiverPath = "/outcomes"

// URL is the address of a service.
func (s *Server) URL(of Service) string { return s.http[of].URL }

// SetLatency sets what is added to the time of every round trip.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// Deleted is how many backups were deleted so far, and Received how many CloudEvents came in over HTTP.
func (s *Server) Deleted() int64 { return s.deleted.Load() }

// Received is described at [Server.Deleted].
func (s *Server) Received() int64 { return s.received.Load() }

// Close stops the server.
func (s *Server) Close() {
	for _, h := range s.http {
		if h != nil {
			h.CloseClientConnections()
			h.Close()
		}
	}
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
		status, answer = putEvents(body)
	case strings.HasPrefix(target, dynamodbtest.TargetPrefix):
		status, answer = s.tables.Answer(strings.TrimPrefix(target, dynamodbtest.TargetPrefix), body)
	case strings.HasPrefix(r.URL.Path, "/v3/"):
		if status, answer = dds(r); r.Method == http.MethodDelete && status == http.StatusOK {
			s.deleted.Add(1)
		}
	case r.URL.Path == ReceiverPath && r.Method == http.MethodPost && json.Valid(body):
		status, answer = http.StatusAccepted, nil
		s.received.Add(1)
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
	_, _ = w.Write(answer) //nolint:gosec // JSON for programs; the client may be gone
}
