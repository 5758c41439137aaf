package valkey_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger/ledgertest"
	"dds-backup-delete/internal/ledger/valkey"
	"dds-backup-delete/internal/ledger/valkeytest"
	"dds-backup-delete/internal/secret"
)

var key = deletion.Key{ProjectID: "project", BackupID: "backup"}

var prefixes atomic.Int64

// at returns the configuration of a server, with keys of its own.
func at(address string) *config.ValkeyServer {
	return &config.ValkeyServer{Address: address, Prefix: fmt.Sprint("test-", prefixes.Add(1))}
}

// open returns the ledger, which must be good.
func open(t *testing.T, c *config.ValkeyServer, now func() time.Time) *valkey.Ledger {
	t.Helper()
	l, err := valkey.New(c, slog.New(slog.DiscardHandler), now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestContract(t *testing.T) {
	s := valkeytest.Start(t, valkeytest.Durable()...)
	ledgertest.Contract(t, func(t *testing.T, now func() time.Time) deletion.Ledger {
		t.Helper()
		return open(t, at(s.Address), now)
	})
}

// The shards are in all nodes of a cluster. Any node leads to the others.
func TestContractInACluster(t *testing.T) {
	nodes := make([]*valkeytest.Server, 2)
	for n := range nodes {
		nodes[n] = valkeytest.Start(t, append(valkeytest.Durable(), "--cluster-enabled", "yes", "--cluster-port", freePort(t))...)
		nodes[n].Command("CLUSTER", "ADDSLOTSRANGE", []string{"0", "8192"}[n], []string{"8191", "16383"}[n])
	}
	host, port, _ := net.SplitHostPort(nodes[1].Address)
	bus, _ := nodes[1].Command("CONFIG", "GET", "cluster-port").AsStrMap()
	nodes[0].Command("CLUSTER", "MEET", host, port, bus["cluster-port"])
	for _, s := range nodes {
		waitFor(t, func() bool {
			info, _ := s.Command("CLUSTER", "INFO").ToString()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:2")
		})
	}
	ledgertest.Contract(t, func(t *testing.T, now func() time.Time) deletion.Ledger {
		t.Helper()
		return open(t, at(nodes[prefixes.Load()%2].Address), now)
	})
	for _, s := range nodes {
		if size, err := s.Command("DBSIZE").AsInt64(); size == 0 {
			t.Errorf("a node has no keys, error %v", err)
		}
	}
	c := at(nodes[0].Address)
	c.Database = 1
	if _, err := valkey.New(c, slog.New(slog.DiscardHandler), nil); err == nil || !strings.HasPrefix(err.Error(), "ledger: LEDGER: a cluster has only the database 0") {
		t.Errorf("error %v", err)
	}
}

// freePort returns a port where nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(valkeytest.FreeAddress(t))
	return port
}

// waitFor waits until something holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never holds")
		}
	}
}

// What is due has no time to live, and what is not due has one and is in no set.
func TestTimeToLive(t *testing.T) {
	s := valkeytest.Start(t, valkeytest.Durable()...)
	c := at(s.Address)
	l := open(t, c, nil)
	lives := func() (seconds int64) {
		keys, err := s.Command("KEYS", c.Prefix+":*:item:project/backup").AsStrSlice()
		if err != nil || len(keys) != 1 {
			t.Fatalf("keys %q, error %v", keys, err)
		}
		seconds, _ = s.Command("TTL", keys[0]).AsInt64()
		return seconds
	}
	quiet, waits, again := &deletion.Item{Key: key}, &deletion.Item{Key: key}, &deletion.Item{Key: key}
	waits.Plan.Check = &deletion.Check{Next: time.Now()}
	const keep = int64(35 * 24 * time.Hour / time.Second)
	ledgertest.Swap(t, l, nil, quiet)
	if got := lives(); got > keep || got < keep-60 {
		t.Errorf("it lives %d seconds", got)
	}
	ledgertest.Swap(t, l, quiet, waits)
	if got := lives(); got != -1 {
		t.Errorf("what is due lives %d seconds", got)
	}
	ledgertest.Swap(t, l, waits, again)
	if got := lives(); got > keep || got < keep-60 {
		t.Errorf("it lives %d seconds", got)
	}
	if sets, _ := s.Command("KEYS", c.Prefix+":*:due:*").AsStrSlice(); len(sets) != 0 {
		t.Errorf("sets %q", sets)
	}
}

