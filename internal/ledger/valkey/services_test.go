package valkey_test

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger/valkeytest"
	"dds-backup-delete/internal/sink"
)

// dds counts the DELETEs, each of which waits until it may go on.
type dds struct {
	deletion.Backups // the rest is not called

	deletes atomic.Int64
	begun   chan struct{}
	goOn    chan struct{}
}

func (d *dds) DeleteBackup(context.Context, deletion.Target, bool) (deletion.Deletion, error) {
	d.deletes.Add(1)
	d.begun <- struct{}{}
	<-d.goOn
	return deletion.Deletion{JobID: "job"}, nil
}

// While one process deletes a backup, the begin of another one fails, whose request is returned. Later that
// gets the same outcome, also after the server was killed. There is one DELETE.
func TestASecondBeginFails(t *testing.T) {
	server := valkeytest.Start(t, valkeytest.Durable()...)
	c, d := at(server.Address), &dds{begun: make(chan struct{}, 9), goOn: make(chan struct{})}
	work := func(id string) deletion.Outcome {
		discard := slog.New(slog.DiscardHandler)
		s := &deletion.Service{
			Backups: d, Ledger: open(t, c, nil), Sink: sink.NewStdout(io.Discard), Concurrency: 1, Log: discard, Durable: true,
			Scope: deletion.Scope{Region: "cn-north-4", ProjectID: "project"},
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		return s.Do(ctx, []deletion.Request{{ID: id, Source: "sqs", BackupID: key.BackupID}})[0]
	}
	first := make(chan deletion.Outcome, 1)
	go func() { first <- work("first") }()
	<-d.begun
	second := work("second")
	if second.Status != deletion.Retry || second.Err == nil || second.Err.Class != deletion.ClassConflict || d.deletes.Load() != 1 {
		t.Errorf("%d DELETEs; the second request: %+v, error %v", d.deletes.Load(), second, second.Err)
	}
	close(d.goOn)
	if o := <-first; o.Status != deletion.Accepted || o.JobID != "job" {
		t.Errorf("the first request: %+v, error %v", o, o.Err)
	}
	server.Kill()
	server.Restart()
	if o := work("second"); o.Status != deletion.Accepted || o.JobID != "job" || d.deletes.Load() != 1 {
		t.Errorf("%d DELETEs; the second request later: %+v, error %v", d.deletes.Load(), o, o.Err)
	}
}
