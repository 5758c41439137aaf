package deletion_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
)

var (
	errAbsent = errors.New("absent")
	deleting  = deletion.Sight{Backup: &deletion.Backup{Status: "DELETING"}, Deleting: true}
	completed = deletion.Sight{Backup: &deletion.Backup{Status: "COMPLETED", InstanceID: "instance", InstanceName: "orders", SizeKB: 2048}}
)

// dds is a DDS whose look-ups show what a function of the time since the DELETE says.
type dds struct {
	deletion.Backups

	mu      sync.Mutex
	sent    time.Time
	show    func(since time.Duration) (deletion.Sight, error)
	job     func(since time.Duration) (deletion.JobStatus, string, error)
	answer  func() (deletion.Deletion, error)
	deletes []string
	looks   int
	lists   int
}

func (d *dds) LookUp(context.Context, deletion.Target) (deletion.Sight, error) {
	d.mu.Lock()
	d.looks++
	sent, show := d.sent, d.show
	d.mu.Unlock()
	if sent.IsZero() || show == nil {
		return completed, nil
	}
	sight, err := show(time.Since(sent))
	if errors.Is(err, errAbsent) {
		return deletion.Sight{}, nil
	}
	return sight, err
}

func (d *dds) List(context.Context, string, string) (map[string]deletion.Sight, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lists++
	return nil, nil //nolint:nilnil // an empty page
}

func (d *dds) Job(context.Context, deletion.Target, string) (deletion.JobStatus, string, error) {
	if d.job == nil {
		return deletion.JobUnknown, "", nil
	}
	return d.job(time.Since(d.sent))
}

func (d *dds) DeleteBackup(_ context.Context, t deletion.Target, _ bool) (deletion.Deletion, error) {
	d.mu.Lock()
	d.deletes = append(d.deletes, t.BackupID)
	answer := d.answer
	if answer == nil {
		d.sent = time.Now()
	}
	d.mu.Unlock()
	if answer != nil {
		return answer()
	}
	return deletion.Deletion{JobID: "job-of-" + t.BackupID}, nil
}

// following returns a service that follows deletions, with a ledger that counts as durable.
func following(d deletion.Backups, s *sink, log *bytes.Buffer) *deletion.Service {
	return &deletion.Service{
		Backups: d, Ledger: ledger.NewMemory(1000, nil), Sink: s, Concurrency: 4, Log: slog.New(slog.NewJSONHandler(log, nil)),
		Scope: deletion.Scope{Region: "cn-north-4", ProjectID: project}, Durable: true, Follow: true, RequireManual: true,
		FollowAlarmAfter: 2 * time.Hour,
	}
}

// tickFor runs a tick every five minutes for that long, and adds up what they did.
func tickFor(ctx context.Context, sv *deletion.Service, d time.Duration) (sum deletion.TickResult) {
	sum.Ends = make(map[deletion.Status]int)
	for range d / (5 * time.Minute) {
		time.Sleep(5 * time.Minute)
		r := sv.Tick(ctx)
		sum.Deletions, sum.Looks, sum.Published = sum.Deletions+r.Deletions, sum.Looks+r.Looks, sum.Published+r.Published
		sum.Overdue = max(sum.Overdue, r.Overdue)
		sum.Outcomes = append(sum.Outcomes, r.Outcomes...)
		for status, n := range r.Ends {
			sum.Ends[status] += n
		}
	}
	return sum
}

// dataOf returns the data of the published events of a status.
func dataOf(t *testing.T, s *sink, status deletion.Status) (all []deletion.Data) {
	t.Helper()
	for _, e := range s.taken {
		var d deletion.Data
		if err := json.Unmarshal(e.Data, &d); err != nil {
			t.Fatal(err)
		}
		if d.Status == status {
			all = append(all, d)
		}
	}
	return all
}