// More are due in one millisecond than fit on a page.
func TestManyAreDueAtOnce(t *testing.T) {
	l := open(t, at(valkeytest.Start(t, valkeytest.Durable()...).Address), nil)
	const all = 200
	now := time.Now()
	for n := range all {
		i := &deletion.Item{Key: deletion.Key{ProjectID: "project", BackupID: fmt.Sprint(n)}}
		i.Plan.Check = &deletion.Check{Next: now}
		ledgertest.Swap(t, l, nil, i)
	}
	seen := make(map[deletion.Key]bool)
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		keys, next, err := l.Due(t.Context(), deletion.Checks, now, 3, cursor)
		if err != nil || pages > all {
			t.Fatalf("after %d pages: error %v", pages, err)
		}
		for _, k := range keys {
			if seen[k] {
				t.Errorf("%s twice", k)
			}
			seen[k] = true
		}
		cursor = next
	}
	if len(seen) != all {
		t.Errorf("%d seen", len(seen))
	}
}

// The server is killed under many writers. What was acknowledged is there after the restart, and no write is
// lost or done twice.
func TestTheServerIsKilled(t *testing.T) {
	s := valkeytest.Start(t, valkeytest.Durable()...)
	c := at(s.Address)
	const backups, writes = 8, 60
	acknowledged := make([]*deletion.Item, backups)
	var total, failed atomic.Int64
	var wg sync.WaitGroup
	for n := range backups {
		l := open(t, c, nil) // as a process of its own
		wg.Go(func() {
			for written := 0; written < writes; {
				next := &deletion.Item{Key: deletion.Key{ProjectID: "project", BackupID: fmt.Sprint(n)}}
				next.Plan.Attempt = written + 1
				next.Plan.Check = &deletion.Check{Next: time.Now()}
				current, err := l.Swap(context.WithoutCancel(t.Context()), acknowledged[n], next)
				switch {
				case err != nil: // perhaps it was written
					failed.Add(1)
				case current == nil:
					acknowledged[n] = next
					written++
					total.Add(1)
				case current.Plan.Attempt == written+1: // it was, as a call showed whose answer was lost
					acknowledged[n] = current
					written++
					total.Add(1)
				default:
					t.Errorf("there is %d after %d", current.Plan.Attempt, written)
					return
				}
			}
		})
	}
	for kills := int64(1); kills <= 3; kills++ {
		waitFor(t, func() bool { return total.Load() > kills*backups*writes/5 })
		s.Kill()
		s.Restart()
	}
	wg.Wait()
	s.Kill()
	s.Restart()
	l := open(t, c, nil)
	for n, want := range acknowledged {
		ledgertest.Same(t, ledgertest.Get(t, l, want.Key), want)
		if want.Plan.Attempt != writes {
			t.Errorf("%d: %d writes", n, want.Plan.Attempt)
		}
	}
	if keys, _, err := l.Due(t.Context(), deletion.Checks, time.Now(), 2*backups, ""); len(keys) != backups || err != nil {
		t.Errorf("due %v, error %v", keys, err)
	}
	t.Logf("%d writes, %d calls failed", total.Load(), failed.Load())
}

