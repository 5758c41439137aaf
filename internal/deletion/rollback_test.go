package deletion_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/deletion"
)

// The version before knows no waiting requests, and records an answer beside them. A tick then answers them once.
func TestAWaitingRequestThatTheVersionBeforeAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		sv := following(d, s, new(bytes.Buffer))
		accepted := sv.Do(t.Context(), requests("another"))[0].Event
		d.answer = func() (deletion.Deletion, error) {
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict}
		}
		waiting := sv.Do(t.Context(), []deletion.Request{topicRequest("one")})[0]
		if !waiting.Parked {
			t.Fatalf("%+v", waiting)
		}
		key := deletion.Key{ProjectID: waiting.Request.ProjectID, BackupID: waiting.Request.BackupID}
		item := func() *deletion.Item {
			i, err := sv.Ledger.Get(context.Background(), key)
			if err != nil {
				t.Fatal(err)
			}
			return i
		}
		i := item().Clone()
		i.Answer = deletion.Answer{Status: deletion.Accepted, Event: string(accepted.JSON), At: time.Now()}
		if other, err := sv.Ledger.Swap(t.Context(), item(), i); other != nil || err != nil {
			t.Fatal(other, err)
		}
		if sum := tickFor(t.Context(), sv, time.Hour); sum.Deletions != 1 || sum.Outcomes[0].Status != deletion.Accepted {
			t.Errorf("worked %d times: %+v", sum.Deletions, sum.Outcomes)
		}
		if i := item(); len(i.Plan.Waiting) > 0 || len(i.Plan.Owed) > 0 || i.ExpiresAt.IsZero() {
			t.Errorf("waiting %v, owed %v, expires %v", i.Plan.Waiting, i.Plan.Owed, i.ExpiresAt)
		}
	})
}
