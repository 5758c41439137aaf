package upstream

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// The round trips before a connection carries its first request: TCP's handshake, and that of
// TLS 1.3, resumed or not, which all the peers use.
const (
	tripsTCP = 1
	tripsTLS = 1
)

// farListener accepts connections that take their round trips to open. The kernel completes
// TCP's handshake on its own, so the server waits for both when it has the client's first bytes.
type farListener struct {
	net.Listener
	latency *atomic.Int64
	trips   int64
}

// Accept implements [net.Listener].
func (l *farListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &farConn{Conn: c, open: func() { time.Sleep(time.Duration(l.trips * l.latency.Load())) }}, nil
}

// farConn calls open before the server sees the first bytes.
type farConn struct {
	net.Conn
	once sync.Once
	open func()
}

// Read implements [net.Conn].
func (c *farConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.once.Do(c.open)
	return n, err
}
