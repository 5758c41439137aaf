package ledgertest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dds-backup-delete/internal/deletion"
)

// Contract runs every test of the contract, each on ledgers of its own.
func Contract(t *testing.T, newLedger func(t *testing.T, now func() time.Time) deletion.Ledger) {
	run := func(t *testing.T, test func(*testing.T, deletion.Ledger, *Clock)) {
		t.Helper()
		c := NewClock()
		test(t, newLedger(t, c.Now), c)
	}
	for name, test := range map[string]func(*testing.T, runner){
		"Lease":                                testLease,
		"ReleaseWithAWarning":                  testReleaseWithAWarning,
		"LeaseOfNoTime":                        testLeaseOfNoTime,
		"FinalForTheBackup":                    testFinalForTheBackup,
		"FinalForTheRequest":                   testFinalForTheRequest,
		"ALateJobIDUpgradesAndNeverTheReverse": testALateJobIDUpgradesAndNeverTheReverse,
		"AJobIDNeedsNoLease":                   testAJobIDNeedsNoLease,
		"AThawedHolderOverwritesNothing":       testAThawedHolderOverwritesNothing,
		"ARefusalKeepsTheWarning":              testARefusalKeepsTheWarning,
		"RecordTwice":                          testRecordTwice,
		"OneOfManyGetsTheLease":                testOneOfManyGetsTheLease,
		"BackupsDoNotMix":                      testBackupsDoNotMix,
		"RefusalsAreBounded":                   testRefusalsAreBounded,
		"TheLargestRecordFits":                 testTheLargestRecordFits,
	} {
		t.Run(name, func(t *testing.T) { test(t, run) })
	}
}

// runner runs a test on a new ledger.
type runner func(t *testing.T, test func(t *testing.T, l deletion.Ledger, c *Clock))

// Lease is the duration of the leases that the helpers ask for.
const Lease = time.Minute

// Request returns a request with that id. All are for the same backup.
func Request(id string) *deletion.Request {
	return &deletion.Request{ID: id, Source: "sqs", ProjectID: "project", BackupID: "backup"}
}

// Record returns the record of an outcome of that request.
func Record(id string, status deletion.Status, event string) deletion.Record {
	return deletion.Record{Request: *Request(id), Status: status, Event: []byte(event)}
}

// Begin calls Begin and expects a lease.
func Begin(t *testing.T, l deletion.Ledger, id string, warned bool) string {
	t.Helper()
	b, err := l.Begin(t.Context(), Request(id), Lease)
	if err != nil {
		t.Fatal(err)
	}
	if b.Lease == "" || b.Record != nil || b.MaybeSent != warned {
		t.Fatalf("begin of %s: %+v, want a lease, warned: %v", id, b, warned)
	}
	return b.Lease
}

// Done calls Begin and expects a record.
func Done(t *testing.T, l deletion.Ledger, id string, status deletion.Status, event string) {
	t.Helper()
	b, err := l.Begin(t.Context(), Request(id), Lease)
	if err != nil {
		t.Fatal(err)
	}
	if b.Record == nil || b.Lease != "" || b.Record.Status != status || string(b.Record.Event) != event {
		t.Fatalf("begin of %s: %+v, want the record %s %s", id, b, status, event)
	}
}

// Busy calls Begin and expects neither.
func Busy(t *testing.T, l deletion.Ledger, id string, left time.Duration) {
	t.Helper()
	b, err := l.Begin(t.Context(), Request(id), Lease)
	if err != nil {
		t.Fatal(err)
	}
	if b.Record != nil || b.Lease != "" || b.BusyFor != left {
		t.Fatalf("begin of %s: %+v, want it busy for %v", id, b, left)
	}
}

// Note calls Record and expects that the record is stored.
func Note(t *testing.T, l deletion.Ledger, token string, records ...deletion.Record) {
	t.Helper()
	if recorded, err := l.Record(t.Context(), token, false, records); err != nil || recorded.Earlier != nil {
		t.Fatalf("record: earlier %+v, error %v", recorded.Earlier, err)
	}
}

// Release gives a lease back.
func Release(t *testing.T, l deletion.Ledger, token string, maybeSent bool) {
	t.Helper()
	if err := l.Release(t.Context(), Request("any"), token, maybeSent); err != nil {
		t.Fatal(err)
	}
}

// Long returns an event with as many bytes as an event can have.
func Long(id string) string { return id + strings.Repeat("x", 6500-len(id)) }

// Refuse records a refusal of one request.
func Refuse(t *testing.T, l deletion.Ledger, id, event string) {
	t.Helper()
	Note(t, l, Begin(t, l, id, false), Record(id, deletion.NotFound, event))
}

// forgotten reports whether a ledger has no record for a request. It releases the lease that it gets.
func forgotten(t *testing.T, l deletion.Ledger, id string) bool {
	t.Helper()
	b, err := l.Begin(t.Context(), Request(id), Lease)
	if err != nil {
		t.Fatal(err)
	}
	if b.Lease != "" {
		Release(t, l, b.Lease, false)
	}
	return b.Record == nil
}

