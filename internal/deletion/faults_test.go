package deletion_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/deletion"
)

// These tests hold faults that a review of the state machine found. Each begins with what went wrong.

// strict is a ledger that honors its context, as DynamoDB's client does.
type strict struct{ deletion.Ledger }

func (l strict) Swap(ctx context.Context, old, next *deletion.Item) (*deletion.Item, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return l.Ledger.Swap(ctx, old, next)
}

func refusing(err deletion.Error) func() (deletion.Deletion, error) {
	return func() (deletion.Deletion, error) { e := err; return deletion.Deletion{}, &e }
}

func brokenSink(broken *bool) *sink {
	s := &sink{}
	s.publish = func(_ context.Context, events []deletion.Event) []error {
		errs := make([]error, len(events))
		for n := range errs {
			if *broken {
				errs[n] = errDown
			}
		}
		return errs
	}
	return s
}

// The same for an item of the version before, which has no plan and so no region.
func TestOwedReplayOfTheVersionBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := false
		s := brokenSink(&broken)
		sv := following(&dds{}, s, new(bytes.Buffer))
		sv.Follow = false
		sv.Do(t.Context(), requests("a"))
		key := deletion.Key{ProjectID: project, BackupID: "a"}
		i, _ := sv.Ledger.Get(t.Context(), key)
		old := i.Clone()
		old.Plan = deletion.Plan{}
		if c, err := sv.Ledger.Swap(t.Context(), i, old); c != nil || err != nil {
			t.Fatal(c, err)
		}
		broken = true
		o := sv.Do(t.Context(), []deletion.Request{topicRequest("one")})[0]
		if !o.Parked {
			t.Fatalf("%s parked %v", o.Status, o.Parked)
		}
		broken, s.taken = false, nil
		tickFor(t.Context(), sv, 24*time.Hour)
		if len(dataOf(t, s, deletion.Accepted)) != 1 {
			t.Errorf("never published")
		}
	})
}

// Since is when the FIRST DELETE may have been sent, even of a lease days ago: still_there one minute after the DELETE.
func TestStillThereAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true})}
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a")) // its answer is lost; DDS never got it, and the message becomes a dead letter
		tickFor(t.Context(), sv, 2*time.Hour)
		time.Sleep(8 * 24 * time.Hour)
		d.answer = nil
		d.show = func(since time.Duration) (deletion.Sight, error) { // COMPLETED right after the DELETE means not yet
			switch {
			case since < 3*time.Minute:
				return completed, nil
			case since < 10*time.Minute:
				return deleting, nil
			default:
				return deletion.Sight{}, errAbsent
			}
		}
		d.job = func(time.Duration) (deletion.JobStatus, string, error) { return deletion.JobRunning, "", nil }
		if o := sv.Do(t.Context(), []deletion.Request{{ID: "new", Source: "sqs", BackupID: "a"}})[0]; o.Status != deletion.Accepted {
			t.Fatalf("%s", o.Status)
		}
		time.Sleep(90 * time.Second)
		r := sv.Tick(t.Context())
		if f := dataOf(t, s, deletion.Failed); len(f) > 0 {
			t.Errorf("90 s after the DELETE, whose job runs: failed %+v, %+v", f[0], f[0].Error)
		}
		if r.Overdue > 0 {
			t.Errorf("overdue after 90 s")
		}
		tickFor(t.Context(), sv, time.Hour)
		for _, c := range dataOf(t, s, deletion.Completed) {
			if c.Seconds > 3600 {
				t.Errorf("it took %d seconds", c.Seconds)
			}
		}
	})
}

// The same for seconds, without the week.
func TestSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true})}
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a"))
		tickFor(t.Context(), sv, 2*time.Hour)
		time.Sleep(3 * 24 * time.Hour)
		d.answer, d.show = nil, func(time.Duration) (deletion.Sight, error) { return deletion.Sight{}, errAbsent }
		sv.Do(t.Context(), []deletion.Request{{ID: "new", Source: "sqs", BackupID: "a"}})
		sum := tickFor(t.Context(), sv, time.Hour)
		c := dataOf(t, s, deletion.Completed)
		if len(c) != 1 || c[0].Seconds > 3600 || sum.Overdue > 0 {
			t.Errorf("%+v overdue %d", c, sum.Overdue)
		}
	})
}

