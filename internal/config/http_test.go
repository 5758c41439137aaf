package config_test

import (
	"strings"
	"testing"

	"dds-backup-delete/internal/config"
)

func TestHTTPBasePath(t *testing.T) {
	for _, path := range []string{"", "/dds", "/a/b", "/A-1._~", "/x/backups", "/...", "/v3x"} {
		setenv(t, valid(map[string]string{"HTTP_BASE_PATH": path}))
		if c, err := config.Load(); err != nil || c.HTTPBasePath != path {
			t.Errorf("%q: error %v", path, err)
		}
	}
	for _, path := range []string{
		"dds", "/", "/dds/", "//dds", "/a//b", "/a/../b", "/..", "/./a", "/a b", "/a%2Fb", "/ä", "/a?b", "/a\n", "https://example.com/dds", "/" + strings.Repeat("a", 255),
		"/backups", "/v3/p", "/deletions", "/healthz/x", // they would hide paths of the API
	} {
		setenv(t, valid(map[string]string{"HTTP_BASE_PATH": path}))
		if _, err := config.Load(); err == nil || !strings.HasPrefix(err.Error(), "HTTP_BASE_PATH: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v", path, err)
		}
	}
}