func testLease(t *testing.T, run runner) {
	run(t, func(t *testing.T, l deletion.Ledger, c *Clock) {
		first := Begin(t, l, "r1", false)
		Busy(t, l, "r1", Lease) // the same request, delivered twice
		c.Advance(20 * time.Second)
		Busy(t, l, "r2", Lease-20*time.Second)
		c.Advance(Lease)
		second := Begin(t, l, "r2", true) // its holder died
		Release(t, l, first, false)       // or was only frozen, and lost its lease
		Busy(t, l, "r1", Lease)
		Release(t, l, second, false)
		Begin(t, l, "r1", false)
	})
}

func testReleaseWithAWarning(t *testing.T, run runner) {
	run(t, func(t *testing.T, l deletion.Ledger, _ *Clock) {
		Release(t, l, Begin(t, l, "r1", false), true)
		Release(t, l, Begin(t, l, "r2", true), true)
		Begin(t, l, "r3", true)
	})
}

// A lease of no duration has expired at once.
func testLeaseOfNoTime(t *testing.T, run runner) {
	run(t, func(t *testing.T, l deletion.Ledger, _ *Clock) {
		if b, err := l.Begin(t.Context(), Request("r1"), 0); err != nil || b.Lease == "" {
			t.Fatalf("%+v, %v", b, err)
		}
		Begin(t, l, "r2", true)
	})
}

func testFinalForTheBackup(t *testing.T, run runner) {
	for _, status := range []deletion.Status{deletion.Accepted, deletion.Unconfirmed} {
		run(t, func(t *testing.T, l deletion.Ledger, c *Clock) {
			Note(t, l, Begin(t, l, "r1", false), Record("r1", status, `{"a":1}`))
			Done(t, l, "r1", status, `{"a":1}`)
			Done(t, l, "r2", status, `{"a":1}`)
			c.Advance(30 * 24 * time.Hour)
			Done(t, l, "r3", status, `{"a":1}`)
		})
	}
}

func testFinalForTheRequest(t *testing.T, run runner) {
	for _, status := range []deletion.Status{deletion.NotFound, deletion.Rejected} {
		run(t, func(t *testing.T, l deletion.Ledger, _ *Clock) {
			Note(t, l, Begin(t, l, "r1", false), Record("r1", status, "one"), Record("r1b", status, "twin"))
			Done(t, l, "r1", status, "one")
			Done(t, l, "r1b", status, "twin")
			second := Begin(t, l, "r2", false)
			Done(t, l, "r1", status, "one") // even if another holder has the lease
			Note(t, l, second, Record("r2", status, "two"))
			Done(t, l, "r1", status, "one")
			Done(t, l, "r2", status, "two")
			Note(t, l, Begin(t, l, "r3", false), Record("r3", deletion.Accepted, "three"))
			Done(t, l, "r1", deletion.Accepted, "three")
		})
	}
}

func testALateJobIDUpgradesAndNeverTheReverse(t *testing.T, run runner) {
	run(t, func(t *testing.T, l deletion.Ledger, c *Clock) {
		frozen := Begin(t, l, "r1", false)
		c.Advance(2 * Lease)
		second := Begin(t, l, "r1", true)
		Note(t, l, second, Record("r1", deletion.Unconfirmed, "unconfirmed"))
		Note(t, l, frozen, Record("r1", deletion.Accepted, "accepted"))
		Done(t, l, "r1", deletion.Accepted, "accepted")

		for _, status := range []deletion.Status{deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Accepted} {
			recorded, err := l.Record(t.Context(), second, false, []deletion.Record{Record("r1", status, "other")})
			if err != nil || recorded.Earlier == nil || recorded.Earlier.Status != deletion.Accepted || string(recorded.Earlier.Event) != "accepted" {
				t.Errorf("%s over a job id: earlier %+v, error %v", status, recorded.Earlier, err)
			}
		}
		Done(t, l, "r1", deletion.Accepted, "accepted")
	})
}

func testAJobIDNeedsNoLease(t *testing.T, run runner) {
	run(t, func(t *testing.T, l deletion.Ledger, c *Clock) {
		frozen := Begin(t, l, "r1", false)
		c.Advance(2 * Lease)
		Begin(t, l, "r2", true) // another holder
		Note(t, l, frozen, Record("r1", deletion.Accepted, "accepted"))
		Done(t, l, "r2", deletion.Accepted, "accepted")
	})
}

func testAThawedHolderOverwritesNothing(t *testing.T, run runner) {
	run(t, func(t *testing.T, l deletion.Ledger, c *Clock) {
		frozen := Begin(t, l, "r1", false)
		c.Advance(2 * Lease)
		second := Begin(t, l, "r2", true)
		for _, status := range []deletion.Status{deletion.Unconfirmed, deletion.NotFound, deletion.Rejected} {
			if _, err := l.Record(t.Context(), frozen, false, []deletion.Record{Record("r1", status, "late")}); !errors.Is(err, deletion.ErrLeaseLost) {
				t.Errorf("%s without the lease: error %v", status, err)
			}
		}
		Note(t, l, second, Record("r2", deletion.NotFound, "two"))
		Done(t, l, "r2", deletion.NotFound, "two")
	})
}