// The quiet time counts from the first DELETE, not from the last: rejected seconds after a DELETE that DDS took.
func TestRefusedRightAfterADelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		lost := func() (deletion.Deletion, error) {
			d.sent = time.Now()
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true}
		}
		d.answer = lost
		d.show = func(since time.Duration) (deletion.Sight, error) {
			switch {
			case len(d.deletes) < 2, since < 2*time.Minute: // DDS never got the first one; COMPLETED right after the second
				return completed, nil
			default:
				return deletion.Sight{}, errAbsent
			}
		}
		sv := following(d, s, new(bytes.Buffer))
		r := deletion.Request{ID: "m", Source: "sqs", BackupID: "a", ExpiresAt: time.Now().Add(30 * time.Minute)}
		sv.Do(t.Context(), []deletion.Request{r})
		time.Sleep(29*time.Minute + 50*time.Second)
		r.Redelivered = true
		sv.Do(t.Context(), []deletion.Request{r}) // DDS takes this one, and its answer is lost
		time.Sleep(20 * time.Second)
		o := sv.Do(t.Context(), []deletion.Request{r})[0]
		tickFor(t.Context(), sv, 3*time.Hour)
		if o.Status == deletion.Rejected {
			t.Errorf("%s %s, 20 s after a DELETE that DDS took (%d DELETEs); completed: %d", o.Status, o.Err.Rule, len(d.deletes), len(dataOf(t, s, deletion.Completed)))
		}
	})
}

// A lease is settled "nothing was sent" seconds after its DELETE if an earlier one was an hour ago.
func TestSettledTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true})}
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a"))
		tickFor(t.Context(), sv, 2*time.Hour)
		d.answer = func() (deletion.Deletion, error) { d.sent = time.Now(); panic("the end of the process") }
		d.show = func(since time.Duration) (deletion.Sight, error) {
			if since < 3*time.Minute {
				return completed, nil
			}
			return deletion.Sight{}, errAbsent
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		sv.Do(ctx, []deletion.Request{{ID: "http", Source: "http", BackupID: "a"}}) // nobody delivers it again
		time.Sleep(time.Minute)
		sv.Tick(t.Context())
		tickFor(t.Context(), sv, 3*time.Hour)
		if len(dataOf(t, s, deletion.Unconfirmed)) != 1 || len(dataOf(t, s, deletion.Completed)) != 1 {
			t.Errorf("DDS deleted the backup, and the events are %d", len(s.taken))
		}
	})
}

// A look-up that takes all the time leaves none to park, or to note the last receive.
func TestLookUpTakesAllTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &hanging{}
		sv := following(d, s, new(bytes.Buffer))
		sv.Ledger = strict{sv.Ledger}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		last := deletion.Request{ID: "m", Source: "sqs", BackupID: "b", Receives: 10, LastReceive: true}
		o := sv.Do(ctx, []deletion.Request{topicRequest("one"), last})
		if !o[0].Parked {
			t.Errorf("a topic: %s %+v, parked %v", o[0].Status, o[0].Err, o[0].Parked)
		}
		d.ok = true
		tickFor(t.Context(), sv, time.Hour)
		if len(s.taken) == 0 || len(dataOf(t, s, deletion.Abandoned)) != 1 {
			t.Errorf("silence about the last receive; events %v", s.taken)
		}
	})
}

type hanging struct {
	dds
	ok bool
}

func (h *hanging) LookUp(ctx context.Context, t deletion.Target) (deletion.Sight, error) {
	if h.ok {
		return h.dds.LookUp(ctx, t)
	}
	<-ctx.Done()
	return deletion.Sight{}, &deletion.Error{Class: deletion.ClassUnavailable}
}