// Every way in which an accepted deletion can end, or not.
func TestEnds(t *testing.T) {
	after := func(when time.Duration, then deletion.Sight, err error) func(time.Duration) (deletion.Sight, error) {
		return func(since time.Duration) (deletion.Sight, error) {
			if since < when {
				return deleting, nil
			}
			return then, err
		}
	}
	for name, tc := range map[string]struct {
		show     func(time.Duration) (deletion.Sight, error)
		job      func(time.Duration) (deletion.JobStatus, string, error)
		followed time.Duration // three hours at least
		end      deletion.Status
		reason   string
		at       time.Duration // when it ends, to ten minutes
		text     string
	}{
		"gone": {show: after(30*time.Minute, deletion.Sight{}, errAbsent), end: deletion.Completed, at: 40 * time.Minute},
		"gone at once, and never seen being deleted": {
			show: func(time.Duration) (deletion.Sight, error) { return deletion.Sight{}, errAbsent }, end: deletion.Completed, at: 10 * time.Minute,
		},
		"absent once": {show: func(since time.Duration) (deletion.Sight, error) {
			if since < 8*time.Minute {
				return deletion.Sight{}, errAbsent
			}
			return deleting, nil
		}, followed: 6 * 24 * time.Hour},
		"absent twice, and there in between": {show: func(since time.Duration) (deletion.Sight, error) {
			if since < 8*time.Minute || since > 14*time.Minute && since < 17*time.Minute {
				return deletion.Sight{}, errAbsent
			}
			return deleting, nil
		}, followed: 6 * 24 * time.Hour},
		"the list fails": {show: after(time.Minute, deletion.Sight{}, &deletion.Error{Class: deletion.ClassUnavailable}), followed: 8 * 24 * time.Hour},
		"back as before": {show: after(20*time.Minute, completed, nil), end: deletion.Failed, reason: "not_deleted", at: 50 * time.Minute},
		"its job failed": {
			show: func(time.Duration) (deletion.Sight, error) { return completed, nil },
			job: func(time.Duration) (deletion.JobStatus, string, error) {
				return deletion.JobFailed, "the disk is full", nil
			},
			end: deletion.Failed, reason: "job_failed", at: 10 * time.Minute, text: "the disk is full",
		},
		"still there, job not known": {
			show: func(time.Duration) (deletion.Sight, error) { return completed, nil }, followed: 8 * 24 * time.Hour, end: deletion.Failed, reason: "still_there", at: 7 * 24 * time.Hour,
		},
		"still there, job running": {
			show: func(time.Duration) (deletion.Sight, error) { return completed, nil },
			job:  func(time.Duration) (deletion.JobStatus, string, error) { return deletion.JobRunning, "", nil }, followed: 8 * 24 * time.Hour,
		},
		"still there, and the jobs cannot be asked": {
			show: func(time.Duration) (deletion.Sight, error) { return completed, nil },
			job: func(time.Duration) (deletion.JobStatus, string, error) {
				return deletion.JobUnknown, "", &deletion.Error{Class: deletion.ClassForbidden}
			}, followed: 8 * 24 * time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := &sink{}
				sv := following(&dds{show: tc.show, job: tc.job}, s, &log)
				start := time.Now()
				var ended time.Time
				s.publish = func(_ context.Context, events []deletion.Event) []error {
					if st := events[0].Status; st == deletion.Completed || st == deletion.Failed {
						ended = time.Now()
					}
					return make([]error, len(events))
				}
				if o := sv.Do(t.Context(), requests("a"))[0]; o.Status != deletion.Accepted {
					t.Fatalf("%s %+v", o.Status, o.Err)
				}
				sum := tickFor(t.Context(), sv, max(tc.followed, 3*time.Hour))
				ends := append(dataOf(t, s, deletion.Completed), dataOf(t, s, deletion.Failed)...)
				if tc.end == "" {
					if len(ends) > 0 || sum.Overdue != 1 {
						t.Errorf("ends %+v, %d overdue; want none, and one overdue", ends, sum.Overdue)
					}
					return
				}
				if len(ends) != 1 || sum.Ends[tc.end] != 1 {
					t.Fatalf("ends %+v and %v, want one %s", ends, sum.Ends, tc.end)
				}
				end := ends[0]
				if end.Status != tc.end || end.Reason != tc.reason || end.JobID != "job-of-a" || end.Attempt != 1 || end.RequestID != "message-0" ||
					end.InstanceID != "instance" || end.InstanceName != "orders" {
					t.Errorf("end %+v", end)
				}
				if took := ended.Sub(start); took < tc.at-10*time.Minute || took > tc.at+70*time.Minute {
					t.Errorf("it ended after %v, want about %v", took, tc.at)
				}
				switch {
				case tc.end == deletion.Completed && (end.SizeKB != 2048 || end.Error != nil || end.Seconds < 0 || end.Seconds > int64(time.Hour.Seconds())):
					t.Errorf("end %+v", end)
				case tc.end == deletion.Failed && (end.Error == nil || !strings.Contains(end.Error.Message, tc.text) || end.SizeKB != 0):
					t.Errorf("end %+v", end)
				}
			})
		})
	}
}

