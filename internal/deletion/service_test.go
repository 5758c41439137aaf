package deletion_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
)

const project = "0549b4a43100d4f32f51c01c2fe4acdb"

// deleter is a [deletion.Backups] made of functions. It counts calls.
type deleter struct {
	mu           sync.Mutex
	delete       func(ctx context.Context, backupID string) (deletion.Deletion, error)
	check        func(backupID string) error // of the look-up; nil if it shows a backup that may be deleted
	calls        []string
	checks       []string
	targets      []deletion.Target
	now, highest int
}

func (d *deleter) DeleteBackup(ctx context.Context, backup deletion.Target, _ bool) (deletion.Deletion, error) {
	d.mu.Lock()
	d.calls = append(d.calls, backup.BackupID)
	d.targets = append(d.targets, backup)
	d.now++
	d.highest = max(d.highest, d.now)
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.now--
		d.mu.Unlock()
	}()
	return d.delete(ctx, backup.BackupID)
}

func (d *deleter) LookUp(_ context.Context, backup deletion.Target) (deletion.Sight, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.checks = append(d.checks, backup.BackupID)
	if d.check != nil {
		if err := d.check(backup.BackupID); err != nil {
			return deletion.Sight{}, err
		}
	}
	return deletion.Sight{Backup: &deletion.Backup{Type: "Manual", Status: "COMPLETED", SizeKB: 42}}, nil
}

func (*deleter) Job(context.Context, deletion.Target, string) (deletion.JobStatus, string, error) {
	return deletion.JobUnknown, "", nil
}

func (*deleter) List(context.Context, string, string) (map[string]deletion.Sight, error) {
	return map[string]deletion.Sight{}, nil
}

// sink is a [deletion.Sink] made of a function; without one, it takes everything.
type sink struct {
	mu      sync.Mutex
	publish func(ctx context.Context, events []deletion.Event) []error
	taken   []deletion.Event
}

func (s *sink) Publish(ctx context.Context, events []deletion.Event) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, events...)
	if s.publish == nil {
		return make([]error, len(events))
	}
	return s.publish(ctx, events)
}

func service(d *deleter, s *sink, log *slog.Logger) *deletion.Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &deletion.Service{
		Backups: d, Ledger: ledger.NewMemory(1000, nil), Sink: s, Concurrency: 32, Log: log,
		Scope: deletion.Scope{Region: "cn-north-4", ProjectID: project},
	}
}

func accept(_ context.Context, backupID string) (deletion.Deletion, error) {
	return deletion.Deletion{JobID: "job-of-" + backupID}, nil
}

func requests(ids ...string) []deletion.Request {
	var out []deletion.Request
	for i, id := range ids {
		out = append(out, deletion.Request{ID: fmt.Sprintf("message-%d", i), Source: "sqs", BackupID: id})
	}
	return out
}

func statuses(outcomes []deletion.Outcome) []deletion.Status {
	var out []deletion.Status
	for _, o := range outcomes {
		out = append(out, o.Status)
	}
	return out
}

func TestVerdictFollowsTheClass(t *testing.T) {
	for _, tc := range []struct {
		name   string
		jobID  string
		err    error
		status deletion.Status
		class  deletion.Class
		wait   time.Duration
	}{
		{name: "a job", jobID: "job", status: deletion.Accepted},
		{name: "no job", status: deletion.Unconfirmed, class: deletion.ClassUnavailable},
		{name: "gone", err: &deletion.Error{Class: deletion.ClassNotFound}, status: deletion.NotFound, class: deletion.ClassNotFound},
		{name: "invalid", err: &deletion.Error{Class: deletion.ClassInvalid}, status: deletion.Rejected, class: deletion.ClassInvalid},
		{name: "forbidden", err: &deletion.Error{Class: deletion.ClassForbidden}, status: deletion.Retry, class: deletion.ClassForbidden, wait: time.Hour},
		{name: "bad key", err: &deletion.Error{Class: deletion.ClassUnauthenticated}, status: deletion.Retry, class: deletion.ClassUnauthenticated, wait: 5 * time.Minute},
		{name: "busy instance", err: &deletion.Error{Class: deletion.ClassConflict}, status: deletion.Retry, class: deletion.ClassConflict, wait: 5 * time.Minute},
		{name: "a code in no table", err: &deletion.Error{Class: deletion.ClassUnknown}, status: deletion.Retry, class: deletion.ClassUnknown, wait: 5 * time.Minute},
		{name: "throttled", err: &deletion.Error{Class: deletion.ClassThrottled, RetryAfter: 7 * time.Second}, status: deletion.Retry, class: deletion.ClassThrottled, wait: 7 * time.Second},
		{name: "a code in no table", err: &deletion.Error{Class: deletion.ClassUnknown, Code: "DBS.999999"}, status: deletion.Retry, class: deletion.ClassUnknown, wait: 5 * time.Minute},
		{name: "unavailable", err: &deletion.Error{Class: deletion.ClassUnavailable}, status: deletion.Retry, class: deletion.ClassUnavailable, wait: 15 * time.Second},
		{name: "some other error", err: errors.New("boom"), status: deletion.Retry, class: deletion.ClassInternal, wait: time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := &deleter{delete: func(context.Context, string) (deletion.Deletion, error) {
				return deletion.Deletion{JobID: tc.jobID}, tc.err
			}}
			s := &sink{}
			o := service(d, s, nil).Do(t.Context(), requests("backup"))[0]
			if o.Status != tc.status || o.JobID != tc.jobID {
				t.Errorf("outcome %s %q, want %s %q", o.Status, o.JobID, tc.status, tc.jobID)
			}
			var class deletion.Class
			var wait time.Duration
			if o.Err != nil {
				class, wait = o.Err.Class, o.Err.RetryAfter
			}
			if class != tc.class || wait != tc.wait {
				t.Errorf("class %q after %v, want %q after %v", class, wait, tc.class, tc.wait)
			}
			if published := len(s.taken) == 1; published != (tc.status != deletion.Retry) {
				t.Errorf("%d events published for %s", len(s.taken), tc.status)
			}
		})
	}
}

