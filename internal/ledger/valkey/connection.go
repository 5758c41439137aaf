package valkey

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/retry"
	"dds-backup-delete/internal/secret"
)

const (
	// tryTime bounds one try of a call, and startTime all of the start.
	tryTime   = time.Second
	startTime = 2 * time.Second
	// tries is how often a call is tried. Each may be repeated: a write that was done is recognised by its version.
	tries = 4
	// bufferSize is that of each connection's two buffers. An item is mostly below it.
	bufferSize = 32 << 10
)

// connection is the one to the server, or one to each node of a cluster. It is opened when it is needed, and
// the client opens it again after it broke.
type connection struct {
	config *config.ValkeyServer
	log    *slog.Logger

	free   chan struct{} // holds one element while somebody uses the members below
	client valkey.Client // nil until the server was found good
	warned bool
}

// refusal says why a server cannot be a ledger, or why what it has cannot be used. It has no secrets.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

// start connects, and returns an error only if another try would end the same way.
func (s *connection) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	err := s.try(ctx, func(context.Context, valkey.Client) error { return nil })
	if err != nil && s.isTemporary(err) {
		s.log.WarnContext(ctx, "configuration warning", "warning", "LEDGER: not reached at start, and tried again for each request: "+s.explain(err).Error())
		return nil
	}
	return s.explain(err)
}

// do makes a call, and repeats it while that can help and the time of ctx lasts.
func (s *connection) do(ctx context.Context, call func(context.Context, valkey.Client) error) error {
	for n := 1; ; n++ {
		err := s.try(ctx, call)
		if err == nil || n == tries || ctx.Err() != nil || !s.isTemporary(err) || !retry.Wait(ctx, retry.Backoff(50*time.Millisecond, tryTime, n)) {
			return s.explain(err)
		}
	}
}

func (s *connection) try(ctx context.Context, call func(context.Context, valkey.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	err = call(ctx, client)
	if answer, ok := valkey.IsValkeyErr(err); ok && strings.Contains(answer.Error(), "READONLY") {
		s.drop(client) // after a failover the name may lead to another server
	}
	return err
}

// connect returns the client. A new one is used only if its servers keep what they are told.
func (s *connection) connect(ctx context.Context) (valkey.Client, error) {
	select {
	case s.free <- struct{}{}:
		defer func() { <-s.free }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.client != nil {
		return s.client, nil
	}
	o := valkey.ClientOption{
		InitAddress: []string{s.config.Address}, Username: s.config.Username, Password: s.config.Password.Reveal(), SelectDB: s.config.Database,
		Dialer: net.Dialer{Timeout: tryTime}, ConnWriteTimeout: tryTime,
		ReadBufferEachConn: bufferSize, WriteBufferEachConn: bufferSize, RingScaleEachConn: 8,
		PipelineMultiplex: -1,   // one connection carries all calls
		DisableCache:      true, // nothing is cached, and old servers do not know how
		DisableRetry:      true, // do repeats calls
	}
	if s.config.TLS {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.config.Roots}
	}
	client, err := valkey.NewClient(o)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, client); err != nil {
		client.Close()
		return nil, err
	}
	s.client = client
	return client, nil
}

// drop has the next call connect anew.
func (s *connection) drop(client valkey.Client) {
	s.free <- struct{}{}
	defer func() { <-s.free }()
	if s.client == client {
		s.client = nil
		client.Close()
	}
}

// check refuses servers that forget, or warns of them where that is allowed. A node of a cluster that
// does not answer is passed over if another one does.
func (s *connection) check(ctx context.Context, client valkey.Client) error {
	var failed error
	answered := 0
	for address, node := range client.Nodes() {
		found, err := settingsOf(ctx, node)
		if err != nil {
			failed = err
			continue
		}
		answered++
		forgets, doubt := found.judge()
		switch {
		case forgets != "" && !s.config.AllowVolatile:
			return refusal(fmt.Sprintf("LEDGER: the server %s %s, or LEDGER_ALLOW_VOLATILE=true where outcomes may be forgotten", address, forgets))
		case forgets+doubt != "" && !s.warned:
			s.warned = true
			s.log.WarnContext(ctx, "configuration warning", "warning", fmt.Sprintf("LEDGER: the server %s %s", address, forgets+doubt))
		}
	}
	if answered == 0 {
		return failed
	}
	return nil
}

// settings are those of a server that decide what it forgets. A setting that it does not tell is missing.
type settings map[string]string