// Two looks that show a backup as absent prove its end only if they are five minutes apart, however often ticks run.
func TestLooksAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{show: func(time.Duration) (deletion.Sight, error) { return deletion.Sight{}, errAbsent }}
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a"))
		var first time.Time
		for range 600 {
			time.Sleep(time.Second)
			before := d.looks
			sv.Tick(t.Context())
			if d.looks > before && first.IsZero() {
				first = time.Now()
			}
			if len(dataOf(t, s, deletion.Completed)) > 0 {
				if apart := time.Since(first); apart < 5*time.Minute || d.looks != 3 {
					t.Errorf("completed %v after the first of %d looks", apart, d.looks)
				}
				return
			}
		}
		t.Error("it never completed")
	})
}

// A deletion that failed can be asked for again. Its requests keep their answer.
func TestTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{show: func(since time.Duration) (deletion.Sight, error) {
			if since < 8*time.Minute {
				return deleting, nil
			}
			return completed, nil
		}}
		sv := following(d, s, new(bytes.Buffer))
		first := sv.Do(t.Context(), requests("a"))[0]
		second := sv.Do(t.Context(), []deletion.Request{{ID: "second", Source: "sqs", BackupID: "a"}})[0]
		if !second.Replayed || second.Event.ID != first.Event.ID {
			t.Errorf("while it is followed: %s %s", second.Status, second.Event.ID)
		}
		tickFor(t.Context(), sv, 2*time.Hour)
		if ends := dataOf(t, s, deletion.Failed); len(ends) != 1 {
			t.Fatalf("ends %+v", ends)
		}
		for _, id := range []string{"message-0", "second"} { // late duplicates
			o := sv.Do(t.Context(), []deletion.Request{{ID: id, Source: "sqs", BackupID: "a", Redelivered: true}})[0]
			if !o.Replayed || o.Event.ID != first.Event.ID || len(d.deletes) != 1 {
				t.Errorf("a late duplicate of %s: %s %s, %d deletions", id, o.Status, o.Event.ID, len(d.deletes))
			}
		}
		d.sent = time.Time{}
		d.show = func(time.Duration) (deletion.Sight, error) { return deletion.Sight{}, errAbsent }
		third := sv.Do(t.Context(), []deletion.Request{{ID: "third", Source: "sqs", BackupID: "a"}})[0]
		if third.Status != deletion.Accepted || third.Replayed || third.Event.ID == first.Event.ID || len(d.deletes) != 2 {
			t.Fatalf("a new request: %s %+v", third.Status, third.Err)
		}
		tickFor(t.Context(), sv, time.Hour)
		if ends := dataOf(t, s, deletion.Completed); len(ends) != 1 || ends[0].Attempt != 2 {
			t.Errorf("ends %+v", ends)
		}
	})
}

// topicRequest returns a request of a source that delivers once.
func topicRequest(id string) deletion.Request {
	return deletion.Request{ID: id, Source: "sns", BackupID: "a", Parkable: true}
}

