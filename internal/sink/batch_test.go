package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
)

// events returns n events with bodies of that size in bytes.
func events(n, size int) []deletion.Event {
	all := make([]deletion.Event, n)
	for i := range all {
		all[i] = deletion.Event{ID: fmt.Sprint("e", i), JSON: make([]byte, size)}
	}
	return all
}

// script is a service with scripted answers. It keeps the ids of each call.
type script struct {
	mu    sync.Mutex
	calls [][]string
	// answer returns the result of an entry on its nth try.
	answer func(id string, try int) error
}

func (s *script) batches() *Batcher[deletion.Event] {
	return &Batcher[deletion.Event]{
		MaxEntries: 10, MaxBytes: 1000,
		Entry: func(e *deletion.Event) deletion.Event { return *e },
		Size:  func(e *deletion.Event) int { return len(e.JSON) },
		Send:  s.send,
	}
}

func (s *script) send(_ context.Context, batch []deletion.Event) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	errs := make([]error, len(batch))
	for i, e := range batch {
		try := 1
		for _, earlier := range s.calls {
			if slices.Contains(earlier, e.ID) {
				try++
			}
		}
		ids = append(ids, e.ID)
		errs[i] = s.answer(e.ID, try)
	}
	s.calls = append(s.calls, ids)
	return errs
}

func TestBatchesByCountAndSize(t *testing.T) {
	sized := func(sizes ...int) []deletion.Event {
		var all []deletion.Event
		for _, size := range sizes {
			all = append(all, events(1, size)...)
		}
		return all
	}
	for name, tc := range map[string]struct {
		events []deletion.Event
		want   []int
	}{
		"none":                      {nil, nil},
		"one":                       {events(1, 1), []int{1}},
		"ten":                       {events(10, 1), []int{10}},
		"eleven":                    {events(11, 1), []int{10, 1}},
		"just below the limit":      {sized(500, 499), []int{2}},
		"at the limit":              {sized(500, 500), []int{1, 1}},
		"one too large by itself":   {sized(10, 5000, 10, 10), []int{1, 1, 2}},
		"a large one first":         {sized(5000, 10), []int{1, 1}},
		"size counts from anew":     {sized(600, 300, 300, 600, 300), []int{2, 2, 1}},
		"count and size, both hold": {append(events(10, 50), events(3, 400)...), []int{10, 2, 1}},
	} {
		b := new(script).batches()
		due := make([]*delivery[deletion.Event], len(tc.events))
		for i := range due {
			due[i] = &delivery[deletion.Event]{entry: tc.events[i]}
		}
		var got []int
		next := 0
		for _, batch := range b.split(due) {
			for _, d := range batch {
				if d != due[next] {
					t.Errorf("%s: event %d comes where %d should", name, slices.Index(due, d), next)
				}
				next++
			}
			got = append(got, len(batch))
		}
		if next != len(tc.events) || !cmp.Equal(got, tc.want) {
			t.Errorf("%s: batches of %v, want %v", name, got, tc.want)
		}
	}
}

func TestOnlyWhatFailedIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(id string, try int) error {
			switch {
			case id == "e1" && try < 3:
				return errors.New("not yet")
			case id == "e2":
				return Permanent(errors.New("never"))
			}
			return nil
		}}
		errs := s.batches().Publish(t.Context(), events(4, 1))
		if errs[0] != nil || errs[1] != nil || errs[2] == nil || errs[3] != nil || errs[2].Error() != "never" {
			t.Errorf("results %v", errs)
		}
		if want := [][]string{{"e0", "e1", "e2", "e3"}, {"e1"}, {"e1"}}; !cmp.Equal(s.calls, want) {
			t.Errorf("calls %v, want %v", s.calls, want)
		}
	})
}

// An entry that makes the service refuse a call does not cost the others.
func TestARefusedCallIsTakenApart(t *testing.T) {
	b := new(script).batches()
	var mu sync.Mutex
	var calls []int
	b.Send = func(_ context.Context, batch []deletion.Event) []error {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, len(batch))
		if slices.ContainsFunc(batch, func(e deletion.Event) bool { return e.ID == "e2" }) {
			return AllFailed(len(batch), &PublishError{Err: errors.New("never"), Permanent: true, WholeCall: true})
		}
		return make([]error, len(batch))
	}
	for i, err := range b.Publish(t.Context(), events(4, 1)) {
		if (err != nil) != (i == 2) {
			t.Errorf("event %d: %v", i, err)
		}
	}
	if want := []int{4, 1, 1, 1, 1}; !cmp.Equal(calls, want) {
		t.Errorf("calls of %v entries, want %v", calls, want)
	}
}

// An event that keeps failing delays no other: all others are sent before it is sent again.
func TestWhatFailsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(id string, _ int) error {
			if len(id) == 2 { // the first ten
				return errors.New("not yet")
			}
			return nil
		}}
		b := s.batches()
		b.MaxEntries = 1
		failed := 0
		for i, err := range b.Publish(t.Context(), events(60, 1)) {
			if err != nil {
				failed++
				if i >= 10 {
					t.Errorf("event %d: %v", i, err)
				}
			}
		}
		if failed != 10 {
			t.Errorf("%d events failed, want ten", failed)
		}
		for place, call := range s.calls[:60] {
			if slices.ContainsFunc(s.calls[:place], func(earlier []string) bool { return earlier[0] == call[0] }) {
				t.Errorf("%s is sent again before all were sent", call[0])
			}
		}
	})
}

