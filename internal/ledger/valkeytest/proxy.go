package valkeytest

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy stands between a ledger and its server. It ends with its test.
type Proxy struct {
	// Address is the host and port where it listens.
	Address string
	// Server is the address that new connections lead to.
	Server atomic.Pointer[string]
	// Lose loses the next answer, and the connection with it.
	Lose atomic.Bool
	// Silent lets the connections that are open now carry no more answers.
	Silent atomic.Bool
	// Opened counts connections.
	Opened atomic.Int64
	// OnCommand, if set, sees what a client sent before the server does, and may hold it back. With false the
	// server never gets it, and the connection is closed.
	OnCommand atomic.Pointer[func(sent []byte) (pass bool)]
}

// NewProxy starts a proxy for the server with an address.
func NewProxy(t *testing.T, server string) *Proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &Proxy{Address: listener.Addr().String()}
	p.Server.Store(&server)
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			p.Opened.Add(1)
			p.Silent.Store(false) // a new connection is a good one
			out, err := new(net.Dialer).DialContext(t.Context(), "tcp", *p.Server.Load())
			if err != nil {
				_ = in.Close()
				continue
			}
			go p.ask(in, out)
			go p.answer(in, out, p.Opened.Load())
		}
	}()
	return p
}

// ask carries what a client sends.
func (p *Proxy) ask(in io.Reader, out io.WriteCloser) {
	defer func() { _ = out.Close() }() // which ends answer, too
	buffer := make([]byte, 1<<20)
	for {
		n, err := in.Read(buffer)
		if err != nil {
			return
		}
		if seen := p.OnCommand.Load(); seen != nil && !(*seen)(buffer[:n]) {
			return
		}
		if _, err := out.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// answer carries what the server says on the connection with a number.
func (p *Proxy) answer(in io.WriteCloser, out io.ReadCloser, number int64) {
	defer func() { _ = in.Close() }()
	buffer := make([]byte, 1<<20)
	for {
		n, err := out.Read(buffer)
		if err != nil || p.Lose.CompareAndSwap(true, false) {
			_ = out.Close()
			return
		}
		if p.Silent.Load() && number == p.Opened.Load() {
			for p.Opened.Load() == number {
				time.Sleep(time.Millisecond)
			}
			return
		}
		if _, err := in.Write(buffer[:n]); err != nil {
			return
		}
	}
}
