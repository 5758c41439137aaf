package transport_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/transport"
)

// get makes one call and reads its answer.
func get(ctx context.Context, t *testing.T, pool *transport.Transport, method, address string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := pool.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

func asError(t *testing.T, err error) *transport.Error {
	t.Helper()
	var e *transport.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T)", err, err)
	}
	return e
}

// How long a call waits if there is no answer.
func TestTimeForAnAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		kept          bool
		deadline, try time.Duration
		want          time.Duration
	}{
		"new":                                    {deadline: 50 * time.Second, want: 50 * time.Second},
		"new, no deadline":                       {want: time.Minute},
		"new, a try":                             {deadline: 50 * time.Second, try: 5 * time.Second, want: 5 * time.Second},
		"kept":                                   {kept: true, deadline: 50 * time.Second, want: 25 * time.Second},
		"kept, half of it is too little":         {kept: true, deadline: 16 * time.Second, want: 10 * time.Second},
		"kept, all of it is too little":          {kept: true, deadline: 7 * time.Second, want: 7 * time.Second},
		"kept, no deadline":                      {kept: true, want: 30 * time.Second},
		"kept, a try":                            {kept: true, deadline: 50 * time.Second, try: time.Second, want: time.Second},
		"kept, a try that is longer than others": {kept: true, try: 40 * time.Second, want: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := serve(t, func(http.ResponseWriter, *http.Request) {})
				pool := n.connect(t, transport.Options{Connections: 2, Try: tc.try})
				if tc.kept {
					if _, err := get(t.Context(), t, pool, http.MethodDelete, "http://cloud/"); err != nil {
						t.Fatal(err)
					}
				}
				n.silence(tc.kept)
				ctx, cancel := context.WithCancel(t.Context())
				if tc.deadline > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), tc.deadline)
				}
				defer cancel()
				began := time.Now()
				_, err := get(ctx, t, pool, http.MethodDelete, "http://cloud/")
				e := asError(t, err)
				if took := time.Since(began); took != tc.want || !e.Timeout() || !e.MaybeSent || e.Kept != tc.kept {
					t.Errorf("error %+v after %v, want %v", e, took, tc.want)
				}
			})
		})
	}
}

// A slow answer on a new connection arrives, and so does a slow body.
func TestASlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(30 * time.Second)
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(30 * time.Second)
			_, _ = io.WriteString(w, "done")
		})
		pool := n.connect(t, transport.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 65*time.Second)
		defer cancel()
		if got, err := get(ctx, t, pool, http.MethodGet, "http://cloud/"); got != "done" || err != nil {
			t.Errorf("answer %q, error %v", got, err)
		}
		// A try ends at its limit, even in the middle of an answer.
		pool = n.connect(t, transport.Options{Try: 40 * time.Second})
		began := time.Now()
		_, err := get(t.Context(), t, pool, http.MethodGet, "http://cloud/")
		if e := asError(t, err); !e.Timeout() || !e.MaybeSent || time.Since(began) != 40*time.Second {
			t.Errorf("error %+v after %v", e, time.Since(began))
		}
	})
}

// Two connections were kept, and both are dead: the second try does not use the other one.
func TestIdleConnectionsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) })
		pool := n.connect(t, transport.Options{Connections: 2, Try: 5 * time.Second})
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := get(t.Context(), t, pool, http.MethodGet, "http://cloud/")
				done <- err
			}()
		}
		if err := errors.Join(<-done, <-done); err != nil || n.dials() != 2 {
			t.Fatalf("%d connections, error %v", n.dials(), err)
		}
		n.silence(true)
		if _, err := get(t.Context(), t, pool, http.MethodGet, "http://cloud/"); !asError(t, err).Kept {
			t.Errorf("error %v", err)
		}
		if _, err := get(t.Context(), t, pool, http.MethodGet, "http://cloud/"); err != nil || n.dials() != 3 {
			t.Errorf("%d connections, error %v", n.dials(), err)
		}
	})
}

