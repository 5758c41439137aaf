package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/functiongraphtest"
	"dds-backup-delete/internal/ledger/ledgertest"
	"dds-backup-delete/internal/ledger/valkey"
	"dds-backup-delete/internal/ledger/valkeytest"
	"dds-backup-delete/internal/sink/sinktest"
)

// ledger is a real server with a ledger, which functions reach through a proxy, and an address for the outcomes.
type ledger struct {
	*valkeytest.Server
	ledger   deletion.Ledger
	proxy    *valkeytest.Proxy
	sink     *sinktest.CloudEvents
	refuse   atomic.Pointer[func()] // called before the sink takes an event, which it then refuses
	settings []string               // of a function that uses them
}

func startLedger(t *testing.T, arguments ...string) *ledger {
	t.Helper()
	if testing.Short() {
		t.Skip("make test-valkey runs it")
	}
	l := &ledger{Server: valkeytest.Start(t, append(valkeytest.Durable(), arguments...)...)}
	l.sink = sinktest.NewCloudEvents(func(string) int {
		if refuse := l.refuse.Load(); refuse != nil {
			(*refuse)()
			return http.StatusServiceUnavailable
		}
		return 0
	})
	t.Cleanup(l.sink.Close)
	l.proxy = valkeytest.NewProxy(t, l.Address)
	own, err := valkey.New(&config.ValkeyServer{Address: l.Address, Prefix: "dds-backup-delete"}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.ledger = own
	l.settings = []string{"LEDGER=redis://" + l.proxy.Address, "LEDGER_ALLOW_VOLATILE=", "OUTCOME_SINK=" + l.sink.URL, "ALLOW_STDOUT="}
	return l
}

// dump returns what the server has on its disk, which is all that it was ever told.
func (l *ledger) dump(t *testing.T) (text string) {
	t.Helper()
	err := filepath.WalkDir(l.Folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var content []byte
			content, err = os.ReadFile(path)
			text += string(content)
		}
		return err
	})
	if err != nil || !strings.Contains(text, "HSET") {
		t.Fatalf("error %v, %d bytes", err, len(text))
	}
	return text
}

// tick lets time pass and ticks until nothing is due any more that was.
func (l *ledger) tick(t *testing.T, w *world, with functiongraphtest.Keys) {
	t.Helper()
	payload, err := os.ReadFile("../../events/functiongraph-timer-tick.json")
	if err != nil {
		t.Fatal(err)
	}
	for round := 0; len(ledgertest.Agenda(t, l.ledger)) > 0; round++ {
		if round == 10 { // what lacks a permission waits an hour
			t.Fatalf("due for ever: %v", ledgertest.Agenda(t, l.ledger))
		}
		ledgertest.Pass(t, l.ledger, 10*time.Minute)
		w.check(t, functiongraphtest.Invocation{Payload: payload, RequestID: "tick", Header: with.Headers(), Async: true}, "", "results")
	}
}

// outcomes returns what was published about a backup. One id must have one content.
func (l *ledger) outcomes(t *testing.T, backup string) (all []deletion.Data) {
	t.Helper()
	seen := make(map[string]string)
	for _, text := range l.sink.Taken() {
		var e struct {
			ID   string
			Data deletion.Data
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		before, known := seen[e.ID]
		if known && before != text {
			t.Errorf("two events with one id:\n%s\n%s", before, text)
		}
		seen[e.ID] = text
		if !known && e.Data.BackupID == backup {
			all = append(all, e.Data)
		}
	}
	return all
}

// checkOutcome wants one outcome of a backup. It has the job id exactly if it is accepted.
func (l *ledger) checkOutcome(t *testing.T, w *world, backup string, want deletion.Status) {
	t.Helper()
	all := l.outcomes(t, backup)
	if len(all) != 1 || all[0].Status != want {
		t.Fatalf("outcomes %+v, want %s", all, want)
	}
	job := ""
	for _, j := range w.dds.Jobs() {
		if j.BackupID == backup && want == deletion.Accepted {
			job = j.ID
		}
	}
	if all[0].JobID != job {
		t.Errorf("job %q, want %q", all[0].JobID, job)
	}
}

// waitFor waits until something holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for ctx := limited(t); !holds(); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("%s: never", what)
		}
	}
}

// later is an invocation that is being worked.
type later struct {
	done   chan struct{}
	result functiongraphtest.Result
	err    error
}

func (w *world) begin(t *testing.T, in functiongraphtest.Invocation) *later {
	t.Helper()
	l := &later{done: make(chan struct{})}
	ctx := limited(t)
	go func() {
		defer close(l.done)
		l.result, l.err = w.Invoke(ctx, in)
	}()
	return l
}

// asynchronous returns an invocation that nobody waits for. A retry has the same id.
func asynchronous() functiongraphtest.Invocation {
	return functiongraphtest.Invocation{Payload: request(0), RequestID: "async-1", Header: keys.Headers(), Async: true}
}

