package deletion_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dds-backup-delete/internal/deletion"
)

// The event id of a request that is rejected without asking DDS depends on the whole request: no other
// event shares it, and a repeat keeps it.
func TestRefusalsThatDifferHaveTheirOwnIDs(t *testing.T) {
	base := deletion.Request{ID: "message", Source: "sqs", BackupID: "a.b"}
	refusal := func(message string) *deletion.Error {
		return &deletion.Error{Class: deletion.ClassInvalid, Message: message}
	}
	variants := map[string]func(*deletion.Request){
		"as it is":               func(*deletion.Request) {},
		"another id of the kind": func(r *deletion.Request) { r.BackupID = "c.d" },
		"an id of another kind":  func(r *deletion.Request) { r.BackupID = "a/b" },
		"no id":                  func(r *deletion.Request) { r.BackupID = "" },
		"another place":          func(r *deletion.Request) { r.Field = "backup_ids[0]" },
		"a message":              func(r *deletion.Request) { r.Err = refusal("one") },
		"another message":        func(r *deletion.Request) { r.Err = refusal("two") },
		"another request":        func(r *deletion.Request) { r.ID = "another" },
		"another source":         func(r *deletion.Request) { r.Source = "direct" },
		"another project":        func(r *deletion.Request) { r.ProjectID = "elsewhere" },
		"yet another project":    func(r *deletion.Request) { r.ProjectID = "nowhere" },
		"another region":         func(r *deletion.Request) { r.Region = "eu-west-101" },
		"a trace":                func(r *deletion.Request) { r.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
		"another trace":          func(r *deletion.Request) { r.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332-01" },
	}
	names := make(map[string]string) // by event id
	for name, change := range variants {
		r := base
		change(&r)
		first, again := publishOne(t, r, "", nil), publishOne(t, r, "", nil)
		if first.ID != again.ID || string(first.JSON) != string(again.JSON) {
			t.Errorf("%s: a repeat differs:\n%s\n%s", name, first.JSON, again.JSON)
		}
		if other, taken := names[first.ID]; taken {
			t.Errorf("%s and %s share an id", name, other)
		}
		names[first.ID] = name
		var e struct{ ID string }
		if err := json.Unmarshal(first.JSON, &e); err != nil || e.ID != first.ID {
			t.Errorf("%s: id %q in %s", name, e.ID, first.JSON)
		}
	}
}

// A request that the configuration rejects and, after the configuration changed, DDS rejects, has two
// outcomes.
func TestARefusalBeforeDDSAndOneOfDDS(t *testing.T) {
	r := deletion.Request{ID: "message", Source: "sqs", BackupID: "a", Err: &deletion.Error{Class: deletion.ClassInvalid, Message: "m"}}
	before := publishOne(t, r, "", nil)
	r.Err = nil
	if after := publishOne(t, r, "", &deletion.Error{Class: deletion.ClassInvalid, Message: "m"}); after.ID == before.ID {
		t.Errorf("one id:\n%s\n%s", before.JSON, after.JSON)
	}
}

// No ledger keeps the outcomes of dry runs, so the id of each depends on its content.
func TestDryRunsThatDiffer(t *testing.T) {
	n := 0
	d := &deleter{check: func(string) error {
		n++
		return &deletion.Error{Class: deletion.ClassNotFound, DDSRequestID: fmt.Sprint(n)}
	}, delete: func(context.Context, string) (deletion.Deletion, error) {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound, DDSRequestID: "real"}
	}}
	s := &sink{}
	sv := service(d, s, nil)
	for _, dryRun := range []bool{true, true, false} {
		r := requests("a")[0]
		r.DryRun, sv.RequireManual = dryRun, dryRun
		sv.Do(t.Context(), []deletion.Request{r})
	}
	if len(s.taken) != 3 || s.taken[0].ID == s.taken[1].ID || s.taken[1].ID == s.taken[2].ID || s.taken[0].ID == s.taken[2].ID {
		t.Errorf("events %+v", s.taken)
	}
}

// Many requests for one backup with long events fit the limit of one write; those past the limit are
// retried.
func TestOneWriteIsBounded(t *testing.T) {
	d := &deleter{delete: func(context.Context, string) (deletion.Deletion, error) {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound}
	}}
	s := &sink{}
	sv := service(d, s, nil)
	l := &measuring{Ledger: memory()}
	sv.Ledger = l
	var in []deletion.Request
	for i := range 50 {
		in = append(in, deletion.Request{ID: fmt.Sprintf("%04d", i) + strings.Repeat("<", 1020), Source: "sqs", BackupID: "a"})
	}
	decided := 0
	for round := 0; decided < len(in) && round < 5; round++ {
		decided = 0
		for i, o := range sv.Do(t.Context(), in) {
			switch {
			case o.Status == deletion.NotFound:
				decided++
			case o.Status != deletion.Retry || o.Err.Class != deletion.ClassUnavailable || o.Event.ID != "":
				t.Errorf("outcome %d is %s %+v", i, o.Status, o.Err)
			}
		}
	}
	if decided != len(in) || l.most > deletion.MaxRecorded || l.most < deletion.MaxRecorded/2 {
		t.Errorf("%d of %d decided, up to %d bytes in a write", decided, len(in), l.most)
	}
}

// measuring is a ledger that notes the largest number of bytes of events in one call.
type measuring struct {
	deletion.Ledger

	most int
}

func (m *measuring) Swap(ctx context.Context, old, next *deletion.Item) (*deletion.Item, error) {
	if old == nil {
		return m.Ledger.Swap(ctx, old, next)
	}
	size := 0
	for key, a := range next.Answers {
		if _, there := old.Answers[key]; !there {
			size += len(a.Event)
		}
	}
	m.most = max(m.most, size)
	return m.Ledger.Swap(ctx, old, next)
}
