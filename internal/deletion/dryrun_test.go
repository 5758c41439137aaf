package deletion_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
)

// untouchable is a ledger that must not be called.
type untouchable struct{ t *testing.T }

func (u untouchable) Get(context.Context, deletion.Key) (*deletion.Item, error) {
	u.t.Error("a dry run called Get")
	return nil, errDown
}

func (u untouchable) Swap(context.Context, *deletion.Item, *deletion.Item) (*deletion.Item, error) {
	u.t.Error("a dry run called Swap")
	return nil, errDown
}

func (u untouchable) Due(context.Context, deletion.Agenda, time.Time, int, string) ([]deletion.Key, string, error) {
	u.t.Error("a dry run called Due")
	return nil, "", errDown
}

// dry returns requests as dry runs.
func dry(requests []deletion.Request) []deletion.Request {
	for i := range requests {
		requests[i].DryRun = true
	}
	return requests
}

// A dry run only looks, whichever option asks for it: no DELETE, and no call to the ledger.
func TestDryRunOnlyLooks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		status deletion.Status
	}{
		{"nothing is against it", nil, deletion.Simulated},
		{"there is no such backup", &deletion.Error{Class: deletion.ClassNotFound}, deletion.NotFound},
		{"it is no manual backup", &deletion.Error{Class: deletion.ClassInvalid}, deletion.Rejected},
		{"its instance is busy", &deletion.Error{Class: deletion.ClassConflict}, deletion.Retry},
		{"another error", errors.New("boom"), deletion.Retry},
	} {
		for _, everywhere := range []bool{true, false} { // DRY_RUN, or dry_run in the request
			t.Run(fmt.Sprintf("%s, DRY_RUN=%v", tc.name, everywhere), func(t *testing.T) {
				d := &deleter{check: func(string) error { return tc.err }}
				s := &sink{}
				sv := service(d, s, nil)
				sv.Ledger, sv.DryRun, sv.RequireManual = untouchable{t}, everywhere, true
				in := requests("a", "b")
				if !everywhere {
					dry(in)
				}
				got := sv.Do(t.Context(), in)
				if diff := cmp.Diff([]deletion.Status{tc.status, tc.status}, statuses(got)); diff != "" {
					t.Errorf("statuses (-want +got):\n%s", diff)
				}
				if len(d.calls) != 0 || len(d.checks) != 2 {
					t.Errorf("DDS was asked to delete %v, looked up were %v", d.calls, d.checks)
				}
				if published := len(s.taken) == 2; published != (tc.status != deletion.Retry) {
					t.Errorf("%d events", len(s.taken))
				}
			})
		}
	}
}

// A dry run does not see what the ledger knows, and the ledger does not see the dry run.
func TestDryRunBesideRealRequests(t *testing.T) {
	d, s := &deleter{delete: accept}, &sink{}
	sv := service(d, s, nil)
	for _, step := range []struct {
		name    string
		request deletion.Request
		status  deletion.Status
	}{
		{"a dry run first", dry(requests("a"))[0], deletion.Simulated},
		{"the real request after it", requests("a")[0], deletion.Accepted},
		{"a dry run of what is done", dry(requests("a"))[0], deletion.Simulated},
		{"the repeat of the real request", requests("a")[0], deletion.Accepted},
	} {
		o := sv.Do(t.Context(), []deletion.Request{step.request})[0]
		if o.Status != step.status || o.Replayed != (step.name == "the repeat of the real request") {
			t.Errorf("%s: %s, replayed: %v", step.name, o.Status, o.Replayed)
		}
	}
	if len(d.calls) != 1 {
		t.Errorf("calls %v", d.calls)
	}
	ids := make(map[string]string)
	for _, e := range s.taken {
		if before, seen := ids[e.ID]; seen && before != string(e.JSON) {
			t.Errorf("two events with one id:\n%s\n%s", before, e.JSON)
		}
		ids[e.ID] = string(e.JSON)
	}
}

