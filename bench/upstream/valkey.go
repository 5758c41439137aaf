package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Valkey is a real Valkey or Redis server, with its append-only file on and synced once a second. In front of it is what
// makes it as far away as the other services, and speaks TLS.
type Valkey struct {
	// Address is the host and port of its front, for rediss://.
	Address string

	process *exec.Cmd
	front   net.Listener
}

// NewValkey starts the server that the variable VALKEY_SERVER names (tools/with-valkey sets it), with its files in the
// folder dir. It is as far away as s, and has the certificate of s.
func (s *Server) NewValkey(ctx context.Context, dir string) (_ *Valkey, err error) {
	binary := os.Getenv("VALKEY_SERVER")
	if binary == "" {
		return nil, errors.New("upstream: VALKEY_SERVER is not set; run this by tools/with-valkey")
	}
	socket := filepath.Join(dir, "valkey.sock")
	//nolint:gosec // the user of the benchmarks names it
	process := exec.CommandContext(context.WithoutCancel(ctx), binary, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "yes")
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	v := &Valkey{process: process}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := dialSocket(ctx, socket)
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(deadline) {
			v.Close()
			return nil, fmt.Errorf("upstream: %s does not listen: %w", binary, err)
		}
	}
	if v.front, err = new(net.ListenConfig).Listen(ctx, "tcp", valkeyAddress+":0"); err != nil {
		v.Close()
		return nil, fmt.Errorf("upstream: %w", err)
	}
	v.Address = v.front.Addr().String()
	go v.serve(context.WithoutCancel(ctx), socket, s)
	return v, nil
}

func dialSocket(ctx context.Context, socket string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", socket)
}

// serve passes on what connections bring, until the front is closed.
func (v *Valkey) serve(ctx context.Context, socket string, s *Server) {
	for {
		c, err := v.front.Accept()
		if err != nil {
			return
		}
		server, err := dialSocket(ctx, socket)
		if err != nil {
			_ = c.Close()
			continue
		}
		client := tls.Server(newDistantConn(c, &s.latency), s.tls)
		pass := func(to, from net.Conn) {
			_, _ = io.Copy(to, from) // the function or the server is gone
			_, _ = to.Close(), from.Close()
		}
		go pass(server, client)
		go pass(client, server)
	}
}

// Close ends the server.
func (v *Valkey) Close() {
	if v.front != nil {
		_ = v.front.Close()
	}
	_ = v.process.Process.Kill() // it may have ended by itself
	_ = v.process.Wait()         // which reports the signal
}

// distantConn is a connection whose bytes come later by a round trip. Those that were sent together come together, so
// that commands which do not wait for each other share their round trip. TLS on top of it takes its own.
type distantConn struct {
	net.Conn
	chunks chan chunk
	rest   []byte
}

// chunk is what was received at once, and when it is due.
type chunk struct {
	bytes []byte
	due   time.Time
}

func newDistantConn(c net.Conn, latency *atomic.Int64) *distantConn {
	d := &distantConn{Conn: c, chunks: make(chan chunk, 1<<10)}
	go d.receive(latency)
	return d
}

// receive takes what comes until the connection ends. TCP's handshake, which the kernel completes on its own, is added
// to the first bytes.
func (d *distantConn) receive(latency *atomic.Int64) {
	defer close(d.chunks)
	for trips := int64(tripsTCP + 1); ; trips = 1 {
		p := make([]byte, 16<<10)
		n, err := d.Conn.Read(p)
		if n > 0 {
			d.chunks <- chunk{p[:n], time.Now().Add(time.Duration(trips * latency.Load()))}
		}
		if err != nil {
			return
		}
	}
}

// Read implements [net.Conn].
func (d *distantConn) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		c, ok := <-d.chunks
		if !ok {
			return 0, io.EOF
		}
		time.Sleep(time.Until(c.due))
		d.rest = c.bytes
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}
