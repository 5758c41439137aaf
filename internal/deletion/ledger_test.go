package deletion_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
)

// faulty is a ledger that fails, or is slow, or ignores the deadline.
type faulty struct {
	deletion.Ledger

	trip          time.Duration
	begin, record error
	recordFor     int  // how often Record fails; 0 for always
	loseAnswer    bool // Record stores the first time, but returns an error
	panics        bool // Record panics
	recorded      atomic.Int64
	afterBegin    func()
}

// begins reports whether a write takes a lease, and records whether it stores an answer.
func begins(old, next *deletion.Item) bool {
	return next.Lease != "" && (old == nil || old.Lease != next.Lease)
}

func records(old, next *deletion.Item) bool {
	return !begins(old, next) && (next.Answer != old.Answer || len(next.Answers) != len(old.Answers))
}

func (f *faulty) Swap(ctx context.Context, old, next *deletion.Item) (*deletion.Item, error) {
	time.Sleep(f.trip)
	if begins(old, next) {
		if f.begin != nil {
			return nil, f.begin
		}
		current, err := f.Ledger.Swap(ctx, old, next)
		if f.afterBegin != nil {
			f.afterBegin()
		}
		return current, err
	}
	if !records(old, next) {
		return f.Ledger.Swap(ctx, old, next)
	}
	if n := int(f.recorded.Add(1)); f.record != nil && (f.recordFor == 0 || n <= f.recordFor) {
		return nil, f.record
	}
	if f.panics {
		panic("a bug of the ledger")
	}
	current, err := f.Ledger.Swap(ctx, old, next)
	if f.loseAnswer && f.recorded.Load() == 1 {
		return nil, errDown
	}
	return current, err
}

var errDown = errors.New("the table is on fire")

func memory() *ledger.Memory { return ledger.NewMemory(1000, nil) }

// A repeat sends the stored event, byte for byte, and DDS is never asked again.
func TestRepeats(t *testing.T) {
	n := 0
	for name, answer := range map[string]func(context.Context, string) (deletion.Deletion, error){
		"accepted": accept,
		"unconfirmed": func(context.Context, string) (deletion.Deletion, error) {
			return deletion.Deletion{Unconfirmed: "why"}, nil
		},
		"not found": func(context.Context, string) (deletion.Deletion, error) {
			n++ // DDS gives every answer its own id
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound, DDSRequestID: strings.Repeat("x", n)}
		},
		"rejected": func(context.Context, string) (deletion.Deletion, error) {
			n++
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassInvalid, DDSRequestID: strings.Repeat("x", n)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := &deleter{delete: answer}, &sink{}
			sv := service(d, s, nil)
			// Two requests for one backup, then the same two with a third.
			first := sv.Do(t.Context(), requests("a", "a"))
			again := sv.Do(t.Context(), append([]deletion.Request{{ID: "message-9", Source: "sqs", BackupID: "a"}}, requests("a", "a")...))
			for i := range first {
				if first[i].Replayed || !again[i+1].Replayed {
					t.Errorf("replayed: %v, then %v", first[i].Replayed, again[i+1].Replayed)
				}
				first[i].Replayed, first[i].Duration = true, 0 // nothing else may differ
				if diff := cmp.Diff(first[i], again[i+1]); diff != "" {
					t.Errorf("the repeat of request %d differs (-first +again):\n%s", i, diff)
				}
			}
			third := again[0].Status == deletion.NotFound || again[0].Status == deletion.Rejected
			if calls := len(d.calls); third && calls != 2 || !third && calls != 1 {
				t.Errorf("DDS was asked %d times", calls)
			}
		})
	}
}

func TestLedgerDownBeforeTheDelete(t *testing.T) {
	d, s := &deleter{delete: accept}, &sink{}
	sv := service(d, s, nil)
	sv.Ledger = &faulty{Ledger: memory(), begin: errDown}
	o := sv.Do(t.Context(), requests("a"))[0]
	if o.Status != deletion.Retry || o.Err.Class != deletion.ClassUnavailable || len(d.calls) != 0 || len(s.taken) != 0 {
		t.Errorf("%s %+v, DDS was asked for %v", o.Status, o.Err, d.calls)
	}
	if strings.Contains(o.Err.Message, "fire") {
		t.Error("the caller learns the name of the table")
	}
}