// A request that cannot be worked now waits in the ledger, and its source gets a success. Each request has its own time.
func TestParking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		busy := &deletion.Error{Class: deletion.ClassConflict, Code: "DBS.201319"}
		d := &dds{answer: func() (deletion.Deletion, error) { return deletion.Deletion{}, busy }}
		sv := following(d, s, new(bytes.Buffer))
		sv.Follow = false
		if o := sv.Do(t.Context(), []deletion.Request{topicRequest("one")})[0]; o.Status != deletion.Retry || !o.Parked {
			t.Fatalf("%s %+v, parked: %v", o.Status, o.Err, o.Parked)
		}
		time.Sleep(3 * time.Minute)
		if r := sv.Tick(t.Context()); r.Deletions != 0 {
			t.Errorf("%d deletions before the wait was over", r.Deletions)
		}
		if o := sv.Do(t.Context(), []deletion.Request{topicRequest("two"), topicRequest("one")}); !o[0].Parked || !o[1].Parked || len(d.deletes) != 2 {
			t.Errorf("%+v, %d calls", o, len(d.deletes))
		}
		d.answer = nil
		sum := tickFor(t.Context(), sv, time.Hour)
		if len(d.deletes) != 3 || len(s.taken) != 1 || s.taken[0].Status != deletion.Accepted || sum.Deletions == 0 {
			t.Errorf("%d calls, events %v", len(d.deletes), s.taken)
		}
		again := sv.Do(t.Context(), []deletion.Request{topicRequest("two")})[0]
		if again.Status != deletion.Accepted || !again.Replayed {
			t.Errorf("then %s", again.Status)
		}
	})
}

// What DDS says about a backup counts tries. What fails for everybody ends by age alone. Both end in an event.
func TestAWaitingRequestEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		err         deletion.Error
		least, most time.Duration
	}{
		"busy":        {deletion.Error{Class: deletion.ClassConflict, Code: "DBS.201319"}, 3 * 24 * time.Hour, 6 * 24 * time.Hour},
		"the key":     {deletion.Error{Class: deletion.ClassForbidden, Code: "DBS.280032"}, 7 * 24 * time.Hour, 8 * 24 * time.Hour},
		"unavailable": {deletion.Error{Class: deletion.ClassUnavailable}, 7 * 24 * time.Hour, 8 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sink{}
				d := &dds{answer: func() (deletion.Deletion, error) { e := tc.err; return deletion.Deletion{}, &e }}
				sv := following(d, s, new(bytes.Buffer))
				start := time.Now()
				sv.Do(t.Context(), []deletion.Request{topicRequest("one")})
				for len(s.taken) == 0 && time.Since(start) < 10*24*time.Hour {
					tickFor(t.Context(), sv, 5*time.Minute)
				}
				took := time.Since(start)
				all := dataOf(t, s, deletion.Abandoned)
				if len(all) != 1 || took < tc.least || took > tc.most {
					t.Fatalf("%d abandoned after %v", len(all), took)
				}
				got := all[0]
				if got.RequestID != "one" || got.Error.Class != tc.err.Class || got.Error.Code != tc.err.Code || got.Tries != len(d.deletes) || !got.Since.Equal(start) {
					t.Errorf("%+v with %+v, %d calls", got, got.Error, len(d.deletes))
				}
				if len(d.deletes) > 300 {
					t.Errorf("%d calls", len(d.deletes))
				}
			})
		})
	}
}

// If the ledger cannot keep a request, its source gets an error and never a success.
func TestParkingThatFails(t *testing.T) {
	s := &sink{}
	sv := following(&dds{}, s, new(bytes.Buffer))
	sv.Ledger = &faulty{Ledger: memory(), begin: errDown}
	if o := sv.Do(t.Context(), []deletion.Request{topicRequest("one")})[0]; o.Status != deletion.Retry || o.Parked {
		t.Errorf("the ledger is down: %s, parked: %v", o.Status, o.Parked)
	}
	sv = following(&dds{answer: func() (deletion.Deletion, error) {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict}
	}}, s, new(bytes.Buffer))
	sv.Durable, sv.Follow = false, false
	if o := sv.Do(t.Context(), []deletion.Request{topicRequest("one")})[0]; o.Status != deletion.Retry || o.Parked {
		t.Errorf("the ledger is not durable: %s, parked: %v", o.Status, o.Parked)
	}
}

