package valkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger/ledgertest"
	"dds-backup-delete/internal/ledger/valkey"
	"dds-backup-delete/internal/ledger/valkeytest"
)

// proxy stands between a ledger and its server. It can lose an answer, or go silent.
type proxy struct {
	address string
	server  atomic.Pointer[string] // the address that new connections lead to
	lose    atomic.Bool            // the next answer, and the connection with it
	silent  atomic.Bool            // the connections that are open now carry nothing more
	opened  atomic.Int64
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &proxy{address: listener.Addr().String()}
	p.server.Store(&server)
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			p.opened.Add(1)
			p.silent.Store(false) // a new connection is a good one
			out, err := new(net.Dialer).DialContext(t.Context(), "tcp", *p.server.Load())
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(out, in)
				_ = out.Close()
			}()
			go p.answer(in, out, p.opened.Load())
		}
	}()
	return p
}

// answer carries what the server says on the connection with a number.
func (p *proxy) answer(in, out net.Conn, number int64) {
	defer func() { _ = in.Close() }()
	buffer := make([]byte, 1<<20)
	for {
		n, err := out.Read(buffer)
		if err != nil || p.lose.CompareAndSwap(true, false) {
			_ = out.Close()
			return
		}
		if p.silent.Load() && number == p.opened.Load() {
			for p.opened.Load() == number {
				time.Sleep(time.Millisecond)
			}
			return
		}
		if _, err := in.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// A write whose answer was lost is done once, and succeeds.
func TestAnAnswerIsLost(t *testing.T) {
	p := newProxy(t, valkeytest.Start(t, valkeytest.Durable()...).Address)
	l := open(t, at(p.address), nil)
	first, second := ledgertest.FullItem(key.BackupID), &deletion.Item{Key: key}
	p.lose.Store(true)
	ledgertest.Swap(t, l, nil, first)
	ledgertest.Same(t, ledgertest.Get(t, l, key), first)
	p.lose.Store(true)
	ledgertest.Swap(t, l, first, second)
	p.lose.Store(true)
	ledgertest.Same(t, ledgertest.Conflict(t, l, first, &deletion.Item{Key: key}), second)
	p.lose.Store(true)
	ledgertest.Same(t, ledgertest.Get(t, l, key), second)
	p.lose.Store(true)
	if _, _, err := l.Due(t.Context(), deletion.Checks, time.Now(), 1, ""); err != nil || p.lose.Load() {
		t.Errorf("error %v", err)
	}
}

// After a failover the old primary is a replica, and the name of the server leads to the new one. The settings of
// that are looked at, too.
func TestAFailover(t *testing.T) {
	one, two, forgets := valkeytest.Start(t, valkeytest.Durable()...), valkeytest.Start(t, valkeytest.Durable()...), valkeytest.Start(t)
	p := newProxy(t, one.Address)
	l := open(t, at(p.address), nil)
	ledgertest.Swap(t, l, nil, &deletion.Item{Key: key})
	command(t, one.Address, "REPLICAOF", "127.0.0.1", "1")
	p.server.Store(&two.Address)
	i := &deletion.Item{Key: deletion.Key{ProjectID: "project", BackupID: "another"}}
	ledgertest.Swap(t, l, nil, i)
	command(t, two.Address, "REPLICAOF", "127.0.0.1", "1")
	p.server.Store(&forgets.Address)
	if _, err := l.Swap(t.Context(), i, &deletion.Item{Key: i.Key}); err == nil || !strings.Contains(err.Error(), "has no persistence") {
		t.Errorf("error %v", err)
	}
}

// A connection that went silent, for example while the function was frozen, is given up within seconds.
func TestAConnectionIsSilent(t *testing.T) {
	p := newProxy(t, valkeytest.Start(t, valkeytest.Durable()...).Address)
	l := open(t, at(p.address), nil)
	ledgertest.Swap(t, l, nil, &deletion.Item{Key: key})
	p.silent.Store(true)
	start := time.Now()
	var calls sync.WaitGroup
	for range 8 { // all are on the same connection
		calls.Go(func() {
			if i, err := l.Get(t.Context(), key); i == nil || err != nil {
				t.Errorf("there is %v, error %v", i, err)
			}
		})
	}
	calls.Wait()
	if took := time.Since(start); took < tryTime || took > 5*time.Second || p.opened.Load() < 2 {
		t.Errorf("it took %v and %d connections", took, p.opened.Load())
	}
}

// tryTime is what one try may take, as docs/reliability.md says.
const tryTime = time.Second

// TLS needs a certificate that AWS_CA_BUNDLE or the system knows.
func TestTLS(t *testing.T) {
	folder := t.TempDir()
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := x509.MarshalECPrivateKey(private)
	certificate := file("cert.pem", "CERTIFICATE", der)
	port := freePort(t)
	valkeytest.Start(t, append(valkeytest.Durable(), "--tls-port", port, "--tls-cert-file", certificate, "--tls-ca-cert-file", certificate,
		"--tls-key-file", file("key.pem", "EC PRIVATE KEY", text), "--tls-auth-clients", "no")...)
	c := at(net.JoinHostPort("127.0.0.1", port))
	c.TLS, c.Roots = true, x509.NewCertPool()
	log := new(lines)
	l := open(t, c, nil)
	if _, err := l.Get(t.Context(), key); err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("error %v, log %q", err, log.text.String())
	}
	known, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	c.Roots.AddCert(known)
	if l, err = valkey.New(c, slog.New(slog.NewTextHandler(log, nil)), nil); err != nil {
		t.Fatal(err)
	}
	ledgertest.Swap(t, l, nil, &deletion.Item{Key: key})
}