// After DDS answered, writing is retried until the deadline. Then a job id is published anyway, and
// any other outcome is retried.
func TestLedgerDownAfterTheDelete(t *testing.T) {
	for name, tc := range map[string]struct {
		jobID  string
		err    error
		status deletion.Status
	}{
		"a job id": {jobID: "job", status: deletion.Accepted},
		"no job":   {status: deletion.Retry},
		"gone":     {err: &deletion.Error{Class: deletion.ClassNotFound}, status: deletion.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				d := &deleter{delete: func(context.Context, string) (deletion.Deletion, error) {
					return deletion.Deletion{JobID: tc.jobID}, tc.err
				}}
				s := &sink{}
				l := &faulty{Ledger: memory(), record: errDown}
				sv := service(d, s, slog.New(slog.NewJSONHandler(&log, nil)))
				sv.Ledger = l
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				start := time.Now()
				o := sv.Do(ctx, requests("a"))[0]
				if o.Status != tc.status || l.recorded.Load() < 10 || time.Since(start) < 20*time.Second || ctx.Err() != nil {
					t.Errorf("%s after %d tries in %v", o.Status, l.recorded.Load(), time.Since(start))
				}
				if tc.status == deletion.Retry && o.Err.Class != deletion.ClassUndelivered {
					t.Errorf("class %s", o.Err.Class)
				}
				if published := len(s.taken) == 1; published != (tc.jobID != "") {
					t.Errorf("%d events", len(s.taken))
				}
				if tc.jobID != "" && !strings.Contains(log.String(), `"level":"ERROR","msg":"ledger: not recorded"`) {
					t.Errorf("log:\n%s", log.String())
				}
			})
		})
	}
}

func TestLedgerThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		l := &faulty{Ledger: memory(), record: errDown, recordFor: 3}
		sv := service(&deleter{delete: accept}, s, nil)
		sv.Ledger = l
		if o := sv.Do(t.Context(), requests("a"))[0]; o.Status != deletion.Accepted || l.recorded.Load() != 4 || len(s.taken) != 1 {
			t.Errorf("%s after %d tries", o.Status, l.recorded.Load())
		}
	})
}

// If the sink fails, the record stays: the next try only publishes, and publishes the same event.
func TestUndeliveredIsPublishedLater(t *testing.T) {
	d := &deleter{delete: accept}
	broken := true
	var published []deletion.Event
	s := &sink{publish: func(_ context.Context, events []deletion.Event) []error {
		if broken {
			return []error{errDown}
		}
		published = append(published, events...)
		return []error{nil}
	}}
	sv := service(d, s, nil)
	first := sv.Do(t.Context(), requests("a"))[0]
	if first.Status != deletion.Retry || first.Err.Class != deletion.ClassUndelivered || first.JobID != "job-of-a" {
		t.Fatalf("%s %+v, job %q", first.Status, first.Err, first.JobID)
	}
	broken = false
	second := sv.Do(t.Context(), requests("a"))[0]
	if second.Status != deletion.Accepted || second.JobID != "job-of-a" || len(d.calls) != 1 || len(published) != 1 {
		t.Errorf("%s, job %q, %d calls, %d events", second.Status, second.JobID, len(d.calls), len(published))
	}
	if !bytes.Equal(published[0].JSON, s.taken[0].JSON) {
		t.Errorf("first %s\n then %s", s.taken[0].JSON, published[0].JSON)
	}
}