// The requests that wait for one backup are bounded in bytes. What has no room is an error for its source.
func TestWaitingIsBounded(t *testing.T) {
	sv := following(&dds{answer: func() (deletion.Deletion, error) {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict}
	}}, &sink{}, new(bytes.Buffer))
	parked := 0
	for n := range 100 {
		r := topicRequest(fmt.Sprint(n, strings.Repeat("x", 900)))
		if sv.Do(t.Context(), []deletion.Request{r})[0].Parked {
			parked++
		}
	}
	if parked < 20 || parked > 60 {
		t.Errorf("%d of 100 requests with long ids are kept", parked)
	}
}

// A topic's event stays owed until the sink took it.
func TestAnEventThatIsOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		s := &sink{}
		s.publish = func(_ context.Context, events []deletion.Event) []error {
			errs := make([]error, len(events))
			for n := range errs {
				if broken {
					errs[n] = errDown
				}
			}
			return errs
		}
		sv := following(&dds{}, s, new(bytes.Buffer))
		o := sv.Do(t.Context(), []deletion.Request{topicRequest("one")})[0]
		if o.Status != deletion.Retry || !o.Parked || o.JobID != "job-of-a" {
			t.Fatalf("%s, parked: %v", o.Status, o.Parked)
		}
		first := s.taken[0]
		tickFor(t.Context(), sv, 15*time.Minute)
		broken, s.taken = false, nil
		tickFor(t.Context(), sv, 15*time.Minute)
		var again [][]byte
		for _, e := range s.taken {
			if e.Status == deletion.Accepted {
				again = append(again, e.JSON)
			}
		}
		if len(again) != 1 || !bytes.Equal(again[0], first.JSON) {
			t.Errorf("published again: %s\nfirst: %s", again, first.JSON)
		}
	})
}

// The refusal of a topic's request is owed, too, although nobody ever had a lease.
func TestARefusalThatIsOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		s := &sink{}
		s.publish = func(context.Context, []deletion.Event) []error {
			if broken {
				return []error{errDown}
			}
			return []error{nil}
		}
		sv := following(&dds{}, s, new(bytes.Buffer))
		r := topicRequest("one")
		r.ExpiresAt = time.Now()
		if o := sv.Do(t.Context(), []deletion.Request{r})[0]; o.Status != deletion.Retry || !o.Parked {
			t.Fatalf("%s, parked: %v", o.Status, o.Parked)
		}
		broken, s.taken = false, nil
		tickFor(t.Context(), sv, 15*time.Minute)
		if len(dataOf(t, s, deletion.Rejected)) != 1 {
			t.Errorf("events %v", s.taken)
		}
	})
}

// The last receive of a queue ends in an outcome, or in an event that says why the message became a dead letter.
func TestTheLastReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: func() (deletion.Deletion, error) {
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict, Code: "DBS.201319", Message: "a restore is running"}
		}}
		sv := following(d, s, new(bytes.Buffer))
		sent := time.Now().Add(-time.Hour)
		r := deletion.Request{ID: "m", Source: "sqs", BackupID: "a", Receives: 10, LastReceive: true, Redelivered: true, SentAt: sent}
		if o := sv.Do(t.Context(), []deletion.Request{r})[0]; o.Status != deletion.Retry || o.Parked {
			t.Fatalf("%s, parked: %v", o.Status, o.Parked)
		}
		tickFor(t.Context(), sv, time.Hour)
		all := dataOf(t, s, deletion.Abandoned)
		if len(all) != 1 || all[0].Tries != 10 || all[0].Error.Code != "DBS.201319" || all[0].Error.Message != "a restore is running" || !all[0].Since.Equal(sent) || len(d.deletes) != 1 {
			t.Fatalf("%+v, %d calls", all, len(d.deletes))
		}
		d.answer, r.Receives = nil, 11 // it comes again after all
		if o := sv.Do(t.Context(), []deletion.Request{r})[0]; o.Status != deletion.Accepted {
			t.Errorf("a message that comes again: %s", o.Status)
		}
		tickFor(t.Context(), sv, time.Hour)
		if n := len(dataOf(t, s, deletion.Abandoned)); n != 1 {
			t.Errorf("%d events", n)
		}
	})
}