// In a FIFO queue, a message held back at its last receive never comes to the ledger.
func TestLastReceiveHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		sv := following(&dds{answer: refusing(deletion.Error{Class: deletion.ClassConflict})}, s, new(bytes.Buffer))
		var in []deletion.Request
		for _, id := range []string{"m1", "m2"} {
			in = append(in, deletion.Request{ID: id, MessageID: id, Order: "g", Source: "sqs", BackupID: id, Receives: 10, LastReceive: true, Redelivered: true})
		}
		sv.Do(t.Context(), in)
		tickFor(t.Context(), sv, 24*time.Hour)
		if n := len(dataOf(t, s, deletion.Abandoned)); n != 2 {
			t.Errorf("%d of 2 dead letters have an event", n)
		}
	})
}

// An owed event that the sink does not take holds back requests that wait.
func TestOwedHoldsBackWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		s.publish = func(_ context.Context, events []deletion.Event) []error {
			errs := make([]error, len(events))
			for n, e := range events {
				if e.Status == deletion.Abandoned {
					errs[n] = errDown // for example, it is too large
				}
			}
			return errs
		}
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassConflict})}
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), []deletion.Request{{ID: "m", Source: "sqs", BackupID: "a", Receives: 10, LastReceive: true}})
		if o := sv.Do(t.Context(), []deletion.Request{topicRequest("two")})[0]; !o.Parked {
			t.Fatal("not parked")
		}
		d.answer = nil
		tickFor(t.Context(), sv, 9*24*time.Hour)
		if len(d.deletes) != 3 {
			t.Errorf("after nine days, %d calls to delete: the waiting request was neither tried nor abandoned", len(d.deletes))
		}
	})
}

// An item that changes between peek and begin gets a DELETE without the look-up of REQUIRE_MANUAL.
func TestDeleteWithoutLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a"))
		time.Sleep(5 * time.Minute)
		d.show = func(time.Duration) (deletion.Sight, error) { return completed, nil }
		d.job = func(time.Duration) (deletion.JobStatus, string, error) { return deletion.JobFailed, "x", nil }
		other := following(d, s, new(bytes.Buffer))
		other.Ledger = sv.Ledger
		sv.Tick(t.Context()) // first look
		m := &meddling{Ledger: sv.Ledger, meddle: func() { time.Sleep(5 * time.Minute); other.Tick(t.Context()) }}
		sv.Ledger = m
		before := -1
		m2 := m.meddle
		m.meddle = func() { m2(); before = d.looks }
		o := sv.Do(t.Context(), []deletion.Request{{ID: "new", Source: "sqs", BackupID: "a", Redelivered: true}})[0]
		if len(dataOf(t, s, deletion.Failed)) != 1 {
			t.Fatal("no failure")
		}
		if len(d.deletes) != 2 || d.looks != before {
			t.Skipf("not reproduced: %d deletes %d looks %d", len(d.deletes), d.looks, before)
		}
		t.Errorf("%s: a DELETE of the second attempt without any look-up", o.Status)
	})
}

// A waiting request is tried in the region of the request that began last.
func TestRegionOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &regional{home: "cn-north-4"}
		d.answer = refusing(deletion.Error{Class: deletion.ClassConflict})
		sv := following(d, s, new(bytes.Buffer))
		sv.Scope.Regions = []string{"other"}
		if o := sv.Do(t.Context(), []deletion.Request{topicRequest("one")})[0]; !o.Parked {
			t.Fatal("not parked")
		}
		wrong := deletion.Request{ID: "wrong", Source: "sqs", BackupID: "a", ProjectID: project, Region: "other"}
		if o := sv.Do(t.Context(), []deletion.Request{wrong})[0]; o.Status != deletion.NotFound {
			t.Fatalf("%s", o.Status)
		}
		d.answer = nil
		tickFor(t.Context(), sv, time.Hour)
		for _, e := range dataOf(t, s, deletion.NotFound) {
			if e.RequestID == "one" {
				t.Errorf("the request for cn-north-4 ends not_found, because another named another region; %d DELETEs", len(d.deletes))
			}
		}
	})
}