// A definite error of DDS leaves nothing behind; a lost answer leaves a warning.
func TestWhatARetryLeaves(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		status deletion.Status
	}{
		"refused": {&deletion.Error{Class: deletion.ClassConflict}, deletion.NotFound},
		"lost":    {&deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true}, deletion.Unconfirmed},
	} {
		t.Run(name, func(t *testing.T) {
			var warned []bool
			l := memory()
			sv := service(nil, &sink{}, nil)
			sv.Ledger = l
			sv.Backups = deleteFunc(func(_ context.Context, _ deletion.Target, maybeSent bool) (deletion.Deletion, error) {
				warned = append(warned, maybeSent)
				switch {
				case len(warned) == 1:
					return deletion.Deletion{}, tc.err
				case maybeSent:
					return deletion.Deletion{Unconfirmed: "gone"}, nil
				default:
					return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound}
				}
			})
			if o := sv.Do(t.Context(), requests("a"))[0]; o.Status != deletion.Retry {
				t.Fatalf("%s", o.Status)
			}
			if o := sv.Do(t.Context(), requests("a"))[0]; o.Status != tc.status {
				t.Errorf("then %s, warned %v", o.Status, warned)
			}
		})
	}
}

type deleteFunc func(ctx context.Context, backup deletion.Target, maybeSent bool) (deletion.Deletion, error)

func (f deleteFunc) DeleteBackup(ctx context.Context, backup deletion.Target, maybeSent bool) (deletion.Deletion, error) {
	return f(ctx, backup, maybeSent)
}

func (deleteFunc) LookUp(context.Context, deletion.Target) (deletion.Sight, error) { panic("it looks") }

func (deleteFunc) Job(context.Context, deletion.Target, string) (deletion.JobStatus, string, error) {
	panic("it looks")
}

func (deleteFunc) List(context.Context, string, string) (map[string]deletion.Sight, error) {
	panic("it looks")
}

// A holder that was frozen between Begin and the DELETE must not send it: another one may have
// finished by now.
func TestNoDeleteWithoutALease(t *testing.T) {
	now := time.Now()
	d := &deleter{delete: accept}
	l := &faulty{Ledger: ledger.NewMemory(10, func() time.Time { return now }), afterBegin: func() { now = now.Add(time.Hour) }}
	sv := service(d, &sink{}, nil)
	sv.Ledger, sv.Now = l, func() time.Time { return now }
	if o := sv.Do(t.Context(), requests("a"))[0]; o.Status != deletion.Retry || len(d.calls) != 0 {
		t.Errorf("%s, DDS was asked %d times", o.Status, len(d.calls))
	}
}

// A concurrent delivery gets a retry, after the rest of the lease at the latest.
func TestBusyElsewhere(t *testing.T) {
	l := memory()
	_, err := l.Swap(t.Context(), nil, &deletion.Item{
		Key: deletion.Key{ProjectID: project, BackupID: "a"}, Lease: "another", LeaseUntil: time.Now().Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &deleter{delete: accept}
	sv := service(d, &sink{}, nil)
	sv.Ledger = l
	o := sv.Do(t.Context(), requests("a", "b"))
	if o[0].Status != deletion.Retry || o[0].Err.Class != deletion.ClassConflict || o[0].Err.RetryAfter <= 50*time.Second || o[1].Status != deletion.Accepted {
		t.Errorf("%s %+v and %s", o[0].Status, o[0].Err, o[1].Status)
	}
}

// Begin, delete, record and publish are four round trips, whatever the size of the batch.
func TestABatchCostsFourRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const trip = 20 * time.Millisecond
		d := &deleter{delete: func(ctx context.Context, id string) (deletion.Deletion, error) {
			time.Sleep(trip)
			return accept(ctx, id)
		}}
		s := &sink{publish: func(_ context.Context, events []deletion.Event) []error {
			time.Sleep(trip)
			return make([]error, len(events))
		}}
		sv := service(d, s, nil)
		sv.Ledger = &faulty{Ledger: memory(), trip: trip}
		start := time.Now()
		sv.Do(t.Context(), requests("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"))
		if took := time.Since(start); took != 4*trip {
			t.Errorf("ten deletions took %v, want four round trips", took)
		}
	})
}