// A tick leaves alone what it must: other projects and regions; and deletions while they are stopped, but not checks.
func TestWhatATickLeavesAlone(t *testing.T) {
	for name, change := range map[string]func(*deletion.Service){
		"another project": func(sv *deletion.Service) { sv.Scope.ProjectID = "another" },
		"another region":  func(sv *deletion.Service) { sv.Scope.Region = "another" },
		"stopped":         func(sv *deletion.Service) { sv.StopDeletions = true },
		"a dry run":       func(sv *deletion.Service) { sv.DryRun = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sink{}
				d := &dds{answer: func() (deletion.Deletion, error) {
					return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict}
				}}
				sv := following(d, s, new(bytes.Buffer))
				sv.Do(t.Context(), []deletion.Request{topicRequest("one")})
				d.answer, d.show = nil, func(time.Duration) (deletion.Sight, error) { return deleting, nil }
				b := topicRequest("two")
				b.BackupID = "b"
				sv.Do(t.Context(), []deletion.Request{b})
				scope := sv.Scope
				change(sv)
				before := d.looks
				if sum := tickFor(t.Context(), sv, time.Hour); sum.Deletions != 0 {
					t.Errorf("%d waiting requests were worked", sum.Deletions)
				}
				if looked, want := d.looks > before, name == "stopped" || name == "a dry run"; looked != want || len(d.deletes) != 2 {
					t.Errorf("looked: %v, %d calls to delete", looked, len(d.deletes))
				}
				sv.Scope, sv.StopDeletions, sv.DryRun, d.show = scope, false, false, nil
				tickFor(t.Context(), sv, time.Hour)
				if len(d.deletes) != 3 {
					t.Errorf("afterwards %d calls to delete", len(d.deletes))
				}
			})
		})
	}
}

// While deletions are stopped, a request is given back or kept, and what the ledger knows is replayed.
func TestStopDeletions(t *testing.T) {
	s := &sink{}
	d := &dds{}
	sv := following(d, s, new(bytes.Buffer))
	sv.Do(t.Context(), requests("known"))
	sv.StopDeletions = true
	got := sv.Do(t.Context(), append([]deletion.Request{topicRequest("one")}, requests("known", "b")...))
	if !got[0].Parked || got[0].Err.Class != deletion.ClassForbidden || got[1].Status != deletion.Accepted || got[2].Status != deletion.Retry || len(d.deletes) != 1 {
		t.Errorf("%+v", got)
	}
}

// A tick stops at the first throttled call and says so.
func TestATickStopsWhenThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		sv := following(d, s, new(bytes.Buffer))
		sv.Concurrency = 1
		for n := range 20 {
			sv.Do(t.Context(), requests(fmt.Sprint("backup-", n)))
		}
		d.show = func(time.Duration) (deletion.Sight, error) {
			return deletion.Sight{}, &deletion.Error{Class: deletion.ClassThrottled}
		}
		time.Sleep(2 * time.Minute)
		before := d.looks
		if r := sv.Tick(t.Context()); !r.Throttled || d.looks != before+1 {
			t.Errorf("throttled: %v, %d looks", r.Throttled, d.looks-before)
		}
		time.Sleep(10 * time.Minute)
		sv.Concurrency, d.show = 32, nil
		if sv.Tick(t.Context()); d.lists == 0 {
			t.Error("no page of the list was read for twenty backups of one project")
		}
	})
}

// A tick ends before its deadline and says that more is due.
func TestATickEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dds{}
		sv := following(d, &sink{}, new(bytes.Buffer))
		for n := range 60 {
			sv.Do(t.Context(), requests(fmt.Sprint("backup-", n)))
		}
		d.show = func(time.Duration) (deletion.Sight, error) {
			time.Sleep(time.Second)
			return deleting, nil
		}
		time.Sleep(2 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		r := sv.Tick(ctx)
		if !r.More || ctx.Err() != nil || r.Looks < 10 || r.Looks > 40 {
			t.Errorf("more: %v, %d looks, %v", r.More, r.Looks, ctx.Err())
		}
		if r = sv.Tick(t.Context()); r.More || r.Looks < 20 {
			t.Errorf("then more: %v, %d looks", r.More, r.Looks)
		}
	})
}