// settingsOf asks a server for its settings: with CONFIG, which many managed services forbid, and with INFO, which
// does not tell everything.
func settingsOf(ctx context.Context, node valkey.Client) (settings, error) {
	found := make(settings)
	names := []string{"appendonly", "save", "maxmemory-policy"}
	var commands valkey.Commands
	for _, name := range names {
		commands = append(commands, node.B().ConfigGet().Parameter(name).Build())
	}
	commands = append(commands, node.B().Info().Section("persistence").Build(), node.B().Info().Section("memory").Build())
	for n, result := range node.DoMulti(ctx, commands...) {
		if err := result.NonValkeyError(); err != nil {
			return nil, err
		}
		if n < len(names) {
			values, err := result.AsStrMap()
			if value, known := values[names[n]]; err == nil && known {
				found[names[n]] = value
			}
			continue
		}
		text, _ := result.ToString() // forbidden, too: nothing is known
		for line := range strings.Lines(text) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				found[name] = value
			}
		}
	}
	return found, nil
}

// judge says why the server forgets what it was told, or else what is in doubt; both are empty if all is well.
func (s settings) judge() (forgets, doubt string) {
	policy, policyKnown := s["maxmemory-policy"]
	if !policyKnown {
		policy, policyKnown = s["maxmemory_policy"]
	}
	file, fileKnown := s["appendonly"]
	if !fileKnown {
		file, fileKnown = s["aof_enabled"]
	}
	save, saveKnown := s["save"]
	switch {
	case policyKnown && policy != "noeviction":
		return fmt.Sprintf("evicts keys when it is full (maxmemory-policy %s); expected maxmemory-policy noeviction", policy), ""
	case fileKnown && file != "no" && file != "0":
	case fileKnown && saveKnown && save != "":
		doubt = fmt.Sprintf("writes snapshots only (appendonly no, save %s), so a crash forgets what was recorded since the last one; expected appendonly yes", save)
	case fileKnown && saveKnown:
		return `has no persistence (appendonly no, save ""), so a restart forgets everything; expected appendonly yes`, ""
	case fileKnown:
		return "keeps no append-only file (aof_enabled 0), and does not tell whether it writes snapshots, so a restart may forget everything; expected appendonly yes", ""
	default:
		doubt = "does not tell its settings (CONFIG and INFO are forbidden); expected appendonly yes and maxmemory-policy noeviction"
	}
	return "", doubt
}

// passing are the codes of answers that can be others soon.
var passing = []string{"LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY"}

// isTemporary reports whether another try can end otherwise: the server was not reached, did not answer in
// time, or said so.
func (s *connection) isTemporary(err error) bool {
	if _, refused := errors.AsType[refusal](err); refused {
		return false
	}
	answer, ok := valkey.IsValkeyErr(err)
	if !ok {
		return true
	}
	code, _, _ := strings.Cut(answer.Error(), " ")
	return slices.Contains(passing, code)
}

const lacksPermission = "LEDGER: the user lacks a permission; expected those in docs/configuration.md"

// hints say what to do about an answer of the server that contains a text.
var hints = []struct{ text, hint string }{
	{"OOM ", "the server is full and wrote nothing; expected more memory (maxmemory)"},
	{"WRONGPASS", "LEDGER: the server refuses user and password; expected those of a user, the password also in LEDGER_PASSWORD"},
	{"invalid password", "LEDGER: the server refuses the password; expected that of the default user, also in LEDGER_PASSWORD"},
	{"NOAUTH", "LEDGER: the server asks for a password; expected one in LEDGER or LEDGER_PASSWORD"},
	{"no permissions", lacksPermission},
	{"can't run this command", lacksPermission}, // in a script
	{"READONLY", "LEDGER: the server is a replica; expected the address of the primary"},
	{"MISCONF", "the server writes nothing more, because it cannot persist; expected a look at its log and its disk"},
	{"DB index is out of range", "LEDGER: the server has no database of this number; expected a smaller one, for example 0"},
	{"SELECT is not allowed in cluster mode", "LEDGER: a cluster has only the database 0; expected an address without a database"},
}

// explain returns the error of a call without secrets, because its text may contain what was sent, and with
// what to do about it.
func (s *connection) explain(err error) error {
	if err == nil {
		return nil
	}
	if r, refused := errors.AsType[refusal](err); refused {
		return r
	}
	answer, ok := valkey.IsValkeyErr(err)
	if !ok {
		return fmt.Errorf("ledger: the server %s did not answer: %w", s.config.Address, secret.RedactError(err))
	}
	for _, h := range hints {
		if strings.Contains(answer.Error(), h.text) {
			return fmt.Errorf("ledger: %s: %w", h.hint, secret.RedactError(err))
		}
	}
	return fmt.Errorf("ledger: %w", secret.RedactError(err))
}
