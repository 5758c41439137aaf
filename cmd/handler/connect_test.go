package main_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
)

// handshakes is a TLS front of a server, and counts its connections.
type handshakes struct {
	*httptest.Server

	mu      sync.Mutex
	methods []string        // of all requests, in order
	resumed map[string]bool // by connection: its handshake was a short one
}

func (h *handshakes) counts() (connections, full int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, resumed := range h.resumed {
		if !resumed {
			full++
		}
	}
	return len(h.resumed), full
}

// startFront starts a front of the server at an address.
func startFront(t *testing.T, address string) *handshakes {
	t.Helper()
	proxy := proxyTo(t, address)
	h := &handshakes{resumed: make(map[string]bool)}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.methods = append(h.methods, r.Method)
		h.resumed[r.RemoteAddr] = r.TLS.DidResume
		h.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// The connections that the first invocation needs are there when it comes, and those that a
// batch adds are made the short way.
func TestConnectsAtStart(t *testing.T) {
	behind := start(t, nil) // its DDS and its bus are used
	dds, bus := startFront(t, behind.dds.URL()), startFront(t, behind.bus.URL)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: dds.Certificate().Raw}) // and the bus's own
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, nil, "DDS_ENDPOINT="+dds.URL, "AWS_ENDPOINT_URL_EVENTBRIDGE="+bus.URL, "SSL_CERT_FILE="+authority)
	for name, front := range map[string]*handshakes{"DDS": dds, "the bus": bus} {
		if all, full := front.counts(); all != 1 || full != 1 || front.methods[0] != http.MethodHead {
			t.Errorf("%s: %d connections at start, %d full handshakes, requests %v", name, all, full, front.methods)
		}
	}

	w.invoke(t, []byte(`{"backup_id":"`+sample(0)+`"}`))
	for name, front := range map[string]*handshakes{"DDS": dds, "the bus": bus} {
		if all, _ := front.counts(); all != 1 {
			t.Errorf("%s: %d connections for one request", name, all)
		}
	}

	behind.dds.Inject(ddstest.Slow(50 * time.Millisecond).Repeat(-1)) // nobody waits for the connection of another
	var records []string
	for i := 1; i < 7; i++ {
		records = append(records, record("m"+sample(i), sample(i)))
	}
	w.invoke(t, []byte(`{"Records":[`+strings.Join(records, ",")+`]}`))
	if all, full := dds.counts(); all < 2 || full != 1 {
		t.Errorf("%d connections for a batch, %d of them with a full handshake", all, full)
	}
}

// What cannot be reached is no reason not to start.
func TestConnectsToNobody(t *testing.T) {
	w := start(t, nil, "DDS_ENDPOINT=https://127.0.0.1:1", "AWS_ENDPOINT_URL_EVENTBRIDGE=https://127.0.0.1:1")
	if result := w.invoke(t, []byte(`{"Records":[]}`)); result.Err != nil {
		t.Errorf("error %+v", result.Err)
	}
}

// With provisioned concurrency the first event may be hours away, and its connections dead.
func TestConnectsOnDemandOnly(t *testing.T) {
	w := start(t, nil, "AWS_LAMBDA_INITIALIZATION_TYPE=provisioned-concurrency")
	if calls := w.dds.Calls(); len(calls) > 0 {
		t.Errorf("calls %+v", calls)
	}
}