// A server that is full says so, and what it has stays. When it has room again, it writes.
func TestAFullServer(t *testing.T) {
	s := valkeytest.Start(t, append(valkeytest.Durable(), "--maxmemory-policy", "noeviction")...)
	l := open(t, at(s.Address), nil)
	first := ledgertest.FullItem(key.BackupID)
	ledgertest.Swap(t, l, nil, first)
	s.Command("CONFIG", "SET", "maxmemory", "1")
	for _, next := range []*deletion.Item{ledgertest.FullItem(key.BackupID), {Key: key}} {
		_, err := l.Swap(t.Context(), first, next)
		if err == nil || !strings.HasPrefix(err.Error(), "ledger: the server is full and wrote nothing; expected more memory") {
			t.Errorf("error %v", err)
		}
	}
	ledgertest.Same(t, ledgertest.Get(t, l, key), first)
	if keys, _, err := l.Due(t.Context(), deletion.Checks, time.Now().AddDate(1, 0, 0), 10, ""); len(keys) != 1 || err != nil {
		t.Errorf("due %v, error %v", keys, err)
	}
	s.Command("CONFIG", "SET", "maxmemory", "0")
	ledgertest.Swap(t, l, first, &deletion.Item{Key: key})
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func TestWhatForgetsIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		refused   string // a part of the error
		warned    string // a part of the warning, also of a refusal that is allowed
	}{
		"good":             {valkeytest.Durable(), "", ""},
		"no persistence":   {nil, `has no persistence (appendonly no, save ""), so a restart forgets everything; expected appendonly yes`, "no persistence"},
		"snapshots":        {[]string{"--save", "3600 1"}, "", "writes snapshots only (appendonly no, save 3600 1)"},
		"evicts all":       {append(valkeytest.Durable(), "--maxmemory-policy", "allkeys-lru"), "evicts keys when it is full (maxmemory-policy allkeys-lru); expected maxmemory-policy noeviction", "evicts keys"},
		"evicts some":      {append(valkeytest.Durable(), "--maxmemory-policy", "volatile-ttl"), "(maxmemory-policy volatile-ttl)", "evicts keys"},
		"CONFIG forbidden": {append(valkeytest.Durable(), "--rename-command", "CONFIG", ""), "", ""},
		"CONFIG forbidden, no file": {
			[]string{"--rename-command", "CONFIG", ""}, "keeps no append-only file (aof_enabled 0)", "keeps no append-only file",
		},
		"CONFIG forbidden, evicts": {
			append(valkeytest.Durable(), "--maxmemory-policy", "allkeys-lfu", "--rename-command", "CONFIG", ""), "(maxmemory-policy allkeys-lfu)", "evicts keys",
		},
		"CONFIG and INFO forbidden": {[]string{"--rename-command", "CONFIG", "", "--rename-command", "INFO", ""}, "", "does not tell its settings"},
	} {
		t.Run(name, func(t *testing.T) {
			s := valkeytest.Start(t, test.arguments...)
			for _, allow := range []bool{false, true} {
				c, log := at(s.Address), new(lines)
				c.AllowVolatile = allow
				l, err := valkey.New(c, slog.New(slog.NewTextHandler(log, nil)), nil)
				if test.refused != "" && !allow {
					if err == nil || !strings.HasPrefix(err.Error(), "LEDGER: the server "+s.Address+" ") || !strings.Contains(err.Error(), test.refused) ||
						!strings.Contains(err.Error(), "LEDGER_ALLOW_VOLATILE=true") || log.text.Len() > 0 {
						t.Errorf("error %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				ledgertest.Swap(t, l, nil, &deletion.Item{Key: key})
				warned := strings.Count(log.text.String(), "configuration warning")
				if !strings.Contains(strings.ReplaceAll(log.text.String(), `\"`, `"`), test.warned) || warned != min(len(test.warned), 1) {
					t.Errorf("log %q", log.text.String())
				}
			}
		})
	}
}

// A user needs no more than docs/configuration.md says. What a server or a user refuses is clear, and shows no
// password, also if the server repeats it.
func TestUsers(t *testing.T) {
	s := valkeytest.Start(t, valkeytest.Durable()...)
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "ACL SETUSER ledger on '>…' ")
	rules, _, documented := strings.Cut(rest, "\n")
	if !documented {
		t.Fatal("docs/configuration.md has no ACL SETUSER")
	}
	s.Command(append([]string{"ACL", "SETUSER", "ledger", "on", ">the-password"}, strings.Fields(rules)...)...)
	s.Command(append([]string{"ACL", "SETUSER", "reader", "on", ">the-password"}, strings.Fields(rules+" -zadd")...)...)
	discard := slog.New(slog.DiscardHandler)
	user := func(name, password string) *config.ValkeyServer {
		c := at(s.Address)
		c.Prefix, c.Username, c.Password = "dds-backup-delete", name, secret.New(password)
		return c
	}
	l := open(t, user("ledger", "the-password"), nil)
	first, second := ledgertest.FullItem("b"), &deletion.Item{Key: deletion.Key{ProjectID: "project", BackupID: "b"}}
	ledgertest.Swap(t, l, nil, first)
	ledgertest.Swap(t, l, first, second)
	ledgertest.Same(t, ledgertest.Get(t, l, first.Key), second)
	if _, _, err := l.Due(t.Context(), deletion.Checks, time.Now(), 1, ""); err != nil {
		t.Error(err)
	}

	limited := open(t, user("reader", "the-password"), nil)
	_, err = limited.Swap(t.Context(), second, ledgertest.FullItem("b"))
	if err == nil || !strings.HasPrefix(err.Error(), "ledger: LEDGER: the user lacks a permission") {
		t.Errorf("error %v", err)
	}
	ledgertest.Same(t, ledgertest.Get(t, l, second.Key), second)

	_, err = valkey.New(user("ledger", "wrong-password"), discard, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "ledger: LEDGER: the server refuses user and password") || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("error %v", err)
	}
	s.Command("ACL", "SETUSER", "default", "resetpass", ">of-the-default")
	_, err = valkey.New(at(s.Address), discard, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "ledger: LEDGER: the server asks for a password") {
		t.Errorf("error %v", err)
	}
	open(t, user("", "of-the-default"), nil)
}