// A deletion whose process died after the DELETE is settled by a tick, though nobody asks again.
func TestALeaseIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: func() (deletion.Deletion, error) { panic("the end of the process") }}
		sv := following(d, s, new(bytes.Buffer))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		sv.Do(ctx, requests("a"))
		d.sent, d.show = time.Now(), func(time.Duration) (deletion.Sight, error) { return deletion.Sight{}, errAbsent }
		tickFor(t.Context(), sv, time.Hour)
		if len(dataOf(t, s, deletion.Unconfirmed)) != 1 || len(dataOf(t, s, deletion.Completed)) != 1 {
			t.Errorf("events %v", s.taken)
		}
	})
}

// A request that has expired is refused, but only while no DELETE may have been sent; and what the ledger knows is
// answered whatever has expired.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		sv := following(d, s, new(bytes.Buffer))
		sv.MaxRequestAge = 24 * time.Hour
		late := requests("a", "b", "c")
		late[0].ExpiresAt = time.Now().Add(time.Hour)
		late[1].SentAt = time.Now().Add(-25 * time.Hour)
		late[2].ExpiresAt = time.Now().Add(3 * time.Hour)
		time.Sleep(2 * time.Hour)
		got := sv.Do(t.Context(), late)
		for n, o := range got[:2] {
			if o.Status != deletion.Rejected || o.Err.Rule != "expired" {
				t.Errorf("request %d: %s %+v", n, o.Status, o.Err)
			}
		}
		if got[2].Status != deletion.Accepted || d.looks != 1 {
			t.Errorf("%s, %d looks", got[2].Status, d.looks)
		}
		time.Sleep(2 * time.Hour)
		if o := sv.Do(t.Context(), late[2:])[0]; o.Status != deletion.Accepted || !o.Replayed {
			t.Errorf("a repeat after it expired: %s", o.Status)
		}

		lost := deletion.Request{ID: "lost", Source: "sqs", BackupID: "d", ExpiresAt: time.Now().Add(time.Minute)}
		d.answer = func() (deletion.Deletion, error) {
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true}
		}
		sv.Do(t.Context(), []deletion.Request{lost})
		d.answer, d.sent, d.show = nil, time.Now(), func(time.Duration) (deletion.Sight, error) { return completed, nil }
		deletes := len(d.deletes)
		time.Sleep(2 * time.Minute)
		lost.Redelivered = true
		if o := sv.Do(t.Context(), []deletion.Request{lost})[0]; o.Status != deletion.Retry || o.Err.Class != deletion.ClassConflict {
			t.Errorf("expired, and the DELETE may have been sent: %s %+v", o.Status, o.Err)
		}
		time.Sleep(10 * time.Minute)
		if o := sv.Do(t.Context(), []deletion.Request{lost})[0]; o.Status != deletion.Rejected || len(d.deletes) != deletes {
			t.Errorf("and the backup stays: %s %+v, %d calls", o.Status, o.Err, len(d.deletes)-deletes)
		}
	})
}

// Following counts as it was at the DELETE: a check that is open is finished afterwards, and none is opened.
func TestFollowAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{show: func(time.Duration) (deletion.Sight, error) { return deletion.Sight{}, errAbsent }}
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a"))
		sv.Follow, sv.RequireManual = false, false
		sv.Do(t.Context(), []deletion.Request{{ID: "b", Source: "sqs", BackupID: "b"}})
		tickFor(t.Context(), sv, time.Hour)
		if ends := dataOf(t, s, deletion.Completed); len(ends) != 1 || ends[0].BackupID != "a" {
			t.Errorf("ends %+v", ends)
		}
	})
}

// meddling is a ledger that calls a function after an item was read for the first time.
type meddling struct {
	deletion.Ledger

	meddle func()
}