// And an open question is settled by the other region: completed without proof.
func TestEndFromAnotherRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &regional{home: "cn-north-4"}
		d.answer = refusing(deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true})
		sv := following(d, s, new(bytes.Buffer))
		sv.Scope.Regions = []string{"other"}
		sv.Do(t.Context(), requests("a"))
		wrong := deletion.Request{ID: "wrong", Source: "sqs", BackupID: "a", ProjectID: project, Region: "other"}
		o := sv.Do(t.Context(), []deletion.Request{wrong})[0]
		tickFor(t.Context(), sv, time.Hour)
		if n := len(dataOf(t, s, deletion.Completed)); n > 0 {
			t.Errorf("%s, completed %d times; the backup is there in its region", o.Status, n)
		}
	})
}

type regional struct {
	dds
	home string
}

func (r *regional) LookUp(ctx context.Context, t deletion.Target) (deletion.Sight, error) {
	if t.Region != r.home {
		return deletion.Sight{}, nil
	}
	return r.dds.LookUp(ctx, t)
}

// The version before answers while a request waits: due for ever, and published with every tick.
func TestWaitingAnsweredByTheVersionBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassConflict})}
		sv := following(d, s, new(bytes.Buffer))
		sv.Follow = false
		sv.Do(t.Context(), []deletion.Request{topicRequest("one")})
		key := deletion.Key{ProjectID: project, BackupID: "a"}
		i, _ := sv.Ledger.Get(t.Context(), key)
		old := i.Clone()
		donor := following(&dds{}, &sink{}, new(bytes.Buffer))
		donor.Do(t.Context(), requests("a"))
		from, _ := donor.Ledger.Get(t.Context(), key)
		old.Answer = deletion.Answer{Status: from.Answer.Status, Event: from.Answer.Event} // it knows no final_at, and leaves the plan
		if c, err := sv.Ledger.Swap(t.Context(), i, old); c != nil || err != nil {
			t.Fatal(c, err)
		}
		tickFor(t.Context(), sv, 24*time.Hour)
		now, _ := sv.Ledger.Get(t.Context(), key)
		if _, at := now.Due(); !at.IsZero() || len(s.taken) > 3 {
			t.Errorf("due at %v still; %d events published in a day", at, len(s.taken))
		}
	})
}

// Follow switched off drops an open check of a DELETE that was sent while it was on.
func TestFollowOffDropsACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		d.answer = func() (deletion.Deletion, error) {
			d.sent = time.Now()
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true}
		}
		d.show = func(since time.Duration) (deletion.Sight, error) {
			if since < 5*time.Minute {
				return deleting, nil
			}
			return deletion.Sight{}, errAbsent
		}
		sv := following(d, s, new(bytes.Buffer))
		r := requests("a")
		sv.Do(t.Context(), r)
		sv.Follow = false
		time.Sleep(time.Minute)
		r[0].Redelivered = true
		o := sv.Do(t.Context(), r)[0]
		tickFor(t.Context(), sv, 3*time.Hour)
		if n := len(dataOf(t, s, deletion.Completed)); n != 1 {
			t.Errorf("%s, %d ends of a DELETE that was sent with FOLLOW=true", o.Status, n)
		}
	})
}

// One id, two contents: an item that expired after a failed attempt begins with attempt 1 again.
func TestOneIDTwoContents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		n := 0
		d := &dds{show: func(time.Duration) (deletion.Sight, error) { return completed, nil }}
		d.answer = func() (deletion.Deletion, error) {
			n++
			d.sent = time.Now()
			return deletion.Deletion{JobID: fmt.Sprint("job-", n)}, nil
		}
		d.job = func(time.Duration) (deletion.JobStatus, string, error) { return deletion.JobFailed, "x", nil }
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a"))
		tickFor(t.Context(), sv, time.Hour)
		time.Sleep(36 * 24 * time.Hour)
		sv.Do(t.Context(), []deletion.Request{{ID: "new", Source: "sqs", BackupID: "a"}})
		tickFor(t.Context(), sv, time.Hour)
		seen := map[string]deletion.Event{}
		for _, e := range s.taken {
			if before, ok := seen[e.ID]; ok && !bytes.Equal(before.JSON, e.JSON) {
				t.Errorf("two contents of %s %s", e.Type, e.ID)
			}
			seen[e.ID] = e
		}
	})
}

