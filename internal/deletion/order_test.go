package deletion_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
)

// ordered returns requests as "order/message/backup".
func ordered(names ...string) []deletion.Request {
	var out []deletion.Request
	for _, name := range names {
		parts := strings.Split(name, "/")
		out = append(out, deletion.Request{ID: "same", MessageID: parts[1], Source: "sqs", Order: parts[0], BackupID: parts[2]})
	}
	return out
}

// The requests of one order are processed one after the other, up to the first message that must be
// retried. Other orders, and requests without one, go on.
func TestOrder(t *testing.T) {
	d := &deleter{delete: func(ctx context.Context, backupID string) (deletion.Deletion, error) {
		switch {
		case strings.HasPrefix(backupID, "busy"):
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict, RetryAfter: 7 * time.Minute}
		case strings.HasPrefix(backupID, "gone"):
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound}
		}
		return accept(ctx, backupID)
	}}
	in := ordered("A/m1/a1", "B/m2/b1", "A/m3/gone", "A/m4/bad id", "A/m5/a2", "A/m5/busy-1", "A/m5/a3", "A/m6/a4", "A/m7/bad id", "B/m8/b2", "/m9/n1", "/m10/busy-2")
	s := &sink{}
	outcomes := service(d, s, nil).Do(t.Context(), in)
	want := []deletion.Status{
		deletion.Accepted, deletion.Accepted, deletion.NotFound, deletion.Rejected,
		deletion.Accepted, deletion.Retry, deletion.Accepted, // one message: its requests do not stop each other
		deletion.Retry, deletion.Retry, deletion.Accepted, deletion.Accepted, deletion.Retry,
	}
	if diff := cmp.Diff(want, statuses(outcomes)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	held := outcomes[7]
	if held.Err.Class != deletion.ClassConflict || held.Err.RetryAfter != 7*time.Minute || !strings.Contains(held.Err.Message, "m5") || held.Request.BackupID != "a4" {
		t.Errorf("held back with %+v", held)
	}
	if slices.Contains(d.calls, "a4") || len(d.calls) != 9 {
		t.Errorf("calls %v", d.calls)
	}
	var of []string // of order A
	for _, id := range d.calls {
		if id != "b1" && id != "b2" && id != "n1" && id != "busy-2" {
			of = append(of, id)
		}
	}
	if diff := cmp.Diff([]string{"a1", "gone", "a2", "busy-1", "a3"}, of); diff != "" {
		t.Errorf("calls of one order (-want +got):\n%s", diff)
	}
	if len(s.taken) != 8 {
		t.Errorf("%d events", len(s.taken))
	}
}

// Requests of one order are never processed concurrently, those of several orders are.
func TestOrdersRunAtOnce(t *testing.T) {
	const orders = 8
	together := make(chan struct{})
	arrived := make(chan string, orders)
	d := &deleter{}
	d.delete = func(ctx context.Context, backupID string) (deletion.Deletion, error) {
		if strings.HasSuffix(backupID, "-0") {
			if arrived <- backupID; len(arrived) == orders {
				close(together)
			}
			select {
			case <-together:
			case <-ctx.Done():
				return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassUnavailable}
			}
		}
		return accept(ctx, backupID)
	}
	var names []string
	for i := range orders * 3 {
		names = append(names, fmt.Sprintf("o%d/m%d/b%d-%d", i%orders, i, i%orders, i/orders))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, o := range service(d, &sink{}, nil).Do(ctx, ordered(names...)) {
		if o.Status != deletion.Accepted {
			t.Errorf("outcome %+v", o)
		}
	}
	if d.highest != orders {
		t.Errorf("%d at once, want %d", d.highest, orders)
	}
}

// A panic in the middle of an order fails that request, and stops the order.
func TestOrderAndPanic(t *testing.T) {
	d := &deleter{delete: func(ctx context.Context, backupID string) (deletion.Deletion, error) {
		if backupID == "b" {
			panic("bug")
		}
		return accept(ctx, backupID)
	}}
	got := statuses(service(d, &sink{}, nil).Do(t.Context(), ordered("A/1/a", "A/2/b", "A/3/c")))
	if diff := cmp.Diff([]deletion.Status{deletion.Accepted, deletion.Retry, deletion.Retry}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

// A request that carries an error is decided without a call.
func TestRequestsThatWait(t *testing.T) {
	d := &deleter{delete: accept}
	in := requests("a", "b")
	in[1].Err = &deletion.Error{Class: deletion.ClassThrottled, RetryAfter: time.Minute, Message: "too many"}
	s := &sink{}
	outcomes := service(d, s, nil).Do(t.Context(), in)
	if outcomes[1].Status != deletion.Retry || outcomes[1].Event.ID != "" || len(s.taken) != 1 || len(d.calls) != 1 {
		t.Errorf("outcome %+v, %d events, calls %v", outcomes[1], len(s.taken), d.calls)
	}
	if data, err := json.Marshal(outcomes[1].Data()); err != nil || !strings.Contains(string(data), `"retry_after":60`) {
		t.Errorf("data %s, error %v", data, err)
	}
}

// Two entries of a list that name no backup have two outcomes, and two senders that use one id make
// two requests.
func TestWhatTellsRequestsApart(t *testing.T) {
	list := requests("a/b", "c/d")
	for i := range list {
		list[i].ID, list[i].Field = "message", fmt.Sprintf("backup_ids[%d]", i)
	}
	s := &sink{}
	for i, o := range service(&deleter{delete: accept}, s, nil).Do(t.Context(), list) {
		if o.Status != deletion.Rejected || !strings.HasPrefix(o.Err.Message, list[i].Field+": ") {
			t.Errorf("outcome %+v", o)
		}
	}
	if len(s.taken) != 2 || s.taken[0].ID == s.taken[1].ID {
		t.Errorf("events %+v", s.taken)
	}

	// Two entries of a list name one backup in two regions.
	list = requests("a", "a")
	list[0].ID, list[1].ID = "message", "message"
	list[0].Field, list[1].Field = "[0].backup_id", "[1].backup_id"
	if list[0].Identity() == list[1].Identity() {
		t.Error("they are one request")
	}

	calls := 0
	gone := &deleter{delete: func(context.Context, string) (deletion.Deletion, error) {
		calls++
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound, DDSRequestID: fmt.Sprint(calls)}
	}}
	s = &sink{}
	both := service(gone, s, nil)
	for _, origin := range []string{"", "/one", "/two", "/one"} {
		both.Do(t.Context(), []deletion.Request{{ID: "1", Source: "cloudevents", Origin: origin, BackupID: "backup"}})
	}
	if calls != 3 || len(s.taken) != 4 || s.taken[0].ID == s.taken[1].ID || s.taken[1].ID == s.taken[2].ID || string(s.taken[1].JSON) != string(s.taken[3].JSON) {
		t.Errorf("%d calls, events %+v", calls, s.taken)
	}
}

// An outcome that was not published keeps its place in the order: the reply returns it to the queue,
// and all after it.
func TestOrderAndSink(t *testing.T) {
	s := &sink{publish: func(_ context.Context, events []deletion.Event) []error {
		errs := make([]error, len(events))
		for i, e := range events {
			if e.Subject == "b" {
				errs[i] = errors.New("refused")
			}
		}
		return errs
	}}
	outcomes := service(&deleter{delete: accept}, s, nil).Do(t.Context(), ordered("A/1/a", "A/2/b", "A/3/c"))
	if diff := cmp.Diff([]deletion.Status{deletion.Accepted, deletion.Retry, deletion.Accepted}, statuses(outcomes)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}
