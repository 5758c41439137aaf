// Package ledgertest holds the contract of [deletion.Ledger] as tests, which every ledger must pass.
package ledgertest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/clocktest"
	"dds-backup-delete/internal/deletion"
)

// Contract runs every test of the contract, each on a ledger of its own.
func Contract(t *testing.T, newLedger func(t *testing.T, now func() time.Time) deletion.Ledger) {
	for name, test := range map[string]func(*testing.T, deletion.Ledger, *clocktest.Clock){
		"ReadsWhatWasWritten":          testReadsWhatWasWritten,
		"ReplacesOnlyWhatWasRead":      testReplacesOnlyWhatWasRead,
		"OneOfManySwapsWins":           testOneOfManySwapsWins,
		"NoSwapIsLost":                 testNoSwapIsLost,
		"WhatIsGoneIsNotThere":         testWhatIsGoneIsNotThere,
		"WhatWasReadStays":             testWhatWasReadStays,
		"BackupsOfProjectsDoNotMix":    testBackupsOfProjectsDoNotMix,
		"WhatIsDueNeverExpires":        testWhatIsDueNeverExpires,
		"DueInOrder":                   testDueInOrder,
		"DueByKind":                    testDueByKind,
		"DueOnPages":                   testDueOnPages,
		"DueGoesOnAfterWhatIsDoneThen": testDueGoesOnAfterWhatIsDoneThen,
	} {
		t.Run(name, func(t *testing.T) {
			c := NewClock()
			test(t, newLedger(t, c.Now), c)
		})
	}
}

// FullItem returns an item of a backup in which everything is set that a ledger keeps.
func FullItem(backupID string) *deletion.Item {
	times := NewClock()
	now := func() time.Time {
		times.Pass(time.Minute + time.Millisecond)
		return times.Now().UTC()
	}
	request := deletion.Request{
		ID: "id", Source: "sqs", Origin: "origin", MessageID: "message", Field: "backup_ids[2]", Region: "eu-west-101",
		ProjectID: "project", BackupID: backupID, Metadata: json.RawMessage(`{"ticket":"ü"}`), TraceParent: "parent", TraceHeader: "header",
		ExpiresAt: now(), SentAt: now(), By: &deletion.Principal{Type: "user", ID: "arn", Claimed: true}, Receives: 3,
	}
	return &deletion.Item{
		Key: keyOf(backupID), Lease: "lease", LeaseUntil: now(), MaybeSent: true,
		Answer:  deletion.Answer{Status: deletion.Unconfirmed, Event: `{"id":"one"}`, At: now()},
		Answers: map[string]deletion.Answer{request.Key(): {Status: deletion.NotFound, Event: `{"id":"two"}`, At: now()}},
		Plan: deletion.Plan{
			Region: "eu-west-101", Attempt: 2, Lead: &request, Asked: []string{"a", "b"}, Since: now(), Follow: true,
			Seen: &deletion.Backup{
				Name: "name", Type: "Manual", Status: "COMPLETED", InstanceID: "instance", InstanceName: "its name", Begin: "begin", End: "end", SizeKB: 1.5,
			},
			Earlier: []deletion.Earlier{{Answer: deletion.Answer{Status: deletion.Accepted, Event: `{"id":"four"}`, At: now()}, Keys: []string{"c"}}},
			Waiting: map[string]deletion.Waiting{request.Key(): {
				Request: request, Since: now(), Next: now(), Tries: 4, Counted: 2, Abandon: true, Class: deletion.ClassConflict, Code: "DBS.1",
			}},
			Owed: []string{"accepted"}, OwedAt: now(),
			Check: &deletion.Check{Next: now(), Looks: 1, Absent: now(), Deleting: true, Back: 1},
			End:   &deletion.End{Status: deletion.Failed, Attempt: 1, At: now(), Event: `{"id":"three"}`},
		},
	}
}

// requireAllSet reports members that v leaves out and JSON does not.
func requireAllSet(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	if v.IsZero() {
		t.Errorf("%s is not set", name)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		requireAllSet(t, name, v.Elem())
	case reflect.Map:
		for _, key := range v.MapKeys() {
			requireAllSet(t, name+"[]", v.MapIndex(key))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Tag.Get("json") != "-" {
				requireAllSet(t, name+"."+field.Name, v.Field(i))
			}
		}
	default: // it has no members
	}
}