// Answers whose events are owed are never forgotten, so an item grows without bound while the sink is down.
func TestOwedAnswersGrow(t *testing.T) {
	broken := true
	s := brokenSink(&broken)
	sv := following(&dds{answer: refusing(deletion.Error{Class: deletion.ClassNotFound, Code: "DBS.201214", HTTPStatus: 400,
		Message: "The backup file does not exist or does not belong to the instance.", DDSRequestID: strings.Repeat("f", 32)})}, s, new(bytes.Buffer))
	for n := range 800 {
		sv.Do(t.Context(), []deletion.Request{topicRequest(fmt.Sprintf("%036d", n))})
	}
	i, _ := sv.Ledger.Get(t.Context(), deletion.Key{ProjectID: project, BackupID: "a"})
	text, _ := json.Marshal(i)
	if len(text) > 400<<10 {
		t.Errorf("%d bytes", len(text))
	}
}

// With DDS_CONCURRENCY=1, deletions leave checks no share.
func TestNoShareForChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		sv := following(d, s, new(bytes.Buffer))
		sv.Concurrency = 1
		sv.Do(t.Context(), requests("followed"))
		d.answer = refusing(deletion.Error{Class: deletion.ClassConflict})
		for n := range 2000 {
			r := topicRequest(fmt.Sprint(n))
			r.BackupID = fmt.Sprint("b", n)
			sv.Do(t.Context(), []deletion.Request{r})
		}
		d.answer = func() (deletion.Deletion, error) {
			time.Sleep(time.Second)
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict}
		}
		d.show = func(time.Duration) (deletion.Sight, error) { return completed, nil }
		before := d.looks
		for range 24 {
			time.Sleep(5 * time.Minute)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			sv.Tick(ctx)
			cancel()
		}
		i, _ := sv.Ledger.Get(t.Context(), deletion.Key{ProjectID: project, BackupID: "followed"})
		if i.Plan.Check.Looks == 0 {
			t.Errorf("no look at a followed deletion in two hours; %d look-ups for deletions", d.looks-before)
		}
	})
}

// A failing look-up refuses a request for ever although its DELETE may have been sent.
func TestALookUpThatIsInvalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		d.answer = func() (deletion.Deletion, error) {
			d.sent = time.Now()
			return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true}
		}
		d.show = func(since time.Duration) (deletion.Sight, error) {
			if since < 5*time.Minute {
				return deletion.Sight{}, &deletion.Error{Class: deletion.ClassInvalid, Code: "DBS.280001"}
			}
			return deletion.Sight{}, errAbsent
		}
		sv := following(d, s, new(bytes.Buffer))
		r := requests("a")
		sv.Do(t.Context(), r)
		time.Sleep(time.Minute)
		r[0].Redelivered = true
		o := sv.Do(t.Context(), r)[0]
		tickFor(t.Context(), sv, 3*time.Hour)
		if o.Status == deletion.Rejected {
			t.Errorf("rejected although its DELETE was sent: %+v; later unconfirmed %d, completed %d", o.Err, len(dataOf(t, s, deletion.Unconfirmed)), len(dataOf(t, s, deletion.Completed)))
		}
	})
}

// Status of a message that waits in its queue.
func TestStatusOfARetry(t *testing.T) {
	sv := following(&dds{answer: refusing(deletion.Error{Class: deletion.ClassConflict})}, &sink{}, new(bytes.Buffer))
	sv.Do(t.Context(), requests("a"))
	st, _ := sv.Status(t.Context(), deletion.Target{BackupID: "a"})
	if st.State == deletion.PhaseRefused {
		t.Errorf("refused (\"all requests so far were refused\"), though none was: %+v", st)
	}
}

