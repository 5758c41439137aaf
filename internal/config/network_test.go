package config_test

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/secret"
)

// write writes a file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func authority(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func TestAuthorities(t *testing.T) {
	good, empty := write(t, "ca.pem", authority(t)), write(t, "empty.pem", "")
	key := write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("k")})))
	for _, name := range []string{"AWS_CA_BUNDLE", "SSL_CERT_FILE"} {
		setenv(t, valid(map[string]string{name: good}))
		c, err := config.Load()
		if err != nil || (c.AWS.Roots != nil) != (name == "AWS_CA_BUNDLE") {
			t.Errorf("%s: roots %v, error %v", name, c, err)
		}
		for _, bad := range []string{empty, key, filepath.Join(t.TempDir(), "nowhere.pem"), t.TempDir()} {
			setenv(t, valid(map[string]string{name: bad}))
			if _, err := config.Load(); err == nil || !strings.Contains(err.Error(), name+": ") || strings.Count(err.Error(), bad) != 1 {
				t.Errorf("%s=%s: error %v", name, bad, err)
			}
		}
		setenv(t, valid(map[string]string{name: " "}))
		if _, err := config.Load(); err != nil {
			t.Errorf("%s, blank: %v", name, err)
		}
	}
}

func TestProxies(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		for _, good := range []string{
			"http://proxy.example.com:3128", "https://proxy.example.com", "proxy.example.com:3128", "proxy.example.com", "10.0.0.1:3128",
			"http://[::1]:3128/", "socks5://proxy.example.com:1080", "socks5h://user:password@proxy.example.com:1080", "user:password@proxy.example.com:3128",
		} {
			t.Run(name+"="+good, func(t *testing.T) {
				setenv(t, valid(map[string]string{name: good}))
				if _, err := config.Load(); err != nil {
					t.Error(err)
				}
			})
		}
		for _, bad := range []string{
			"http://", "http://user:do-not-print%zz@proxy.example.com:3128", "http://do-not-print:99999", "do not print", "ftp://do-not-print.example.com",
			"http:// do-not-print:3128", "http://do-not-print:port", "http:do-not-print:3128", ":3128", "[::1:3128",
		} {
			t.Run(name+"="+bad, func(t *testing.T) {
				setenv(t, valid(map[string]string{name: bad}))
				if _, err := config.Load(); err == nil || !strings.HasPrefix(err.Error(), name+": ") || strings.Contains(err.Error(), "do-not-print") {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

// What a proxy's address holds is redacted, also as the header says it.
func TestAProxysPasswordIsRedacted(t *testing.T) {
	setenv(t, valid(map[string]string{"HTTPS_PROXY": "http://user:pass%40canary1@proxy.example.com", "http_proxy": "token-canary2@proxy.example.com"}))
	if _, err := config.Load(); err != nil {
		t.Fatal(err)
	}
	if got := secret.Redact("pass@canary1 pass%40canary1 dXNlcjpwYXNzQGNhbmFyeTE= token-canary2 dG9rZW4tY2FuYXJ5Mjo="); got != strings.TrimSpace(strings.Repeat(secret.Redacted+" ", 5)) {
		t.Errorf("%q", got)
	}
}