func TestWhatCannotBeABackupNeverReachesDDS(t *testing.T) {
	for name, id := range map[string]string{
		"empty":             "",
		"slash":             "a/b",
		"parent":            "..",
		"dot":               ".",
		"encoded slash":     "a%2Fb",
		"query":             "a?b=c",
		"fragment":          "a#b",
		"newline":           "a\nb",
		"NUL":               "a\x00b",
		"space":             "a b",
		"Unicode":           "bäckup",
		"replaced bytes":    "a\uFFFDb",
		"not UTF-8":         "a\xffb",
		"backslash":         `a\b`,
		"longer than an id": strings.Repeat("a", 65),
	} {
		t.Run(name, func(t *testing.T) {
			d, s := &deleter{delete: accept}, &sink{}
			good := requests(id, "good")
			got := service(d, s, nil).Do(t.Context(), good)
			if want := []deletion.Status{deletion.Rejected, deletion.Accepted}; !cmp.Equal(statuses(got), want) {
				t.Errorf("statuses %v, want %v", statuses(got), want)
			}
			if !cmp.Equal(d.calls, []string{"good"}) {
				t.Errorf("DDS was asked for %q", d.calls)
			}
			if e := got[0].Err; e.Class != deletion.ClassInvalid || !strings.HasPrefix(e.Message, "backup_id: ") {
				t.Errorf("error %+v, want one about backup_id", e)
			}
			for _, e := range s.taken {
				if !json.Valid(e.JSON) || (id != "" && e.Subject == id) {
					t.Errorf("event %s repeats the bad id", e.JSON)
				}
			}
		})
	}
}

// A request outside the scope is rejected, and what a request leaves out comes from the configuration.
func TestScope(t *testing.T) {
	const other = "11111111111111111111111111111111"
	for name, tc := range map[string]struct {
		region, project string
		says            string // empty if the request is in scope
		target          deletion.Target
	}{
		"nothing named":          {target: deletion.Target{Region: "cn-north-4", ProjectID: project}},
		"the configured ones":    {region: "cn-north-4", project: project, target: deletion.Target{Region: "cn-north-4", ProjectID: project}},
		"an allowed project":     {project: "allowed", target: deletion.Target{Region: "cn-north-4", ProjectID: "allowed"}},
		"an allowed region":      {region: "eu-west-101", project: "allowed", target: deletion.Target{Region: "eu-west-101", ProjectID: "allowed"}},
		"region, no project":     {region: "eu-west-101", says: "project_id: missing"},
		"another region":         {region: "ru-moscow-1", project: "allowed", says: "region: "},
		"another project":        {project: other, says: "project_id: "},
		"a project as a path":    {project: "../" + project, says: "project_id: "},
		"a region as an address": {region: "evil.example.com/", project: project, says: "region: "},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := &deleter{delete: accept}, &sink{}
			sv := service(d, s, nil)
			sv.Scope.Regions, sv.Scope.Projects = []string{"eu-west-101"}, []string{"allowed"}
			reqs := requests("a")
			reqs[0].Region, reqs[0].ProjectID = tc.region, tc.project
			o := sv.Do(t.Context(), reqs)[0]
			if tc.says == "" {
				tc.target.BackupID = "a"
				if o.Status != deletion.Accepted || !cmp.Equal(d.targets, []deletion.Target{tc.target}) {
					t.Errorf("%s, DDS was asked for %+v", o.Status, d.targets)
				}
				if want := "urn:huaweicloud:dds:" + tc.target.Region + ":" + tc.target.ProjectID; o.Event.Source != want {
					t.Errorf("event source %q, want %q", o.Event.Source, want)
				}
				return
			}
			if o.Status != deletion.Rejected || !strings.HasPrefix(o.Err.Message, tc.says) || len(d.calls) != 0 {
				t.Errorf("%s, %v, DDS was asked for %q", o.Status, o.Err, d.calls)
			}
			if e := s.taken[0]; strings.Contains(string(e.JSON), "..") || strings.Contains(string(e.JSON), "evil") || strings.Contains(string(e.JSON), other) {
				t.Errorf("the event repeats what is out of scope: %s", e.JSON)
			}
		})
	}
}