// A call that fails before it has a connection was not sent. Any other may have been.
func TestMaybeSent(t *testing.T) {
	listen := func(serve func(net.Conn)) string {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				serve(c)
				_ = c.Close()
			}
		}()
		return l.Addr().String()
	}
	gone := listen(func(net.Conn) {})
	const refused = "http://127.0.0.1:1"
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "half")
	}))
	t.Cleanup(broken.Close)
	for name, tc := range map[string]struct {
		address, proxy string
		want           bool
	}{
		"no server":            {address: refused},
		"an unknown authority": {address: untrusted.URL},
		"no TLS":               {address: "https://" + gone},
		"no proxy":             {address: "https://cloud.example", proxy: refused},
		"a proxy that refuses": {address: "https://cloud.example", proxy: broken.URL},
		"closed at once":       {address: "http://" + gone, want: true},
		"an answer in part":    {address: broken.URL, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			pool := transport.New(transport.Options{})
			pool.Proxy = nil
			if tc.proxy != "" {
				u, err := url.Parse(tc.proxy)
				if err != nil {
					t.Fatal(err)
				}
				pool.Proxy = http.ProxyURL(u)
			}
			_, err := get(t.Context(), t, pool, http.MethodDelete, tc.address)
			if e := asError(t, err); e.MaybeSent != tc.want {
				t.Errorf("error %+v, want MaybeSent %v", e, tc.want)
			}
		})
	}
}

// net/http repeats only requests that are safe to repeat. A DELETE is not.
func TestNothingIsSentTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		n := serve(t, func(http.ResponseWriter, *http.Request) {
			if calls.Add(1) > 1 {
				panic(http.ErrAbortHandler) // the connection ends without an answer
			}
		})
		pool := n.connect(t, transport.Options{Connections: 1})
		if _, err := get(t.Context(), t, pool, http.MethodDelete, "http://cloud/"); err != nil {
			t.Fatal(err)
		}
		_, err := get(t.Context(), t, pool, http.MethodDelete, "http://cloud/")
		if e := asError(t, err); !e.MaybeSent || !e.Kept || calls.Load() != 2 {
			t.Errorf("error %+v after %d calls", e, calls.Load())
		}
	})
}

// HTTP/1.1 is used even if the server offers HTTP/2.
func TestHTTP1(t *testing.T) {
	var protocol string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { protocol = r.Proto }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	pool := transport.New(transport.Options{Roots: roots})
	t.Cleanup(pool.CloseIdleConnections)
	if _, err := get(t.Context(), t, pool, http.MethodGet, server.URL); err != nil || protocol != "HTTP/1.1" {
		t.Errorf("protocol %q, error %v", protocol, err)
	}
}

// A proxy may repeat what it was sent.
func TestAProxyThatEchoes(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 407 "+r.Header.Get("Proxy-Authorization")+" refused\r\n\r\n")
		_ = c.Close()
	}))
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("user", "canary")
	const sent = "dXNlcjpjYW5hcnk="
	secret.New(sent)
	pool := transport.New(transport.Options{})
	pool.Proxy = http.ProxyURL(u)
	_, err = get(t.Context(), t, pool, http.MethodGet, "https://cloud.example")
	if e := asError(t, err); e.MaybeSent || strings.Contains(err.Error(), sent) || !strings.Contains(err.Error(), secret.Redacted) {
		t.Errorf("error %v", err)
	}
}

func TestOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Millisecond) }) // otherwise one call may use the connection of the other
		pool := n.connect(t, transport.Options{Connections: 2})
		transport.Open(t.Context(), pool.Do, "http://cloud/", 2)
		transport.Open(t.Context(), pool.Do, ":no address", 1)
		if _, err := get(t.Context(), t, pool, http.MethodGet, "http://cloud/"); err != nil || n.dials() != 2 {
			t.Errorf("%d connections, error %v", n.dials(), err)
		}
	})
}