// Of several requests that wait, the state names the last try of the one that has waited longest, and always the same.
func TestStatusOfSeveralWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dds{}
		sv := following(d, &sink{}, new(bytes.Buffer))
		for n, class := range []deletion.Class{deletion.ClassForbidden, deletion.ClassConflict, deletion.ClassUnknown} {
			d.answer = refusing(deletion.Error{Class: class})
			if o := sv.Do(t.Context(), []deletion.Request{topicRequest(strconv.Itoa(n))})[0]; !o.Parked {
				t.Fatal("not parked")
			}
			time.Sleep(time.Second)
		}
		for range 50 { // in a map, the order changes
			st, err := sv.Status(t.Context(), deletion.Target{BackupID: "a"})
			if err != nil || st.Waiting != 3 || st.Class != deletion.ClassForbidden {
				t.Fatalf("state %+v, error %v", st, err)
			}
		}
	})
}

// A status that is neither COMPLETED nor known is "there as before".
func TestBackWithAnotherStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		d.show = func(since time.Duration) (deletion.Sight, error) {
			switch {
			case since < 8*time.Minute:
				return deleting, nil
			case since < 2*time.Hour: // a word that the documentation does not know
				return deletion.Sight{Backup: &deletion.Backup{Status: "DELETED"}, Refusal: &deletion.Error{Class: deletion.ClassConflict}}, nil
			default:
				return deletion.Sight{}, errAbsent
			}
		}
		d.job = func(time.Duration) (deletion.JobStatus, string, error) { return deletion.JobRunning, "", nil }
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a"))
		tickFor(t.Context(), sv, 4*time.Hour)
		if f := dataOf(t, s, deletion.Failed); len(f) > 0 {
			t.Errorf("failed %s while its job runs and the backup is never COMPLETED", f[0].Reason)
		}
	})
}

// No room for a last receive: silence.
func TestNoRoomForTheLastReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		sv := following(&dds{answer: refusing(deletion.Error{Class: deletion.ClassConflict})}, s, new(bytes.Buffer))
		for n := range 300 {
			sv.Do(t.Context(), []deletion.Request{topicRequest(fmt.Sprintf("%0128d", n))})
		}
		sv.Do(t.Context(), []deletion.Request{{ID: "m", Source: "sqs", BackupID: "a", Receives: 10, LastReceive: true}})
		tickFor(t.Context(), sv, time.Hour)
		if len(dataOf(t, s, deletion.Abandoned)) != 1 {
			t.Errorf("silence")
		}
	})
}

// The version before removes all refusals when it accepts: an owed refusal is lost, and the item is due for ever.
func TestOwedRefusalRemovedByTheVersionBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		s := brokenSink(&broken)
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassNotFound})}
		sv := following(d, s, new(bytes.Buffer))
		sv.Follow = false
		o := sv.Do(t.Context(), []deletion.Request{topicRequest("one")})[0]
		if !o.Parked {
			t.Fatalf("%s", o.Status)
		}
		key := deletion.Key{ProjectID: project, BackupID: "a"}
		i, _ := sv.Ledger.Get(t.Context(), key)
		old := i.Clone()
		old.Answers, old.Answer = nil, deletion.Answer{Status: deletion.Accepted, Event: `{"data":{}}`}
		if c, err := sv.Ledger.Swap(t.Context(), i, old); c != nil || err != nil {
			t.Fatal(c, err)
		}
		broken, s.taken = false, nil
		tickFor(t.Context(), sv, 24*time.Hour)
		now, _ := sv.Ledger.Get(t.Context(), key)
		if _, at := now.Due(); !at.IsZero() {
			t.Errorf("due for ever: %q; events %d", now.Plan.Owed, len(s.taken))
		}
	})
}

// A DDS that hangs makes a tick last until the deadline of the invocation: Lambda kills it.
func TestATickLastsUntilItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hanging{ok: true}
		sv := following(h, &sink{}, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a"))
		time.Sleep(2 * time.Minute)
		h.ok = false
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		sv.Tick(ctx)
		if took := time.Since(start); took >= 30*time.Second {
			t.Errorf("it took %v of 30 s", took)
		}
	})
}

// What waits while deletions are stopped for a week is abandoned afterwards without a try; meanwhile it has no end.
func TestStoppedForAWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{}
		sv := following(d, s, new(bytes.Buffer))
		sv.StopDeletions = true
		sv.Do(t.Context(), []deletion.Request{topicRequest("one")})
		tickFor(t.Context(), sv, 8*24*time.Hour)
		before := len(s.taken)
		sv.StopDeletions = false
		tickFor(t.Context(), sv, time.Hour)
		if len(d.deletes) == 0 {
			t.Errorf("while stopped %d events; then %d abandoned without a single try", before, len(dataOf(t, s, deletion.Abandoned)))
		}
	})
}

