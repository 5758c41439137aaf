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

// checkNetwork checks the certificate authorities and the proxies. Without it, net/http would
// leave out a proxy that it cannot parse and call without one, and a file that cannot be read
// would fail every handshake.
func (c *Config) checkNetwork() []error {
	var faults []error
	if c.SSLCertFile != "" {
		if _, err := readRoots(c.SSLCertFile); err != nil {
			faults = append(faults, fmt.Errorf("SSL_CERT_FILE: %w", err))
		}
	}
	if c.AWSCABundle != "" {
		var err error
		if c.AWSRoots, err = readRoots(c.AWSCABundle); err != nil {
			faults = append(faults, fmt.Errorf("AWS_CA_BUNDLE: %w", err))
		}
	}
	// Read here, and not kept: an address may hold a password.
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		address := os.Getenv(name)
		if address == "" {
			continue
		}
		if err := checkProxy(address); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return faults
}

// readRoots reads a file of certificate authorities. One certificate that can be read is enough,
// as it is for crypto/x509.
func readRoots(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("%w; expected a file of certificates in PEM, for example /var/task/ca.pem", err) // err names the path
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%q holds no certificate; expected a file of certificates in PEM, for example /var/task/ca.pem", path)
	}
	return roots, nil
}

// proxySchemes are the ways to talk to a proxy that net/http knows.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// checkProxy holds the address of a proxy to what net/http understands: a known scheme, http where
// there is none, and a host. It may hold a password, so no message repeats it, and the
// password is redacted from now on, also in the form in which a request carries it.
func checkProxy(address string) error {
	full := address
	if !strings.Contains(address, "://") {
		full = "http://" + address
	}
	u, err := url.Parse(full)
	if err != nil || u.Hostname() == "" || !isPort(u.Port()) || !slices.Contains(proxySchemes, u.Scheme) {
		return fmt.Errorf("not the address of a proxy (%d characters, not shown since they may hold a password); expected http://<host>:<port>, for example http://proxy.example.com:3128",
			len(address))
	}
	if u.User == nil {
		return nil
	}
	password, set := u.User.Password()
	const tokenLength = 12
	if name := u.User.Username(); !set && len(name) >= tokenLength {
		secret.New(name) // some proxies take a token as the name; a shorter one is an ordinary word
	}
	secret.New(password)
	secret.New(base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password)))
	return nil
}