func keyOf(backupID string) deletion.Key {
	return deletion.Key{ProjectID: "project", BackupID: backupID}
}

// numbered returns an item with a number, to tell it from others of the same backup.
func numbered(backupID string, n int) *deletion.Item {
	return &deletion.Item{Key: keyOf(backupID), Plan: deletion.Plan{Attempt: n}}
}

// dueAt returns an item with something of a kind that is due at a time.
func dueAt(backupID string, kind deletion.Agenda, at time.Time) *deletion.Item {
	i := &deletion.Item{Key: keyOf(backupID)}
	if kind == deletion.Checks {
		i.Plan.Check = &deletion.Check{Next: at}
	} else {
		i.Plan.Waiting = map[string]deletion.Waiting{"r": {Next: at}}
	}
	return i
}

// Get returns the item of a backup.
func Get(t *testing.T, l deletion.Ledger, key deletion.Key) *deletion.Item {
	t.Helper()
	i, err := l.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// Swap calls Swap and expects that it replaces old by next.
func Swap(t *testing.T, l deletion.Ledger, old, next *deletion.Item) {
	t.Helper()
	if current, err := l.Swap(t.Context(), old, next); err != nil || current != nil {
		t.Fatalf("swap of %+v: there is %+v, error %v", old, current, err)
	}
	if next.Version == "" || (old != nil && old.Version == next.Version) {
		t.Fatalf("version %q, before it %+v", next.Version, old)
	}
}

// Conflict calls Swap, expects that it replaces nothing, and returns what is there instead.
func Conflict(t *testing.T, l deletion.Ledger, old, next *deletion.Item) *deletion.Item {
	t.Helper()
	current, err := l.Swap(t.Context(), old, next)
	if err != nil || current == nil {
		t.Fatalf("swap of %+v: there is %+v, error %v; want something else there", old, current, err)
	}
	return current
}

// Same reports how an item differs from the one that is expected.
func Same(t *testing.T, got, want *deletion.Item) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the item (-want +got):\n%s", diff)
	}
}

// due returns the backups that are due, on pages of a size.
func due(t *testing.T, l deletion.Ledger, kind deletion.Agenda, at time.Time, limit int) (backups []string) {
	t.Helper()
	for cursor := ""; ; {
		keys, next, err := l.Due(t.Context(), kind, at, limit, cursor)
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) > limit || (len(keys) == 0 && next != "") || len(backups) > 1000 {
			t.Fatalf("%d keys on a page of %d after %d, cursor %q", len(keys), limit, len(backups), next)
		}
		for _, key := range keys {
			if key.ProjectID != "project" {
				t.Errorf("key %+v", key)
			}
			backups = append(backups, key.BackupID)
		}
		if cursor = next; cursor == "" {
			return backups
		}
	}
}

func wantDue(t *testing.T, l deletion.Ledger, kind deletion.Agenda, at time.Time, want ...string) {
	t.Helper()
	if got := due(t, l, kind, at, 10); !slices.Equal(got, want) {
		t.Errorf("%s due: %q, want %q", kind, got, want)
	}
}

// NewClock returns a clock for a ledger.
func NewClock() *clocktest.Clock {
	return clocktest.New(time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC))
}

func testReadsWhatWasWritten(t *testing.T, l deletion.Ledger, _ *clocktest.Clock) {
	full := FullItem("full")
	requireAllSet(t, "Item", reflect.ValueOf(*full))
	for _, written := range []*deletion.Item{full, {Key: keyOf("empty")}} {
		if i := Get(t, l, written.Key); i != nil {
			t.Errorf("there is %+v before it was written", i)
		}
		Swap(t, l, nil, written)
		Same(t, Get(t, l, written.Key), written)
		next := written.Clone()
		Swap(t, l, Get(t, l, written.Key), next)
		Same(t, Get(t, l, written.Key), next)
		Same(t, Conflict(t, l, written, written.Clone()), next)
	}
}