// A process that is killed again and again (exit while working) is bounded only by age: how many tries?
func TestARequestThatKills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: func() (deletion.Deletion, error) { panic("kill") }}
		sv := following(d, s, new(bytes.Buffer))
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			sv.Do(ctx, []deletion.Request{topicRequest("one")})
			cancel()
		}
		for range 12 * 24 * 8 {
			time.Sleep(5 * time.Minute)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			sv.Tick(ctx)
			cancel()
		}
		t.Logf("%d calls, abandoned %d", len(d.deletes), len(dataOf(t, s, deletion.Abandoned)))
		if len(d.deletes) > 300 {
			t.Errorf("%d DELETEs of a request that kills its process, every tick for a week without a pause", len(d.deletes))
		}
	})
}

// An expired request leads a DELETE (its lease) together with one that has not expired.
func TestAnExpiredRequestLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true})}
		sv := following(d, s, new(bytes.Buffer))
		in := requests("a", "a")
		in[0].ExpiresAt = time.Now().Add(time.Minute)
		sv.Do(t.Context(), in)
		time.Sleep(20 * time.Minute)
		d.answer = nil
		o := sv.Do(t.Context(), in)
		if o[0].Status == deletion.Accepted && bytes.Contains(o[0].Event.Data, []byte("message-0")) {
			t.Errorf("accepted names the expired request as the one that led: %s", o[0].Event.Data)
		}
	})
}

// Redeliveries more often than ten minutes put the settling check off for ever.
func TestTheCheckIsPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true})}
		sv := following(d, s, new(bytes.Buffer))
		r := requests("a")
		sv.Do(t.Context(), r)
		sv.StopDeletions = true // the backup is gone meanwhile, but every redelivery only postpones
		d.sent, d.show = time.Now(), func(time.Duration) (deletion.Sight, error) { return deletion.Sight{}, errAbsent }
		r[0].Redelivered = true
		for range 60 {
			time.Sleep(5 * time.Minute)
			sv.Do(t.Context(), r)
			sv.Tick(t.Context())
		}
		if len(dataOf(t, s, deletion.Unconfirmed)) == 0 {
			t.Errorf("five hours, and no settling; looks %d", d.looks)
		}
	})
}

// Many requests of one topic for one backup, while it is busy: those beyond a tick's ten.
func TestMoreThanTen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassConflict})}
		sv := following(d, s, new(bytes.Buffer))
		for n := range 40 {
			sv.Do(t.Context(), []deletion.Request{topicRequest(fmt.Sprint(n))})
		}
		d.answer = refusing(deletion.Error{Class: deletion.ClassNotFound})
		tickFor(t.Context(), sv, 3*time.Hour)
		if n := len(dataOf(t, s, deletion.NotFound)); n != 40 {
			t.Errorf("%d of 40", n)
		}
	})
}

// A mixed group: the queue's request leads, the topic's has no room or is the follower; sink down, then kill.
func TestMixedGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		s := brokenSink(&broken)
		d := &dds{}
		sv := following(d, s, new(bytes.Buffer))
		in := []deletion.Request{{ID: "q", Source: "sqs", BackupID: "a"}, topicRequest("one")}
		o := sv.Do(t.Context(), in)
		if o[0].Parked || !o[1].Parked {
			t.Fatalf("%v %v", o[0].Parked, o[1].Parked)
		}
		broken, s.taken = false, nil
		tickFor(t.Context(), sv, time.Hour)
		if len(dataOf(t, s, deletion.Accepted)) != 1 {
			t.Errorf("%v", s.taken)
		}
	})
}