// writes reports whether what a client sent changes the ledger.
func writes(sent []byte) bool { return bytes.Contains(sent, []byte("EVAL")) }

// A process is killed at each point of its work, and another one gets the same invocation again. Each backup has one
// outcome, and a job id that was recorded is not lost.
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		point   func(t *testing.T, l *ledger, w *world) (reached func() bool)
		outcome deletion.Status
		deletes int // that DDS got
	}{
		"before the answer of DDS": {func(_ *testing.T, _ *ledger, w *world) func() bool {
			w.dds.Inject(ddstest.Slow(time.Minute).On(http.MethodDelete))
			return func() bool { return w.dds.Delayed() > 0 }
		}, deletion.Accepted, 2},
		"after the answer, before the record": {func(t *testing.T, l *ledger, w *world) func() bool {
			t.Helper()
			held := make(chan struct{}, 100)
			l.proxy.OnCommand.Store(new(func(sent []byte) bool {
				if writes(sent) && len(w.dds.Jobs()) > 0 {
					held <- struct{}{}
					<-t.Context().Done()
					return false
				}
				return true
			}))
			return func() bool { return len(held) > 0 }
		}, deletion.Unconfirmed, 2},
		"after the record, before it is published": {func(t *testing.T, l *ledger, _ *world) func() bool {
			t.Helper()
			reached := make(chan struct{}, 100)
			hold := make(chan struct{})
			t.Cleanup(func() { close(hold) })
			l.refuse.Store(new(func() {
				reached <- struct{}{}
				<-hold
			}))
			return func() bool { return len(reached) > 0 }
		}, deletion.Accepted, 1},
	} {
		for _, redelivered := range []bool{true, false} { // otherwise the tick alone works it
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l := startLedger(t)
				w := start(t, functiongraphtest.Runtime, 0, l.settings...)
				reached := tc.point(t, l, w)
				lost := w.begin(t, asynchronous())
				waitFor(t, name, reached)
				if err := w.Kill(); err != nil {
					t.Fatal(err)
				}
				if <-lost.done; !errors.Is(lost.err, functiongraphtest.ErrExited) {
					t.Fatalf("error %v", lost.err)
				}
				l.proxy.OnCommand.Store(nil)
				l.refuse.Store(nil)
				w = startAt(t, w.dds, functiongraphtest.Runtime, 0, l.settings...)
				if redelivered {
					w.check(t, asynchronous(), "", `"backup_id"`)
				}
				l.tick(t, w, keys)
				w.check(t, asynchronous(), "", string(tc.outcome))
				l.checkOutcome(t, w, backup(0), tc.outcome)
				deletes := 0
				for _, call := range w.calls() {
					if call.Method == http.MethodDelete {
						deletes++
					}
				}
				if deletes != tc.deletes {
					t.Errorf("%d DELETEs, want %d", deletes, tc.deletes)
				}
			})
		}
	}
}

// A process is frozen in its call to DDS until another one has its lease and has recorded an outcome. When it goes on,
// it overwrites nothing, with one exception: a job id replaces unconfirmed.
func TestFrozen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault    ddstest.Fault
		meets    func(t *testing.T, w *world) // while it is frozen
		recorded deletion.Status
		then     deletion.Status
	}{
		"its call is lost": {ddstest.Slow(time.Minute), func(_ *testing.T, w *world) { w.dds.CloseConnections() }, deletion.Accepted, deletion.Accepted},
		"its call is done": {ddstest.Slow(300 * time.Millisecond), func(t *testing.T, w *world) {
			t.Helper()
			waitFor(t, "the job", func() bool { return len(w.dds.Jobs()) > 0 })
		}, deletion.Unconfirmed, deletion.Accepted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLedger(t)
			frozen := start(t, functiongraphtest.Runtime, 0, l.settings...)
			frozen.dds.Inject(tc.fault.On(http.MethodDelete))
			late := frozen.begin(t, asynchronous())
			waitFor(t, "the DELETE", func() bool { return frozen.dds.Delayed() > 0 })
			if err := frozen.Freeze(); err != nil {
				t.Fatal(err)
			}
			tc.meets(t, frozen)
			other := startAt(t, frozen.dds, functiongraphtest.Runtime, 0, l.settings...)
			l.tick(t, other, keys)
			l.checkOutcome(t, other, backup(0), tc.recorded)
			if err := frozen.Thaw(); err != nil {
				t.Fatal(err)
			}
			if <-late.done; late.err != nil || late.result.Err != nil || !strings.Contains(string(late.result.Payload), string(tc.then)) {
				t.Errorf("error %v, %v, reply %s", late.err, late.result.Err, late.result.Payload)
			}
			l.tick(t, other, keys)
			all := l.outcomes(t, backup(0))
			if tc.recorded == tc.then {
				l.checkOutcome(t, other, backup(0), tc.then)
			} else if len(all) != 2 || all[1].Status != tc.then || all[1].JobID == "" {
				t.Errorf("outcomes %+v", all)
			}
			if jobs := frozen.dds.Jobs(); len(jobs) != 1 {
				t.Errorf("jobs %+v", jobs)
			}
			item := ledgertest.Get(t, l.ledger, deletion.Key{ProjectID: functiongraphtest.ProjectID, BackupID: backup(0)})
			if item == nil || item.Answer.Status != tc.then {
				t.Errorf("the ledger has %+v", item)
			}
		})
	}
}

