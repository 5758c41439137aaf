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

// If a message was delivered before and has no record, a process that died may have processed it.
func TestMemoryDoubtsRedeliveries(t *testing.T) {
	l := ledger.NewMemory(10, nil)
	r := ledgertest.Request("r1")
	r.Redelivered = true
	if b, err := l.Begin(t.Context(), r, ledgertest.Lease); err != nil || !b.MaybeSent {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := ledgertest.NewClock()
	l := ledger.NewMemory(10, c.Now)
	of := func(i int) *deletion.Request {
		return &deletion.Request{ID: "r", Source: "sqs", ProjectID: "project", BackupID: fmt.Sprintf("backup-%d", i)}
	}
	held, err := l.Begin(t.Context(), of(0), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 100; i++ {
		b, err := l.Begin(t.Context(), of(i), ledgertest.Lease)
		if err != nil || b.Lease == "" {
			t.Fatalf("%+v, %v", b, err)
		}
		if _, err := l.Record(t.Context(), b.Lease, false, []deletion.Record{{Request: *of(i), Status: deletion.Accepted, Event: []byte("e")}}); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := l.Begin(t.Context(), of(1), ledgertest.Lease); b.Record != nil {
		t.Error("the oldest is still remembered")
	}
	if b, _ := l.Begin(t.Context(), of(100), ledgertest.Lease); b.Record == nil {
		t.Error("the youngest is forgotten")
	}
	if b, _ := l.Begin(t.Context(), of(0), ledgertest.Lease); b.BusyFor == 0 {
		t.Errorf("a lease that is held was forgotten: %+v, held %+v", b, held)
	}
}
