package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"dds-backup-delete/internal/transport"
)

// network is a server behind pipes, for a test in a synctest bubble. Its connections can fall silent,
// like those that a network dropped while the function was frozen.
type network struct {
	accept chan net.Conn
	closed chan struct{}

	mu     sync.Mutex
	lines  []*line
	silent int // how many of the next connections are silent from the start
}

// line is the server's end of a connection.
type line struct {
	net.Conn

	dead atomic.Bool
}

func (l *line) Read(p []byte) (int, error) {
	for {
		n, err := l.Conn.Read(p)
		if err != nil || !l.dead.Load() {
			return n, err
		}
	}
}

func (l *line) Write(p []byte) (int, error) {
	if l.dead.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}

// serve starts a server whose network ends with the test.
func serve(t *testing.T, handler http.HandlerFunc) *network {
	t.Helper()
	n := &network{accept: make(chan net.Conn), closed: make(chan struct{})}
	var running sync.WaitGroup
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		_, _ = io.Copy(io.Discard, r.Body) // as a service does, before it answers
		handler(w, r)
	})}
	running.Go(func() { _ = server.Serve(n) })
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
	return n
}

// Accept implements [net.Listener].
func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.accept:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (n *network) Close() error {
	close(n.closed)
	return nil
}

// Addr implements [net.Listener].
func (n *network) Addr() net.Addr { return new(net.TCPAddr) }

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	l := &line{Conn: server}
	n.mu.Lock()
	l.dead.Store(n.silent > 0)
	n.silent--
	n.lines = append(n.lines, l)
	n.mu.Unlock()
	select {
	case n.accept <- l:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-n.closed:
		return nil, errors.New("closed")
	}
}

// silence makes all present connections silent, or the next one that is opened.
func (n *network) silence(kept bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !kept {
		n.silent = 1
		return
	}
	for _, l := range n.lines {
		l.dead.Store(true)
	}
}

func (n *network) dials() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.lines)
}

// connect returns a transport over the network.
func (n *network) connect(t *testing.T, o transport.Options) *transport.Transport {
	t.Helper()
	pool := transport.New(o)
	pool.DialContext, pool.Proxy = n.dial, nil
	t.Cleanup(pool.CloseIdleConnections)
	return pool
}