// A number that the server does not have is a fault at start.
func TestADatabaseThatDoesNotExist(t *testing.T) {
	c := at(valkeytest.Start(t, valkeytest.Durable()...).Address)
	c.Database = 99
	if _, err := valkey.New(c, slog.New(slog.DiscardHandler), nil); err == nil || !strings.HasPrefix(err.Error(), "ledger: LEDGER: the server has no database of this number; expected") {
		t.Errorf("error %v", err)
	}
}

// A ledger goes on with the primary after its server became a replica, once the name leads there.
func TestAReplica(t *testing.T) {
	s := valkeytest.Start(t, valkeytest.Durable()...)
	l := open(t, at(s.Address), nil)
	s.Command("REPLICAOF", "127.0.0.1", "1")
	_, err := l.Swap(t.Context(), nil, &deletion.Item{Key: key})
	if err == nil || !strings.HasPrefix(err.Error(), "ledger: LEDGER: the server is a replica; expected the address of the primary") {
		t.Errorf("error %v", err)
	}
	s.Command("REPLICAOF", "NO", "ONE")
	ledgertest.Swap(t, l, nil, &deletion.Item{Key: key})
}

// Without a server a program starts, each call fails in time, and it works as soon as there is one.
func TestTheServerIsDown(t *testing.T) {
	s := valkeytest.Start(t, valkeytest.Durable()...)
	s.Kill()
	log := new(lines)
	l, err := valkey.New(at(s.Address), slog.New(slog.NewTextHandler(log, nil)), nil)
	if err != nil || !strings.Contains(log.text.String(), "LEDGER: not reached at start") {
		t.Fatalf("error %v, log %q", err, log.text.String())
	}
	_, getErr := l.Get(t.Context(), key)
	_, swapErr := l.Swap(t.Context(), nil, &deletion.Item{Key: key})
	_, _, dueErr := l.Due(t.Context(), deletion.Checks, time.Now(), 1, "")
	for call, err := range map[string]error{"get": getErr, "swap": swapErr, "due": dueErr} {
		if err == nil || !strings.HasPrefix(err.Error(), "ledger: ") || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: error %v", call, err)
		}
	}
	s.Restart()
	ledgertest.Swap(t, l, nil, &deletion.Item{Key: key})
}

// A server that comes later may forget, too. It is looked at before it is used.
func TestAServerThatForgetsComesLater(t *testing.T) {
	s := valkeytest.Start(t)
	s.Kill()
	l := open(t, at(s.Address), nil)
	s.Restart()
	if _, err := l.Get(t.Context(), key); err == nil || !strings.Contains(err.Error(), "has no persistence") {
		t.Errorf("error %v", err)
	}
}
