package config

import (
	"cmp"
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/spelling"
)

// ValkeyServer is where a ledger in Valkey or Redis is.
type ValkeyServer struct {
	// Address is the host and the port. Of a cluster it is any of its nodes.
	Address string
	// TLS says that connections are encrypted, and Roots are the certificate authorities to trust; nil for the
	// system's.
	TLS   bool
	Roots *x509.CertPool
	// Username and Password log in; both may be empty. An empty name with a password is the default user.
	Username string
	Password secret.String
	// Database is the number of the database; a cluster has only 0.
	Database int
	// Prefix begins all keys, with a colon after it.
	Prefix string
	// AllowVolatile accepts a server that can forget: without persistence, or one that evicts keys.
	AllowVolatile bool
}

// String returns the server in the form of LEDGER, without user and password.
func (s *ValkeyServer) String() string {
	u := url.URL{Scheme: "redis", Host: s.Address, Path: "/" + strconv.Itoa(s.Database), RawQuery: "prefix=" + s.Prefix}
	if s.TLS {
		u.Scheme = "rediss"
	}
	return u.String()
}

const (
	// defaultPrefix and defaultValkeyPort are what LEDGER may leave out.
	defaultPrefix     = "dds-backup-delete"
	defaultValkeyPort = "6379"

	wantValkey = "expected redis://<host>:<port>, or rediss:// for TLS, for example rediss://ledger@valkey.example.com:6379/0?prefix=dds-backup-delete"
)

// isValkey reports whether LEDGER names a Valkey or Redis server.
func (p *parser) isValkey() bool {
	scheme, _, isAddress := strings.Cut(p.Ledger, "://")
	return isAddress && (scheme == "redis" || scheme == "rediss")
}

// isHost reports whether a text is the name or the address of one host. Other clients take a list of them.
func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || s != "" && spelling.Only(s, spelling.Letters+spelling.Digits+"-_.")
}

// valkey reads LEDGER, and the password from LEDGER_PASSWORD if that has it. No message has user or password.
func (p *parser) valkey() ValkeyServer {
	s := ValkeyServer{Password: secretOf("LEDGER_PASSWORD"), AllowVolatile: p.AllowVolatile}
	u, err := url.Parse(p.Ledger)
	if err != nil || !isHost(u.Hostname()) || u.Fragment != "" || !isPort(u.Port()) {
		p.fault("LEDGER: %s is not the address of a server; %s", quote(p.Ledger), wantValkey)
		return s
	}
	s.TLS, s.Address = u.Scheme == "rediss", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), defaultValkeyPort))
	s.Username = u.User.Username()
	if password, set := u.User.Password(); set {
		if !s.Password.IsZero() {
			p.fault("LEDGER_PASSWORD: set, and LEDGER has a password, too; expected one of them")
		}
		s.Password = secret.New(password)
	}
	if s.Username != "" && s.Password.IsZero() {
		p.fault("LEDGER_PASSWORD: not set, and LEDGER has a user without a password; expected the password of the user")
	}
	if database := strings.TrimPrefix(u.Path, "/"); database != "" {
		n, err := strconv.ParseUint(database, 10, 16)
		if err != nil {
			p.fault("LEDGER: %s is not the number of a database; expected for example redis://valkey.example.com:6379/0", quote(database))
		}
		s.Database = int(n)
	}
	query, err := url.ParseQuery(u.RawQuery)
	s.Prefix = cmp.Or(query.Get("prefix"), defaultPrefix)
	query.Del("prefix")
	if err != nil || len(query) > 0 {
		p.fault("LEDGER: what follows the question mark is not known; expected nothing or a prefix, for example ?prefix=dds-backup-delete")
	}
	if len(s.Prefix) > 64 || !spelling.Only(s.Prefix, spelling.Letters+spelling.Digits+"-_.:") {
		p.fault("LEDGER: %s is not a prefix of keys; expected up to 64 letters, digits and -_.: for example dds-backup-delete", quote(s.Prefix))
	}
	return s
}
