package valkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger/ledgertest"
	"dds-backup-delete/internal/ledger/valkey"
	"dds-backup-delete/internal/ledger/valkeytest"
)

// A write whose answer was lost is done once, and succeeds.
func TestAnAnswerIsLost(t *testing.T) {
	p := valkeytest.NewProxy(t, valkeytest.Start(t, valkeytest.Durable()...).Address)
	l := open(t, at(p.Address), nil)
	first, second := ledgertest.FullItem(key.BackupID), &deletion.Item{Key: key}
	p.Lose.Store(true)
	ledgertest.Swap(t, l, nil, first)
	ledgertest.Same(t, ledgertest.Get(t, l, key), first)
	p.Lose.Store(true)
	ledgertest.Swap(t, l, first, second)
	p.Lose.Store(true)
	ledgertest.Same(t, ledgertest.Conflict(t, l, first, &deletion.Item{Key: key}), second)
	p.Lose.Store(true)
	ledgertest.Same(t, ledgertest.Get(t, l, key), second)
	p.Lose.Store(true)
	if _, _, err := l.Due(t.Context(), deletion.Checks, time.Now(), 1, ""); err != nil || p.Lose.Load() {
		t.Errorf("error %v", err)
	}
}

// After a failover the old primary is a replica, and the name of the server leads to the new one. The settings of
// that are looked at, too.
func TestAFailover(t *testing.T) {
	one, two, forgets := valkeytest.Start(t, valkeytest.Durable()...), valkeytest.Start(t, valkeytest.Durable()...), valkeytest.Start(t)
	p := valkeytest.NewProxy(t, one.Address)
	l := open(t, at(p.Address), nil)
	ledgertest.Swap(t, l, nil, &deletion.Item{Key: key})
	one.Command("REPLICAOF", "127.0.0.1", "1")
	p.Server.Store(&two.Address)
	i := &deletion.Item{Key: deletion.Key{ProjectID: "project", BackupID: "another"}}
	ledgertest.Swap(t, l, nil, i)
	two.Command("REPLICAOF", "127.0.0.1", "1")
	p.Server.Store(&forgets.Address)
	if _, err := l.Swap(t.Context(), i, &deletion.Item{Key: i.Key}); err == nil || !strings.Contains(err.Error(), "has no persistence") {
		t.Errorf("error %v", err)
	}
}

// A connection that went silent, for example while the function was frozen, is given up within seconds.
func TestAConnectionIsSilent(t *testing.T) {
	p := valkeytest.NewProxy(t, valkeytest.Start(t, valkeytest.Durable()...).Address)
	l := open(t, at(p.Address), nil)
	ledgertest.Swap(t, l, nil, &deletion.Item{Key: key})
	p.Silent.Store(true)
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
	if took := time.Since(start); took < tryTime || took > 5*time.Second || p.Opened.Load() < 2 {
		t.Errorf("it took %v and %d connections", took, p.Opened.Load())
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