// An entry waits until the one before it in its group was taken or has failed for good.
func TestTheOrderOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(id string, try int) error {
			switch {
			case id == "e0" && try < 3:
				return errors.New("not yet")
			case id == "e1":
				return Permanent(errors.New("never"))
			}
			return nil
		}}
		b := s.batches()
		b.Group = func(e *deletion.Event) string {
			if e.ID == "e4" {
				return "another"
			}
			return "one"
		}
		errs := b.Publish(t.Context(), events(5, 1))
		if errs[0] != nil || errs[1] == nil || errs[2] != nil || errs[3] != nil || errs[4] != nil {
			t.Errorf("results %v", errs)
		}
		if want := [][]string{{"e0", "e4"}, {"e0"}, {"e0"}, {"e1"}, {"e2"}, {"e3"}}; !cmp.Equal(s.calls, want) {
			t.Errorf("calls %v, want %v", s.calls, want)
		}
	})
}

func TestTriesEndBeforeTheDeadline(t *testing.T) {
	for name, wait := range map[string]time.Duration{"with backoff": 0, "and a wait that fits": time.Second, "and one that does not": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				s := &script{answer: func(string, int) error { return &PublishError{Err: errors.New("later"), Wait: wait} }}
				start := time.Now()
				errs := s.batches().Publish(ctx, events(1, 1))
				if errs[0] == nil || errs[0].Error() != "later" {
					t.Errorf("error %v", errs[0])
				}
				if took := time.Since(start); took >= 8*time.Second || ctx.Err() != nil {
					t.Errorf("it took %v", took)
				}
				if wait == time.Hour && len(s.calls) != 1 {
					t.Errorf("%d tries, want one", len(s.calls))
				}
				if wait < time.Hour && (len(s.calls) < 3 || len(s.calls) > 200) {
					t.Errorf("%d tries", len(s.calls))
				}
			})
		})
	}
}

// Tries also end without a deadline.
func TestTriesEndWithoutADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(string, int) error { return errors.New("down") }}
		start := time.Now()
		if errs := s.batches().Publish(t.Context(), events(1, 1)); errs[0] == nil {
			t.Error("it counts as published")
		}
		if took := time.Since(start); took > publishTime || took < publishTime/2 {
			t.Errorf("it took %v, want nearly %v", took, publishTime)
		}
	})
}

// After the context has ended there is no call, and no event counts as published.
func TestNoTimeLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &script{answer: func(string, int) error { return nil }}
	for i, err := range s.batches().Publish(ctx, events(25, 1)) {
		if err == nil {
			t.Errorf("event %d counts as published", i)
		}
	}
	if len(s.calls) != 0 {
		t.Errorf("%d calls", len(s.calls))
	}
}

// A wait ends at once when its context does.
func TestWaitsAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &script{answer: func(string, int) error { return &PublishError{Err: errors.New("later"), Wait: 7 * time.Second} }}
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if errs := s.batches().Publish(ctx, events(1, 1)); errs[0] == nil || time.Since(start) != time.Second {
			t.Errorf("error %v after %v", errs[0], time.Since(start))
		}
	})
}

func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		b := new(script).batches()
		b.Send = func(_ context.Context, batch []deletion.Event) []error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second) // on the clock of the bubble
			mu.Lock()
			now--
			mu.Unlock()
			return make([]error, len(batch))
		}
		start := time.Now()
		for i, err := range b.Publish(t.Context(), events(10*MaxCalls*3, 1)) {
			if err != nil {
				t.Errorf("event %d: %v", i, err)
			}
		}
		if most != MaxCalls || time.Since(start) != 3*time.Second {
			t.Errorf("%d calls at once, %v for three rounds", most, time.Since(start))
		}
	})
}

// A bug in a sink fails only its batch, and is not retried.
func TestBugs(t *testing.T) {
	for name, send := range map[string]func(context.Context, []deletion.Event) []error{
		"panic":            func(context.Context, []deletion.Event) []error { panic("boom") },
		"too few results":  func(context.Context, []deletion.Event) []error { return nil },
		"too many results": func(context.Context, []deletion.Event) []error { return make([]error, 11) },
	} {
		b := new(script).batches()
		b.Send = func(ctx context.Context, batch []deletion.Event) []error {
			if batch[0].ID == "e0" {
				return send(ctx, batch)
			}
			return make([]error, len(batch))
		}
		for i, err := range b.Publish(t.Context(), events(15, 1)) {
			if (err != nil) != (i < 10) {
				t.Errorf("%s: event %d: %v", name, i, err)
			}
			if err != nil && name == "panic" && !strings.Contains(err.Error(), "boom") {
				t.Errorf("%s: event %d: %v", name, i, err)
			}
		}
	}
}