// A topic's replay of an accepted answer whose event was settled; sink down; FOLLOW completes meanwhile.
func TestReplayThatIsOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := false
		s := brokenSink(&broken)
		d := &dds{show: func(time.Duration) (deletion.Sight, error) { return deletion.Sight{}, errAbsent }}
		sv := following(d, s, new(bytes.Buffer))
		sv.Do(t.Context(), requests("a"))
		broken = true
		if o := sv.Do(t.Context(), []deletion.Request{topicRequest("one")})[0]; !o.Parked {
			t.Fatal(o.Status)
		}
		tickFor(t.Context(), sv, time.Hour)
		broken, s.taken = false, nil
		tickFor(t.Context(), sv, time.Hour)
		if len(dataOf(t, s, deletion.Accepted)) != 1 || len(dataOf(t, s, deletion.Completed)) != 1 {
			t.Errorf("%d events", len(s.taken))
		}
	})
}

// What a tick claimed and had no time to look at is not due for the tick that follows at once.
func TestClaimedAndNotLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dds{}
		sv := following(d, &sink{}, new(bytes.Buffer))
		sv.Concurrency = 2
		for n := range 25 {
			sv.Do(t.Context(), requests(fmt.Sprint("backup-", n)))
		}
		d.show = func(time.Duration) (deletion.Sight, error) { time.Sleep(2 * time.Second); return deleting, nil }
		time.Sleep(2 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		first := sv.Tick(ctx)
		cancel()
		second := sv.Tick(t.Context()) // at once
		if first.More && second.Looks == 0 {
			t.Errorf("%d looks, more is due, and the next tick at once finds nothing", first.Looks)
		}
	})
}

// DRY_RUN while a last receive of an earlier, real delivery waits to be abandoned; and a dry run of a message at its last receive.
func TestStatusSinceOfMaybeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sv := following(&dds{answer: refusing(deletion.Error{Class: deletion.ClassConflict})}, &sink{}, new(bytes.Buffer))
		sv.Do(t.Context(), []deletion.Request{topicRequest("one")})
		start := time.Now()
		tickFor(t.Context(), sv, 2*time.Hour)
		st, _ := sv.Status(t.Context(), deletion.Target{BackupID: "a"})
		if st.State != deletion.PhaseWaiting || !st.Since.Equal(start) {
			t.Errorf("%+v, want since %v", st, start)
		}
	})
}

// The tick's share: a throttled deletion stops the publishing of owed events.
func TestThrottledAndOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		s := brokenSink(&broken)
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassNotFound})}
		sv := following(d, s, new(bytes.Buffer))
		sv.Concurrency = 2
		for n := range 100 {
			r := topicRequest(fmt.Sprint("o", n))
			r.BackupID = fmt.Sprint("o", n)
			sv.Do(t.Context(), []deletion.Request{r})
		}
		d.answer = nil
		broken = false
		for n := range 60 {
			sv.Do(t.Context(), requests(fmt.Sprint("f", n)))
		}
		s.taken = nil
		d.show = func(time.Duration) (deletion.Sight, error) {
			return deletion.Sight{}, &deletion.Error{Class: deletion.ClassThrottled}
		}
		tickFor(t.Context(), sv, time.Hour)
		t.Logf("%d of 100 owed events after an hour in which DDS throttles", len(dataOf(t, s, deletion.NotFound)))
	})
}

// The first look after a late upgrade, and the last receive beside a waiting request of a topic: nobody is lost.
func TestLastReceiveBesideATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		d := &dds{answer: refusing(deletion.Error{Class: deletion.ClassConflict})}
		sv := following(d, s, new(bytes.Buffer))
		o := sv.Do(t.Context(), []deletion.Request{{ID: "q", Source: "sqs", BackupID: "a", LastReceive: true, Receives: 10}, topicRequest("one")})
		if o[0].Parked || !o[1].Parked {
			t.Fatal(o)
		}
		d.answer = nil
		tickFor(t.Context(), sv, time.Hour)
		if len(dataOf(t, s, deletion.Abandoned)) != 1 || len(dataOf(t, s, deletion.Accepted)) != 1 {
			t.Errorf("%d abandoned, %d accepted", len(dataOf(t, s, deletion.Abandoned)), len(dataOf(t, s, deletion.Accepted)))
		}
	})
}
