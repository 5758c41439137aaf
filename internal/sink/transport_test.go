package sink

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"dds-backup-delete/internal/deletion"
)

// dying passes connections on, until it is told to swallow all that comes on those it has: as a
// network does that forgot them while the function was frozen.
type dying struct {
	net.Listener

	to   string
	mu   sync.Mutex
	dead []*atomic.Bool
}

func (d *dying) serve(ctx context.Context) {
	for {
		client, err := d.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(ctx, "tcp", d.to)
		if err != nil {
			return
		}
		dead := new(atomic.Bool)
		d.mu.Lock()
		d.dead = append(d.dead, dead)
		d.mu.Unlock()
		go pass(server, client, dead)
		go pass(client, server, dead)
	}
}

func pass(to io.WriteCloser, from io.Reader, dead *atomic.Bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			_ = to.Close()
			return
		}
		if !dead.Load() {
			_, _ = to.Write(buffer[:n]) // the other end may be gone
		}
	}
}

// A connection that died unseen costs no event: the next try takes a new one, of HTTP/2 as well.
func TestADeadConnection(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("protocol %s", r.Proto)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	network := &dying{Listener: listener, to: server.Listener.Addr().String()}
	defer func() { _ = network.Close() }()
	go network.serve(t.Context())

	transport, ok := newTransport().(*http.Transport)
	if !ok {
		t.Fatal("another transport")
	}
	trusting, ok := server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("another client")
	}
	transport.TLSClientConfig = trusting.TLSClientConfig.Clone()
	transport.TLSClientConfig.NextProtos = nil
	transport.TLSClientConfig.ServerName = "example.com"
	s := NewHTTP(HTTPOptions{Address: "https://" + network.Addr().String()}, transport)
	event := []deletion.Event{{ID: "e", JSON: []byte("{}")}}
	if err := s.Publish(t.Context(), event)[0]; err != nil {
		t.Fatal(err)
	}
	network.mu.Lock()
	for _, connection := range network.dead {
		connection.Store(true)
	}
	network.mu.Unlock()
	if err := s.Publish(t.Context(), event)[0]; err != nil {
		t.Errorf("after the connection died: %v", err)
	}
}