func (m *meddling) Get(ctx context.Context, key deletion.Key) (*deletion.Item, error) {
	i, err := m.Ledger.Get(ctx, key)
	if f := m.meddle; f != nil {
		m.meddle = nil
		f()
	}
	return i, err
}

// What a tick has read may be old when it begins: another tick has worked the request meanwhile.
func TestTwoTicksWorkARequestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dds{answer: func() (deletion.Deletion, error) {
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict}
		}}
		sv := following(d, &sink{}, new(bytes.Buffer))
		sv.Do(t.Context(), []deletion.Request{topicRequest("one")})
		time.Sleep(6 * time.Minute)
		other := following(d, &sink{}, new(bytes.Buffer))
		other.Ledger = sv.Ledger
		sv.Ledger = &meddling{Ledger: sv.Ledger, meddle: func() { other.Tick(t.Context()) }}
		if r := sv.Tick(t.Context()); r.Deletions != 0 || len(d.deletes) != 2 {
			t.Errorf("%d deletions of the second tick, %d calls", r.Deletions, len(d.deletes))
		}
	})
}

// A holder that was frozen until another one had the lease, or had ended, stores a job id where none is known, and
// nothing else; and never past an end.
func TestAThawedHolder(t *testing.T) {
	job := func(id string) func() (deletion.Deletion, error) {
		return func() (deletion.Deletion, error) { return deletion.Deletion{JobID: id}, nil }
	}
	noJob := func() (deletion.Deletion, error) { return deletion.Deletion{Unconfirmed: "no job"}, nil }
	for name, tc := range map[string]struct {
		frozen, other func() (deletion.Deletion, error)
		busy          bool          // the other one has not answered yet
		follow        time.Duration // how long ticks follow the deletion before the thaw
		want          deletion.Status
		job           string
	}{
		"a job id, where none is known": {frozen: job("first"), other: noJob, want: deletion.Accepted, job: "first"},
		"a job id, where one is known":  {frozen: job("first"), other: job("second"), want: deletion.Accepted, job: "second"},
		"a job id, beside a lease":      {frozen: job("first"), other: job("second"), busy: true, want: deletion.Accepted, job: "first"},
		"no job id, beside a lease":     {frozen: noJob, other: job("second"), busy: true, want: deletion.Retry},
		"a late job past an end":        {frozen: job("first"), other: noJob, follow: 3 * time.Hour, want: deletion.Unconfirmed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sink{}
				thaw, end := make(chan bool), make(chan bool)
				first := &dds{answer: func() (deletion.Deletion, error) {
					<-thaw
					return tc.frozen()
				}}
				sv := following(first, s, new(bytes.Buffer))
				frozen := make(chan deletion.Outcome)
				go func() {
					ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // it ends while the holder is frozen
					defer cancel()
					frozen <- sv.Do(ctx, requests("a"))[0]
				}()
				time.Sleep(time.Minute)
				second := &dds{answer: func() (deletion.Deletion, error) {
					if tc.busy {
						<-end
					}
					return tc.other()
				}}
				other := following(second, s, new(bytes.Buffer))
				other.Ledger = sv.Ledger
				answered := make(chan deletion.Outcome, 1)
				go func() {
					answered <- other.Do(context.Background(), []deletion.Request{{ID: "other", Source: "sqs", BackupID: "a"}})[0]
				}()
				synctest.Wait()
				if tc.follow > 0 {
					second.sent, second.show = time.Now(), func(time.Duration) (deletion.Sight, error) { return deletion.Sight{}, errAbsent }
					tickFor(t.Context(), other, tc.follow)
				}
				close(thaw)
				if o := <-frozen; o.Status != tc.want || o.JobID != tc.job && tc.want != deletion.Retry {
					t.Errorf("the frozen one: %s, job %q, %+v", o.Status, o.JobID, o.Err)
				}
				close(end)
				<-answered
				if ends := len(dataOf(t, s, deletion.Completed)); tc.follow > 0 && ends != 1 {
					t.Errorf("%d ends", ends)
				}
			})
		})
	}
}