// A refusal says nothing about a DELETE that may have been sent before.
func testARefusalKeepsTheWarning(t *testing.T, run runner) {
	run(t, func(t *testing.T, l deletion.Ledger, _ *Clock) {
		token := Begin(t, l, "r1", false)
		if _, err := l.Record(t.Context(), token, true, []deletion.Record{Record("r1", deletion.Rejected, "one")}); err != nil {
			t.Fatal(err)
		}
		Begin(t, l, "r2", true)
	})
}

// The answer to a write may be lost. Writing again must have the same result.
func testRecordTwice(t *testing.T, run runner) {
	for _, status := range []deletion.Status{deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected} {
		run(t, func(t *testing.T, l deletion.Ledger, _ *Clock) {
			token := Begin(t, l, "r1", false)
			Note(t, l, token, Record("r1", status, "one"))
			recorded, err := l.Record(t.Context(), token, false, []deletion.Record{Record("r1", status, "one")})
			if err != nil || (recorded.Earlier != nil && string(recorded.Earlier.Event) != "one") {
				t.Errorf("%s again: earlier %+v, error %v", status, recorded.Earlier, err)
			}
			Done(t, l, "r1", status, "one")
		})
	}
}

func testOneOfManyGetsTheLease(t *testing.T, run runner) {
	run(t, func(t *testing.T, l deletion.Ledger, _ *Clock) {
		var leases, others atomic.Int64
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				b, err := l.Begin(t.Context(), Request(fmt.Sprintf("r%d", i)), Lease)
				switch {
				case err != nil:
					t.Error(err)
				case b.Lease != "":
					leases.Add(1)
				default:
					others.Add(1)
				}
			})
		}
		wg.Wait()
		if leases.Load() != 1 || others.Load() != 19 {
			t.Errorf("%d leases", leases.Load())
		}
	})
}

func testBackupsDoNotMix(t *testing.T, run runner) {
	run(t, func(t *testing.T, l deletion.Ledger, _ *Clock) {
		Note(t, l, Begin(t, l, "r1", false), Record("r1", deletion.Accepted, "one"))
		other := Request("r1")
		other.BackupID = "another"
		if b, err := l.Begin(t.Context(), other, Lease); err != nil || b.Lease == "" {
			t.Errorf("%+v, %v", b, err)
		}
	})
}

// Whatever the number and size of the refusals, there is room for the next request. The oldest are
// forgotten, the newest never.
func testRefusalsAreBounded(t *testing.T, run runner) {
	skipInShort(t)
	for name, size := range map[string]int{"short": 2000, "long": 6500} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, l deletion.Ledger, c *Clock) {
				event := func(id string) string { return id + strings.Repeat("x", size-len(id)) }
				n := 20 + 3*128<<10/(size+128) // three times as many as are remembered
				for i := range n {
					c.Advance(time.Second)
					id := fmt.Sprintf("r%d", i)
					Refuse(t, l, id, event(id))
					for recent := max(0, i-7); recent <= i; recent += 7 {
						id := fmt.Sprintf("r%d", recent)
						Done(t, l, id, deletion.NotFound, event(id))
					}
				}
				if !forgotten(t, l, "r0") {
					t.Errorf("the oldest of %d is still remembered", n)
				}
			})
		})
	}
}

// The largest possible write fits beside as many refusals as a request can meet.
func testTheLargestRecordFits(t *testing.T, run runner) {
	skipInShort(t)
	run(t, func(t *testing.T, l deletion.Ledger, c *Clock) {
		for round := range 3 {
			for i := range 19 { // just below the limit, so nothing is forgotten
				c.Advance(time.Second)
				id := fmt.Sprintf("single-%d-%d", round, i)
				Refuse(t, l, id, Long(id))
			}
			var records []deletion.Record
			for i := range deletion.MaxRecorded / 6500 {
				id := fmt.Sprintf("batch-%d-%d", round, i)
				records = append(records, Record(id, deletion.NotFound, Long(id)))
			}
			c.Advance(time.Second)
			Note(t, l, Begin(t, l, records[0].Request.ID, false), records...)
			for _, r := range records { // a redelivered batch finds them all
				Done(t, l, r.Request.ID, deletion.NotFound, string(r.Event))
			}
		}
		Note(t, l, Begin(t, l, "last", false), Record("last", deletion.Accepted, "e"))
		Done(t, l, "single-0-0", deletion.Accepted, "e")
	})
}

// skipInShort skips a test that writes megabytes to a ledger.
func skipInShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it fills items up to their limit, which takes seconds")
	}
}