func testReplacesOnlyWhatWasRead(t *testing.T, l deletion.Ledger, _ *clocktest.Clock) {
	first, second := numbered("b", 1), numbered("b", 2)
	Swap(t, l, nil, first)
	Same(t, Conflict(t, l, nil, numbered("b", 3)), first)
	Swap(t, l, first, second)
	Same(t, Conflict(t, l, first, numbered("b", 3)), second)
	Same(t, Conflict(t, l, nil, numbered("b", 3)), second)
	Same(t, Get(t, l, second.Key), second)
	third := numbered("b", 3)
	Swap(t, l, Conflict(t, l, first, third), third) // what a conflict returns can be replaced
	Same(t, Get(t, l, third.Key), third)
}

func testOneOfManySwapsWins(t *testing.T, l deletion.Ledger, _ *clocktest.Clock) {
	var old *deletion.Item
	for round := range 10 {
		items := make([]*deletion.Item, 4)
		others := make([]*deletion.Item, len(items))
		var wg sync.WaitGroup
		for n := range items {
			items[n] = numbered("b", 1+round*len(items)+n)
			wg.Go(func() {
				var err error
				if others[n], err = l.Swap(t.Context(), old, items[n]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		winner := slices.Index(others, nil)
		if winner < 0 {
			t.Fatal("nobody won")
		}
		for n, current := range others {
			if n != winner {
				Same(t, current, items[winner])
			}
		}
		old = items[winner]
	}
}

func testNoSwapIsLost(t *testing.T, l deletion.Ledger, _ *clocktest.Clock) {
	const writers = 100
	var conflicts atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			var old *deletion.Item
			for {
				next := numbered("b", 1)
				if old != nil {
					next.Plan.Attempt = old.Plan.Attempt + 1
				}
				current, err := l.Swap(t.Context(), old, next)
				if err != nil {
					t.Error(err)
				}
				if err != nil || current == nil {
					return
				}
				conflicts.Add(1)
				old = current
			}
		})
	}
	wg.Wait()
	if got := Get(t, l, keyOf("b")); got.Plan.Attempt != writers || conflicts.Load() < writers-1 {
		t.Errorf("%d writes of %d, %d conflicts", got.Plan.Attempt, writers, conflicts.Load())
	}
}

// An item that a ledger has forgotten since it was read is replaced by nothing. What is returned instead stands
// for no item.
func testWhatIsGoneIsNotThere(t *testing.T, l deletion.Ledger, _ *clocktest.Clock) {
	old := FullItem("b")
	old.Version = "of an item that is gone"
	next := numbered("b", 1)
	nothing := Conflict(t, l, old, next)
	Same(t, nothing, &deletion.Item{Key: old.Key})
	if i := Get(t, l, old.Key); i != nil {
		t.Errorf("there is %+v", i)
	}
	Swap(t, l, nothing, next)
	Same(t, Conflict(t, l, nothing, numbered("b", 2)), next)
}

func testWhatWasReadStays(t *testing.T, l deletion.Ledger, c *clocktest.Clock) {
	first := FullItem("b")
	Swap(t, l, nil, first)
	read, other := Get(t, l, first.Key), Conflict(t, l, nil, numbered("b", 1))
	want := *first
	second := numbered("b", 2)
	Swap(t, l, read, second)
	for _, got := range []*deletion.Item{first, read, other} {
		Same(t, got, &want)
	}
	read, want = Get(t, l, first.Key), *second
	c.Pass(time.Hour)
	Swap(t, l, &want, second) // the same pointer again: no ledger may have kept it
	Same(t, read, &want)
}

func testBackupsOfProjectsDoNotMix(t *testing.T, l deletion.Ledger, _ *clocktest.Clock) {
	one, two := numbered("b", 1), numbered("b", 2)
	two.ProjectID = "another"
	Swap(t, l, nil, one)
	Swap(t, l, nil, two)
	Same(t, Get(t, l, one.Key), one)
	Same(t, Get(t, l, two.Key), two)
}

func testWhatIsDueNeverExpires(t *testing.T, l deletion.Ledger, c *clocktest.Clock) {
	quiet, waits := numbered("b", 1), dueAt("b", deletion.Deletions, c.Now())
	Swap(t, l, nil, quiet)
	if want := c.Now().Add(35 * 24 * time.Hour); !quiet.ExpiresAt.Equal(want) {
		t.Errorf("it expires at %v, want %v", quiet.ExpiresAt, want)
	}
	Swap(t, l, quiet, waits)
	if !waits.ExpiresAt.IsZero() {
		t.Errorf("what is due expires at %v", waits.ExpiresAt)
	}
	Same(t, Get(t, l, waits.Key), waits)
	c.Pass(time.Hour + time.Millisecond)
	again := numbered("b", 2)
	Swap(t, l, waits, again)
	if want := c.Now().Add(35 * 24 * time.Hour).Truncate(time.Second); !again.ExpiresAt.Equal(want) {
		t.Errorf("after the last write it expires at %v, want %v", again.ExpiresAt, want)
	}
	c.Pass(100 * 24 * time.Hour)
	Same(t, Get(t, l, again.Key), again) // whoever reads it decides
	last := numbered("b", 3)
	Swap(t, l, again, last)
	Same(t, Get(t, l, again.Key), last)
}

func testDueInOrder(t *testing.T, l deletion.Ledger, c *clocktest.Clock) {
	now := c.Now()
	wantDue(t, l, deletion.Checks, now)
	items := map[string]*deletion.Item{
		"third": dueAt("third", deletion.Checks, now), "first": dueAt("first", deletion.Checks, now.AddDate(-26, 0, 0)), // simulated clocks start in 2000
		"later": dueAt("later", deletion.Checks, now.Add(time.Millisecond)), "second": dueAt("second", deletion.Checks, now.Add(-time.Millisecond)),
		"nothing": numbered("nothing", 1),
	}
	for _, i := range items {
		Swap(t, l, nil, i)
	}
	wantDue(t, l, deletion.Checks, now, "first", "second", "third")
	wantDue(t, l, deletion.Checks, now.Add(time.Millisecond), "first", "second", "third", "later")
	Swap(t, l, items["first"], dueAt("first", deletion.Checks, now.Add(time.Hour)))
	Swap(t, l, items["second"], numbered("second", 1))
	wantDue(t, l, deletion.Checks, now, "third")
	wantDue(t, l, deletion.Checks, now.Add(time.Hour), "third", "later", "first")
}

func testDueByKind(t *testing.T, l deletion.Ledger, c *clocktest.Clock) {
	now := c.Now()
	check, wait := dueAt("check", deletion.Checks, now), dueAt("wait", deletion.Deletions, now)
	Swap(t, l, nil, check)
	Swap(t, l, nil, wait)
	wantDue(t, l, deletion.Checks, now, "check")
	wantDue(t, l, deletion.Deletions, now, "wait")
	Swap(t, l, wait, dueAt("wait", deletion.Checks, now.Add(-time.Hour)))
	wantDue(t, l, deletion.Checks, now, "wait", "check")
	wantDue(t, l, deletion.Deletions, now)
}

// Pages show everything once, also what is due at the same time.
func testDueOnPages(t *testing.T, l deletion.Ledger, c *clocktest.Clock) {
	var want []string
	for n := range 12 {
		id := fmt.Sprintf("b%02d", n)
		want = append(want, id)
		Swap(t, l, nil, dueAt(id, deletion.Deletions, c.Now().Add(time.Duration(n/5)*time.Second)))
		Swap(t, l, nil, dueAt("check"+id, deletion.Checks, c.Now()))
	}
	for _, limit := range []int{1, 4, 5, 11, 12, 13} {
		got := due(t, l, deletion.Deletions, c.Now().Add(time.Minute), limit)
		for start := 0; start < len(got); start += 5 { // those of the same time have no order
			slices.Sort(got[start:min(start+5, len(got))])
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q", limit, got)
		}
	}
}

// What a page showed is done, and no more there, when the next page is asked for.
func testDueGoesOnAfterWhatIsDoneThen(t *testing.T, l deletion.Ledger, c *clocktest.Clock) {
	const all = 9
	for n := range all {
		Swap(t, l, nil, dueAt(fmt.Sprintf("b%d", n), deletion.Checks, c.Now().Add(-time.Duration(n/2)*time.Second)))
	}
	seen := make(map[string]bool)
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		keys, next, err := l.Due(t.Context(), deletion.Checks, c.Now(), 2, cursor)
		if err != nil || pages > all {
			t.Fatalf("after %d pages: error %v", pages, err)
		}
		for _, key := range keys {
			seen[key.BackupID] = true
			Swap(t, l, Get(t, l, key), numbered(key.BackupID, 1))
		}
		cursor = next
	}
	if len(seen) != all {
		t.Errorf("seen %v", seen)
	}
	wantDue(t, l, deletion.Checks, c.Now())
}