// If the answer to a write is lost, the retry finds its own records, and each request of a group
// keeps its own outcome.
func TestALostAnswerOfTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deleter{delete: func(context.Context, string) (deletion.Deletion, error) {
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound}
		}}
		s := &sink{}
		sv := service(d, s, nil)
		sv.Ledger = &faulty{Ledger: memory(), loseAnswer: true}
		got := sv.Do(t.Context(), requests("a", "a"))
		if len(s.taken) != 2 || got[0].Event.ID == got[1].Event.ID || got[0].Status != deletion.NotFound || got[1].Status != deletion.NotFound {
			t.Errorf("%d events for two requests: %s %s and %s %s", len(s.taken), got[0].Status, got[0].Event.ID, got[1].Status, got[1].Event.ID)
		}
	})
}

// A bug in the ledger must not lose a job id that DDS just returned.
func TestALedgerThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		sv := service(&deleter{delete: accept}, s, nil)
		sv.Ledger = &faulty{Ledger: memory(), panics: true}
		if o := sv.Do(t.Context(), requests("a"))[0]; o.Status != deletion.Accepted || o.JobID != "job-of-a" || len(s.taken) != 1 {
			t.Errorf("%s with job %q, %d events", o.Status, o.JobID, len(s.taken))
		}
	})
}

// Without a durable ledger, a redelivered request brings a warning, also beside a new one.
func TestARedeliveryInAGroup(t *testing.T) {
	warned := false
	sv := service(nil, &sink{}, nil)
	sv.Backups = deleteFunc(func(_ context.Context, _ deletion.Target, maybeSent bool) (deletion.Deletion, error) {
		warned = maybeSent
		return deletion.Deletion{Unconfirmed: "gone"}, nil
	})
	reqs := requests("a", "a")
	reqs[1].Redelivered = true
	if sv.Do(t.Context(), reqs); !warned {
		t.Error("DDS was asked without a warning")
	}
}

// A batch may contain one message twice.
func TestOneMessageTwiceInABatch(t *testing.T) {
	d := &deleter{delete: func(context.Context, string) (deletion.Deletion, error) {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound}
	}}
	s := &sink{}
	sv := service(d, s, nil)
	l := &counting{Ledger: memory()}
	sv.Ledger = l
	r := requests("a")[0]
	got := sv.Do(t.Context(), []deletion.Request{r, r})
	if l.records != 1 || len(s.taken) != 1 || !cmp.Equal(got[0], got[1]) {
		t.Errorf("%d records, %d events", l.records, len(s.taken))
	}
}

// counting counts the answers in the last write.
type counting struct {
	deletion.Ledger

	records int
}

func (c *counting) Swap(ctx context.Context, old, next *deletion.Item) (*deletion.Item, error) {
	c.records = len(next.Answers)
	return c.Ledger.Swap(ctx, old, next)
}

// If one backup has more requests than one write takes, several writes decide them. One call to DDS
// is enough if its outcome is final.
func TestManyRequestsForOneBackup(t *testing.T) {
	var ids []string
	for range 120 {
		ids = append(ids, "a")
	}
	for name, tc := range map[string]struct {
		delete func(context.Context, string) (deletion.Deletion, error)
		want   deletion.Status
		calls  int
	}{
		"accepted": {accept, deletion.Accepted, 1},
		"gone": {func(context.Context, string) (deletion.Deletion, error) {
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound}
		}, deletion.NotFound, 3},
	} {
		d := &deleter{delete: tc.delete}
		for i, o := range service(d, &sink{}, nil).Do(t.Context(), requests(ids...)) {
			if o.Status != tc.want {
				t.Errorf("%s: outcome %d is %s, want %s", name, i, o.Status, tc.want)
			}
		}
		if len(d.calls) != tc.calls {
			t.Errorf("%s: %d calls, want %d", name, len(d.calls), tc.calls)
		}
	}
}

// answersOf returns the answers of single requests in an item, which may be nil.
func answersOf(i *deletion.Item) map[string]deletion.Answer {
	if i == nil {
		return nil
	}
	return i.Answers
}
