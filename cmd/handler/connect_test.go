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
	"dds-backup-delete/internal/ledger/dynamodbtest"
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

// startFront starts a front of a handler.
func startFront(t *testing.T, behind http.Handler) *handshakes {
	t.Helper()
	h := &handshakes{resumed: make(map[string]bool)}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.methods = append(h.methods, r.Method)
		h.resumed[r.RemoteAddr] = r.TLS.DidResume
		h.mu.Unlock()
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// authority writes the certificate that all fronts have into a file.
func (h *handshakes) authority(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The connection that one request needs is there when it comes, and those that a batch adds are made
// with a short handshake.
func TestConnectsAtStart(t *testing.T) {
	behind := start(t, nil) // its DDS and its bus are used
	dds, bus := startFront(t, proxyTo(t, behind.dds.URL())), startFront(t, proxyTo(t, behind.bus.URL))
	w := start(t, nil, "DDS_ENDPOINT="+dds.URL, "AWS_ENDPOINT_URL_EVENTBRIDGE="+bus.URL, "SSL_CERT_FILE="+dds.authority(t))
	for method, front := range map[string]*handshakes{http.MethodGet: dds, http.MethodHead: bus} {
		if all, full := front.counts(); all != 1 || full != 1 || front.methods[0] != method {
			t.Errorf("%d connections at start, %d full handshakes, requests %v, want one %s", all, full, front.methods, method)
		}
	}

	w.invoke(t, []byte(`{"backup_id":"`+sample(0)+`"}`))
	for name, front := range map[string]*handshakes{"DDS": dds, "the bus": bus} {
		if all, _ := front.counts(); all != 1 {
			t.Errorf("%s: %d connections for one request", name, all)
		}
	}

	behind.dds.Inject(ddstest.Slow(50 * time.Millisecond).Repeat(-1)) // nobody waits for the connection of another
	w.invoke(t, batchOf(1, 7))
	if all, full := dds.counts(); all < 2 || full != 1 {
		t.Errorf("%d connections for a batch, %d of them with a full handshake", all, full)
	}
}

// batchOf returns a batch of a queue that asks for the sample backups from one to before another.
func batchOf(from, before int) []byte {
	var records []string
	for i := from; i < before; i++ {
		records = append(records, record("m"+sample(i), sample(i)))
	}
	return []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

// tens holds requests, except for POST, until ten of them are there.
type tens struct {
	http.Handler

	mu   sync.Mutex
	held []chan struct{}
}

func (g *tens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		select {
		case <-g.hold():
		case <-r.Context().Done():
			return
		}
	}
	g.Handler.ServeHTTP(w, r)
}

// hold returns a channel that is closed as soon as ten are held.
func (g *tens) hold() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	released := make(chan struct{})
	g.held = append(g.held, released)
	if len(g.held) == 10 {
		for _, one := range g.held {
			close(one)
		}
		g.held = nil
	}
	return released
}

// The connections of a whole batch are opened at start, and one of them proves the key, even if it lacks
// the permission to list: the first batch makes no handshake, and none of its deletions goes alone.
func TestConnectsForABatch(t *testing.T) {
	for _, options := range []ddstest.Options{{}, {MayNotList: true}} {
		behind := startWith(t, options, nil)
		dds, table := startFront(t, &tens{Handler: proxyTo(t, behind.dds.URL())}), startFront(t, &tens{Handler: new(dynamodbtest.Tables)})
		bus := startFront(t, proxyTo(t, behind.bus.URL))
		w := start(t, nil, "CONNECTIONS_AT_START=10", "DDS_ENDPOINT="+dds.URL, "AWS_ENDPOINT_URL_EVENTBRIDGE="+bus.URL,
			"LEDGER=dynamodb://ledger", "AWS_ENDPOINT_URL_DYNAMODB="+table.URL, "SSL_CERT_FILE="+dds.authority(t),
			"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret")
		check := func(when string) {
			t.Helper()
			for front, want := range map[*handshakes]int{dds: 10, table: 10, bus: 1} {
				if all, _ := front.counts(); all != want {
					t.Errorf("%s: %d connections, want %d; requests %v", when, all, want, front.methods)
				}
			}
		}
		check("at start")
		if reply := w.invoke(t, batchOf(0, 10)).Payload; string(reply) != `{"batchItemFailures":[]}` {
			t.Errorf("reply %s", reply)
		}
		check("after the first batch")
	}
}

// A key that is refused at start is not tried again by the first batch.
func TestAKeyRefusedAtStart(t *testing.T) {
	w := start(t, nil, "HUAWEICLOUD_SDK_SK=the-wrong-secret-key")
	if reply := w.invoke(t, batchOf(0, 10)).Payload; strings.Count(string(reply), "itemIdentifier") != 10 {
		t.Errorf("reply %s", reply)
	}
	if calls := w.dds.Calls(); len(calls) != 1 || calls[0].Method != http.MethodGet || calls[0].Status != http.StatusUnauthorized {
		t.Errorf("calls %+v", calls)
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
