package config

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"dds-backup-delete/internal/secret"
)

// roots reads a file of certificate authorities, nil if none is set. A file that cannot be read would
// fail every handshake. One readable certificate is enough, as it is for crypto/x509.
func (p *parser) roots(name, path string) *x509.CertPool {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	roots := x509.NewCertPool()
	if err == nil && !roots.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%q holds no certificate", path)
	}
	if err != nil { // which names the path
		p.fault("%s: %w; expected a file of certificates in PEM, for example /var/task/ca.pem", name, err)
	}
	return roots
}

// proxyNames are the variables of proxies that net/http reads.
var proxyNames = []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}

// proxies checks the proxies, because net/http ignores one that it cannot parse and calls without one. It
// takes a known scheme, http if there is none, and a host. No message contains an address, and its
// password is redacted from now on, also in the form in which a request carries it.
func (p *parser) proxies() {
	for _, name := range proxyNames {
		address := os.Getenv(name)
		if address == "" {
			continue
		}
		full := address
		if !strings.Contains(address, "://") {
			full = "http://" + address
		}
		u, err := url.Parse(full)
		if err != nil || u.Hostname() == "" || !isPort(u.Port()) || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
			p.fault("%s: not the address of a proxy (%d characters, not shown since they may hold a password); expected http://<host>:<port>, for example http://proxy.example.com:3128",
				name, len(address))
		} else if u.User != nil {
			password, set := u.User.Password()
			if user := u.User.Username(); !set && len(user) >= 12 {
				secret.New(user) // some proxies take a token as the name; a shorter one is an ordinary word
			}
			secret.New(password)
			secret.New(base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password)))
		}
	}
}