// A server that is down or full at each point of the work: the error says so, nothing is lost, and after a restart the
// server has what it acknowledged.
func TestTheLedgerFails(t *testing.T) {
	t.Parallel()
	const begin, record, publish = "before the DELETE", "at the record", "when it is published"
	for failure, says := range map[string]string{
		"down": "did not answer: ", "full": "the server is full and wrote nothing; expected more memory (maxmemory)",
	} {
		for at, want := range map[string]struct {
			kind, text string
			outcomes   []deletion.Status
		}{
			begin:   {"DDS.Unavailable", "the ledger could not be used, so nothing was deleted; the log has its error", []deletion.Status{deletion.Accepted}},
			record:  {"", `"status":"accepted"`, []deletion.Status{deletion.Accepted, deletion.Unconfirmed}}, // published with the job id, at least
			publish: {"", `"message":"the outcome could not be published"`, []deletion.Status{deletion.Accepted}},
		} {
			t.Run(failure+" "+at, func(t *testing.T) {
				t.Parallel()
				l := startLedger(t)
				w := start(t, functiongraphtest.Runtime, 3*time.Second, l.settings...)
				earlier := asynchronous()
				earlier.Payload, earlier.RequestID = request(1), "earlier"
				w.check(t, earlier, "", "accepted")
				fail := l.Kill
				if failure == "full" {
					fail = func() { l.Command("CONFIG", "SET", "maxmemory", "1") }
				}
				switch at {
				case begin:
					fail()
				case record:
					w.dds.Inject(ddstest.Slow(300 * time.Millisecond).On(http.MethodDelete))
				case publish:
					l.refuse.Store(new(sync.OnceFunc(fail)))
				}
				failing := w.begin(t, asynchronous())
				if at == record {
					waitFor(t, "the DELETE", func() bool { return w.dds.Delayed() > 0 })
					fail()
				}
				<-failing.done
				check(t, failing.result, failing.err, want.kind, want.text)
				if at != publish {
					waitFor(t, says, func() bool { return strings.Contains(w.Output(), says) })
				}
				l.refuse.Store(nil)
				l.Kill()
				l.Restart()
				if at == begin { // FunctionGraph's retry
					w.check(t, asynchronous(), "", "accepted")
				}
				l.tick(t, w, keys)
				var statuses []deletion.Status
				for _, o := range l.outcomes(t, backup(0)) {
					statuses = append(statuses, o.Status)
				}
				if !slices.Equal(statuses, want.outcomes) {
					t.Errorf("outcomes %v, want %v", statuses, want.outcomes)
				}
				if jobs := w.dds.Jobs(); len(jobs) != 2 || l.outcomes(t, backup(0))[0].JobID != jobs[1].ID {
					t.Errorf("jobs %+v", jobs)
				}
				w.check(t, earlier, "", `"replayed":true`)
			})
		}
	}
}

// A server that forgets is refused at start, with its reason. One that is down is not: it may be back in a minute.
func TestTheLedgerAtStart(t *testing.T) {
	t.Parallel()
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	for name, tc := range map[string]struct {
		arguments []string
		says      string
	}{
		"no persistence": {nil, "has no persistence"},
		"evicts":         {append(valkeytest.Durable(), "--maxmemory-policy", "allkeys-lru"), "evicts keys when it is full (maxmemory-policy allkeys-lru)"},
		"a password":     {append(valkeytest.Durable(), "--requirepass", "the-password"), "the server asks for a password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := valkeytest.Start(t, tc.arguments...)
			f, err := functiongraphtest.Start(limited(t), functiongraphtest.Options{
				Binary: binary, Env: settings(server, "LEDGER=redis://"+s.Address, "LEDGER_ALLOW_VOLATILE="),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			if err := f.Wait(limited(t)); err != nil || f.ExitCode() != 1 || !strings.Contains(f.Output(), "LEDGER: the server") || !strings.Contains(f.Output(), tc.says) {
				t.Errorf("error %v, exit code %d: %s", err, f.ExitCode(), f.Output())
			}
		})
	}
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		l := startLedger(t)
		l.Kill()
		w := start(t, functiongraphtest.Container, 0, l.settings...)
		if !strings.Contains(w.Output(), "LEDGER: not reached at start, and tried again for each request") {
			t.Error("no warning")
		}
		l.Restart()
		w.check(t, asynchronous(), "", "accepted")
	})
}