func TestDuplicatesShareOneDeletion(t *testing.T) {
	d, s := &deleter{delete: accept}, &sink{}
	got := service(d, s, nil).Do(t.Context(), requests("a", "b", "a", "a"))
	if len(d.calls) != 2 {
		t.Errorf("DDS was asked %d times, want 2", len(d.calls))
	}
	if len(s.taken) != 2 {
		t.Errorf("%d events, want 2", len(s.taken))
	}
	for i, o := range got {
		if o.Request.ID != fmt.Sprintf("message-%d", i) || o.JobID != "job-of-"+o.Request.BackupID {
			t.Errorf("outcome %d is of %s with %s", i, o.Request.ID, o.JobID)
		}
	}
	if !cmp.Equal(got[0].Event, got[2].Event) {
		t.Errorf("twins have two events: %+v and %+v", got[0].Event, got[2].Event)
	}
}

func TestDuplicatesShareAFailureToo(t *testing.T) {
	d := &deleter{delete: func(context.Context, string) (deletion.Deletion, error) {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict}
	}}
	got := service(d, &sink{}, nil).Do(t.Context(), requests("a", "a"))
	if want := []deletion.Status{deletion.Retry, deletion.Retry}; !cmp.Equal(statuses(got), want) {
		t.Errorf("statuses %v, want %v", statuses(got), want)
	}
}

func TestOneBadRecordHarmsNoOther(t *testing.T) {
	d := &deleter{delete: func(ctx context.Context, id string) (deletion.Deletion, error) {
		switch id {
		case "panics":
			panic("at the disco")
		case "fails":
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassUnavailable}
		}
		return accept(ctx, id)
	}}
	reqs := requests("a", "panics", "b", "fails", "c", "unreadable")
	reqs[5].Err = &deletion.Error{Class: deletion.ClassInvalid, Message: "malformed"}
	got := service(d, &sink{}, nil).Do(t.Context(), reqs)
	want := []deletion.Status{
		deletion.Accepted, deletion.Retry, deletion.Accepted, deletion.Retry, deletion.Accepted, deletion.Rejected,
	}
	if !cmp.Equal(statuses(got), want) {
		t.Errorf("statuses %v, want %v", statuses(got), want)
	}
	if got[1].Err.Class != deletion.ClassInternal {
		t.Errorf("class of a panic is %s", got[1].Err.Class)
	}
}

func TestWhatTheSinkDidNotTakeIsGivenBack(t *testing.T) {
	refused := errors.New("refused")
	for name, publish := range map[string]func(context.Context, []deletion.Event) []error{
		"one refused":  func(context.Context, []deletion.Event) []error { return []error{nil, refused, nil} },
		"panic":        func(context.Context, []deletion.Event) []error { panic("sink") },
		"no answer":    func(context.Context, []deletion.Event) []error { return nil },
		"short answer": func(context.Context, []deletion.Event) []error { return []error{nil} },
	} {
		t.Run(name, func(t *testing.T) {
			got := service(&deleter{delete: accept}, &sink{publish: publish}, nil).Do(t.Context(), requests("a", "b", "c"))
			for i, o := range got {
				lost := name != "one refused" || i == 1
				if (o.Status == deletion.Retry) != lost {
					t.Errorf("outcome %d is %s", i, o.Status)
				}
				if lost && (o.Err.Class != deletion.ClassUndelivered || o.JobID == "" || o.Event.ID != "") {
					t.Errorf("outcome %d: %+v with job %q", i, o.Err, o.JobID)
				}
			}
		})
	}
}

func TestABatchIsWorkedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const trip = 20 * time.Millisecond
		d := &deleter{delete: func(ctx context.Context, id string) (deletion.Deletion, error) {
			time.Sleep(trip) // of the bubble's own clock
			return accept(ctx, id)
		}}
		s := &sink{publish: func(_ context.Context, events []deletion.Event) []error {
			time.Sleep(trip)
			return make([]error, len(events))
		}}
		var ids []string
		for i := range 10 {
			ids = append(ids, fmt.Sprintf("backup-%d", i))
		}
		sv := service(d, s, nil)
		start := time.Now()
		sv.Do(t.Context(), requests(ids...))
		if took := time.Since(start); took != 2*trip {
			t.Errorf("ten deletions took %v, want two round trips", took)
		}

		sv.Concurrency, d.highest, sv.Ledger = 3, 0, ledger.NewMemory(1000, nil)
		start = time.Now()
		sv.Do(t.Context(), requests(ids...))
		if took := time.Since(start); took != 5*trip || d.highest != 3 {
			t.Errorf("ten deletions, three at a time, took %v with %d at once", took, d.highest)
		}
	})
}

func TestEveryRecordIsAnsweredBeforeTheDeadline(t *testing.T) {
	hang := func(ctx context.Context, _ string) (deletion.Deletion, error) {
		<-ctx.Done()
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassUnavailable, Message: ctx.Err().Error()}
	}
	for name, tc := range map[string]struct {
		left                 time.Duration
		slowDelete, slowSink bool
	}{
		"DDS hangs":           {left: 30 * time.Second, slowDelete: true},
		"DDS hangs, short":    {left: time.Second, slowDelete: true},
		"the sink hangs":      {left: 30 * time.Second, slowSink: true},
		"nothing left":        {left: 0, slowDelete: true, slowSink: true},
		"over before it came": {left: -time.Second, slowDelete: true, slowSink: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, s := &deleter{delete: accept}, &sink{}
				if tc.slowDelete {
					d.delete = func(ctx context.Context, id string) (deletion.Deletion, error) {
						if id == "quick" && tc.left > 0 {
							return accept(ctx, id)
						}
						return hang(ctx, id)
					}
				}
				if tc.slowSink {
					s.publish = func(ctx context.Context, events []deletion.Event) []error {
						<-ctx.Done()
						errs := make([]error, len(events))
						for i := range errs {
							errs[i] = ctx.Err()
						}
						return errs
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), tc.left)
				defer cancel()
				sv := service(d, s, nil)
				sv.Concurrency = 2 // so that some never start
				got := sv.Do(ctx, requests("quick", "slow-1", "slow-2", "slow-3", "slow-4"))
				if tc.left > 0 && ctx.Err() != nil {
					t.Error("the deadline passed before the answer")
				}
				for i, o := range got {
					want := deletion.Retry
					if i == 0 && tc.left > 0 && !tc.slowSink {
						want = deletion.Accepted
					}
					if o.Status != want {
						t.Errorf("outcome %d is %s, want %s", i, o.Status, want)
					}
				}
				if published := len(s.taken) > 0; published != (tc.left > 0) {
					t.Errorf("%d events were tried", len(s.taken))
				}
			})
		})
	}
}

func TestTheJobIDIsLoggedBeforeItIsPublished(t *testing.T) {
	var log bytes.Buffer
	s := &sink{publish: func(_ context.Context, events []deletion.Event) []error {
		if !strings.Contains(log.String(), `"job_id":"job-of-a"`) {
			t.Error("published before the job id was in the log")
		}
		return make([]error, len(events))
	}}
	service(&deleter{delete: accept}, s, slog.New(slog.NewJSONHandler(&log, nil))).Do(t.Context(), requests("a"))
	quiet := new(bytes.Buffer)
	service(&deleter{delete: accept}, &sink{}, slog.New(slog.NewJSONHandler(quiet, &slog.HandlerOptions{Level: slog.LevelError}))).Do(t.Context(), requests("a"))
	if !strings.Contains(quiet.String(), `"job_id":"job-of-a"`) {
		t.Error("a quiet log has no job id")
	}

	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("log:\n%s\nwant a line for the job and one for the outcome", log.String())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[1]), &line); err != nil {
		t.Fatal(err)
	}
	if ms, ok := line["dds_ms"].(float64); !ok || ms < 0 {
		t.Errorf("dds_ms is %v", line["dds_ms"])
	}
	delete(line, "time")
	delete(line, "dds_ms")
	want := map[string]any{
		"level": "INFO", "msg": "outcome", "request_id": "message-0", "source": "sqs", "project_id": project,
		"backup_id": "a", "status": "accepted", "job_id": "job-of-a", "event_id": line["event_id"],
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("outcome line (-want +got):\n%s", diff)
	}
}

func TestEmptyBatch(t *testing.T) {
	s := &sink{publish: func(context.Context, []deletion.Event) []error { panic("nothing to publish") }}
	if got := service(&deleter{}, s, nil).Do(t.Context(), nil); len(got) != 0 {
		t.Errorf("outcomes %v of no requests", got)
	}
}