// A dry run that is killed while it looks leaves nothing behind for a real request, and a running
// one makes no real request wait.
func TestDryRunHoldsNothing(t *testing.T) {
	var warned []bool
	l := memory()
	deleting := service(nil, &sink{}, nil)
	deleting.Ledger = l
	deleting.Backups = deleteFunc(func(_ context.Context, _ deletion.Target, maybeSent bool) (deletion.Deletion, error) {
		warned = append(warned, maybeSent)
		return deletion.Deletion{JobID: "job"}, nil
	})
	looking := service(&deleter{check: func(string) error {
		if o := deleting.Do(t.Context(), requests("a"))[0]; o.Status != deletion.Accepted {
			t.Errorf("beside a dry run: %s %+v", o.Status, o.Err)
		}
		panic("the end of the process")
	}}, &sink{}, nil)
	looking.Ledger, looking.DryRun, looking.RequireManual = l, true, true
	if o := looking.Do(t.Context(), requests("a"))[0]; o.Status != deletion.Retry || o.Err.Class != deletion.ClassInternal {
		t.Errorf("%s %+v", o.Status, o.Err)
	}
	if diff := cmp.Diff([]bool{false}, warned); diff != "" {
		t.Errorf("warnings of a DELETE that may have been sent (-want +got):\n%s", diff)
	}
}

// A dry run and a real request for one backup in one batch share neither call nor outcome.
func TestDryRunInABatch(t *testing.T) {
	for _, order := range []string{"", "group"} {
		in := requests("a", "a", "a", "a")
		for i := range in {
			in[i].Order, in[i].MessageID, in[i].DryRun = order, in[i].ID, i%2 == 0
		}
		d, s := &deleter{delete: accept}, &sink{}
		got := statuses(service(d, s, nil).Do(t.Context(), in))
		want := []deletion.Status{deletion.Simulated, deletion.Accepted, deletion.Simulated, deletion.Accepted}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order %q: statuses (-want +got):\n%s", order, diff)
		}
		if len(d.calls) != 1 || len(s.taken) != 3 {
			t.Errorf("order %q: calls %v, %d events", order, d.calls, len(s.taken))
		}
	}
}

// A dry run takes its turn in an order, and holds back the requests after it if it must be retried.
func TestDryRunInAnOrder(t *testing.T) {
	in := ordered("A/1/a", "A/2/busy", "A/3/b")
	in[1].DryRun = true
	d := &deleter{delete: accept, check: func(id string) error {
		if id == "busy" {
			return &deletion.Error{Class: deletion.ClassConflict}
		}
		return nil
	}}
	sv := service(d, &sink{}, nil)
	sv.RequireManual = true
	got := statuses(sv.Do(t.Context(), in))
	if diff := cmp.Diff([]deletion.Status{deletion.Accepted, deletion.Retry, deletion.Retry}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a"}, d.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// The metadata of a request is in the log line of its outcome, as JSON, and nowhere else.
func TestMetadataIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := &sink{}
	in := requests("a", "not an id")
	for i := range in {
		in[i].Metadata = []byte(`{"ticket":["OPS-1",7]}`)
	}
	got := service(&deleter{delete: accept}, s, slog.New(slog.NewJSONHandler(&log, nil))).Do(t.Context(), in)
	if n := strings.Count(log.String(), `"metadata":{"ticket":["OPS-1",7]}`); n != 2 {
		t.Errorf("the metadata is in the log %d times, want once for each request:\n%s", n, log.String())
	}
	for i, o := range got {
		if bytes.Contains(o.Event.JSON, []byte("OPS-1")) {
			t.Errorf("the metadata is published: %s", o.Event.JSON)
		}
		in[i].Metadata = nil
		if id := publishOne(t, in[i], "job-of-a", nil).ID; id != o.Event.ID {
			t.Error("the metadata is part of the identity")
		}
	}
}

// A failed lookup of the project says nothing about the requests, whatever its error is.
func TestProjectThatIsNotFoundDecidesNothing(t *testing.T) {
	for _, class := range []deletion.Class{deletion.ClassInvalid, deletion.ClassNotFound, deletion.ClassUnavailable} {
		s := &sink{}
		sv := service(&deleter{delete: accept}, s, nil)
		sv.Scope.ProjectID = ""
		sv.FindProject = func(context.Context) (string, error) { return "", &deletion.Error{Class: class} }
		if o := sv.Do(t.Context(), requests("a"))[0]; o.Status != deletion.Retry || len(s.taken) != 0 {
			t.Errorf("%s: %s, %d events", class, o.Status, len(s.taken))
		}
	}
}
