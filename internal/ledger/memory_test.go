package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
	"dds-backup-delete/internal/ledger/ledgertest"
)

func TestMemory(t *testing.T) {
	ledgertest.Contract(t, func(_ *testing.T, now func() time.Time) deletion.Ledger { return ledger.NewMemory(1000, now) })
}

// What was written first is forgotten first, except for what is held or due.
func TestMemoryIsBounded(t *testing.T) {
	c := ledgertest.NewClock()
	l := ledger.NewMemory(10, c.Now)
	key := func(name string) deletion.Key { return deletion.Key{ProjectID: "project", BackupID: name} }
	put := func(name string, change func(i *deletion.Item)) *deletion.Item {
		i := &deletion.Item{Key: key(name)}
		change(i)
		ledgertest.Swap(t, l, ledgertest.Get(t, l, i.Key), i)
		return i
	}
	nothing := func(*deletion.Item) {}
	put("leased", func(i *deletion.Item) { i.Lease, i.LeaseUntil = "token", c.Now().Add(time.Hour) })
	put("expired lease", func(i *deletion.Item) { i.Lease, i.LeaseUntil = "token", c.Now().Add(-time.Hour) })
	put("due", func(i *deletion.Item) { i.Plan.Check = &deletion.Check{Next: c.Now().Add(time.Hour)} })
	old := put("old", nothing)
	put("rewritten", nothing)
	for n := range 5 {
		put(fmt.Sprint("other ", n), nothing)
	}
	put("rewritten", nothing)

	wantKnown := func(known bool, names ...string) {
		t.Helper()
		for _, name := range names {
			if i := ledgertest.Get(t, l, key(name)); (i != nil) != known {
				t.Errorf("%s: %+v, want it known: %v", name, i, known)
			}
		}
	}
	wantKnown(true, "expired lease", "old", "other 0")
	put("new 0", nothing)
	wantKnown(false, "expired lease")
	put("new 1", nothing)
	wantKnown(false, "old")
	put("new 2", nothing)
	wantKnown(false, "other 0")
	wantKnown(true, "leased", "due", "rewritten", "other 1", "new 0", "new 1", "new 2")
	ledgertest.Same(t, ledgertest.Conflict(t, l, old, &deletion.Item{Key: old.Key}), &deletion.Item{Key: old.Key})
}
