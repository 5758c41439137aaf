package deletion

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// tickPage is how many items a tick takes from the agenda at once.
	tickPage = 25
	// tickGroup bounds the waiting requests for one backup that a tick works together, so that what is owed
	// for them has room in the item.
	tickGroup = 10
	// listHelpsFrom is from how many looks in one project on a page of the backup list is read first.
	listHelpsFrom = 3
	// claimTime is how long an item that a tick works is not due for another one.
	claimTime = 2 * time.Minute
)

// TickResult is what a tick did.
type TickResult struct {
	// Outcomes are those of the requests that waited.
	Outcomes []Outcome `json:"-"`
	// Deletions, Looks and Published count the requests that were worked, the looks at backups, and the events
	// that were owed and published.
	Deletions int `json:"deletions"`
	Looks     int `json:"looks"`
	Published int `json:"published"`
	// Ends counts the ends and abandoned requests by their status.
	Ends map[Status]int `json:"ends,omitempty"`
	// Overdue counts the deletions that have been followed for longer than [Service].FollowAlarmAfter.
	Overdue int `json:"overdue"`
	// Throttled says that the tick stopped because DDS throttled it, and More that it ended with work due.
	Throttled bool `json:"throttled,omitempty"`
	More      bool `json:"more,omitempty"`
	// Failed says that the ledger could not be asked.
	Failed bool `json:"failed,omitempty"`
}

// Again reports whether another tick at once is worth it: work is due, and this one made progress.
func (r *TickResult) Again() bool {
	return r.More && !r.Throttled && !r.Failed && r.Deletions+r.Looks+r.Published > 0
}

// tick is a tick at work.
type tick struct {
	*Service

	scope   Scope
	stopAt  time.Time // no work begins after it; zero if there is no deadline
	stopped atomic.Bool

	mu     sync.Mutex
	result TickResult
}

// Tick works what is due in the ledger: requests that wait, and checks. Both have half of the concurrency.
// It stops at the first throttled call. An error of one item ends nothing: the item is due again later. It needs a
// durable ledger; otherwise nothing is ever due.
func (s *Service) Tick(ctx context.Context) *TickResult {
	ctx = InBackground(ctx)
	t := &tick{Service: s, result: TickResult{Ends: make(map[Status]int)}}
	if deadline, bounded := ctx.Deadline(); bounded {
		left := time.Until(deadline)
		t.stopAt = deadline.Add(-left / 3) // the last items need their time, too
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(left/10, 2*time.Second))) // and so does the reply
		defer cancel()
	}
	var err error
	if t.scope, err = s.scope(ctx); err != nil {
		s.Log.WarnContext(ctx, "tick: the project is not known", "error", err.Error())
		t.result.Failed = true
		return &t.result
	}
	deletions := &pages{tick: t, kind: Deletions, work: func(ctx context.Context, items []*Item) {
		t.check(ctx, items) // an item is in the part of what is due first, and may have a check besides
		if !s.StopDeletions && !s.DryRun {
			t.workWaiting(ctx, items)
		}
	}}
	checks := &pages{tick: t, kind: Checks, work: t.check}
	if s.Concurrency == 1 { // they take turns
		for more := true; more; {
			first := deletions.next(ctx)
			more = checks.next(ctx) || first
		}
		return &t.result
	}
	var both sync.WaitGroup
	for _, p := range []*pages{deletions, checks} {
		both.Go(func() {
			for p.next(ctx) {
			}
		})
	}
	both.Wait()
	return &t.result
}

// pages are the items of a kind that are due, a page at a time.
type pages struct {
	*tick

	kind   Agenda
	work   func(context.Context, []*Item)
	cursor string
	ended  bool
}

// next works the next page, and reports whether there may be another one.
func (p *pages) next(ctx context.Context) bool {
	if p.ended {
		return false
	}
	if p.over(ctx) {
		p.count(func(r *TickResult) { r.More = true })
		p.ended = true
		return false
	}
	now := p.now()
	keys, cursor, err := p.Ledger.Due(ctx, p.kind, now, min(tickPage, 2*p.half()), p.cursor)
	if err != nil {
		p.Log.ErrorContext(ctx, "tick: the agenda could not be read", "kind", string(p.kind), "error", err.Error())
		p.count(func(r *TickResult) { r.Failed = true })
		p.ended = true
		return false
	}
	p.work(ctx, p.read(ctx, keys, now))
	p.cursor, p.ended = cursor, cursor == ""
	return !p.ended
}

// half is the concurrency of one kind.
func (t *tick) half() int { return max(1, t.Concurrency/2) }

// count changes the result.
func (t *tick) count(change func(*TickResult)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.result)
}

// over reports whether no more work may begin.
func (t *tick) over(ctx context.Context) bool {
	return t.stopped.Load() || ctx.Err() != nil || !t.stopAt.IsZero() && !time.Now().Before(t.stopAt)
}

// stopFor stops the tick if an error says that calls are throttled, or that the tick has no more turns. It reports
// the latter, which says nothing about the backup.
func (t *tick) stopFor(err *Error) (noTurn bool) {
	if err == nil || err.Class != ClassThrottled && !err.NoTurn {
		return false
	}
	t.stopped.Store(true)
	t.count(func(r *TickResult) {
		r.Throttled = r.Throttled || !err.NoTurn
		r.More = true
	})
	return err.NoTurn
}

// read returns the items with these keys that are in scope and still due.
func (t *tick) read(ctx context.Context, keys []Key, now time.Time) []*Item {
	found := make([]*Item, len(keys))
	var workers errgroup.Group
	workers.SetLimit(t.half())
	for n, key := range keys {
		if !t.scope.hasProject(key.ProjectID) {
			continue
		}
		workers.Go(func() error {
			i, err := t.Ledger.Get(ctx, key)
			if err != nil {
				t.warn(ctx, &Item{Key: key}, "get", err)
				return nil
			}
			if i == nil || i.expired(now) || !t.scope.hasRegion(i.Plan.Region) {
				return nil
			}
			if _, at := i.Due(); !at.IsZero() && !at.After(now) {
				found[n] = i
			}
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error
	return slices.DeleteFunc(found, func(i *Item) bool { return i == nil })
}

// workWaiting works the waiting requests of items that are due.
func (t *tick) workWaiting(ctx context.Context, items []*Item) {
	now := t.now()
	for part := range slices.Chunk(items, t.half()) {
		if t.over(ctx) {
			t.count(func(r *TickResult) { r.More = true })
			return
		}
		var requests []Request
		for _, i := range part {
			requests = append(requests, i.waitingAt(now)...)
		}
		if len(requests) == 0 {
			continue
		}
		outcomes := t.do(ctx, requests, t.half())
		for n := range outcomes {
			t.stopFor(outcomes[n].Err)
		}
		t.count(func(r *TickResult) {
			r.Outcomes = append(r.Outcomes, outcomes...)
			r.Deletions += len(outcomes)
		})
	}
}

// waitingAt returns the requests of an item whose next try is due, the oldest first.
func (i *Item) waitingAt(now time.Time) (requests []Request) {
	for _, w := range i.Plan.oldestFirst() {
		if !w.Abandon && !w.Next.After(now) && len(requests) < tickGroup {
			r := w.Request
			r.OnAgenda = true
			requests = append(requests, r)
		}
	}
	return requests
}

// check works items with a check or owed events. It claims no more of them than it can look at soon.
func (t *tick) check(ctx context.Context, items []*Item) {
	for part := range slices.Chunk(items, 2*t.half()) {
		if t.over(ctx) {
			t.count(func(r *TickResult) { r.More = true })
			return
		}
		t.checkPart(ctx, part)
	}
}

func (t *tick) checkPart(ctx context.Context, items []*Item) {
	var mu sync.Mutex
	var looks []*Item // claimed, to be looked at
	t.inParallel(ctx, items, func(i *Item) {
		claimed, look := t.claim(ctx, i)
		if claimed != nil && look {
			mu.Lock()
			defer mu.Unlock()
			looks = append(looks, claimed)
		}
	})
	listed := t.list(ctx, looks)
	t.inParallel(ctx, looks, func(i *Item) { t.look(ctx, i, listed[i.Key]) })
}

// inParallel calls work for each item, unless the tick is over. A panic concerns one item.
func (t *tick) inParallel(ctx context.Context, items []*Item, work func(*Item)) {
	var workers errgroup.Group
	workers.SetLimit(t.half())
	for _, i := range items {
		workers.Go(func() error {
			if t.over(ctx) {
				t.count(func(r *TickResult) { r.More = true })
				return nil
			}
			protect(ctx, t.Log, &Request{ProjectID: i.ProjectID, BackupID: i.BackupID}, func() { work(i) })
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error
}

// claim takes an item that is due, and publishes what is owed. It returns the item as it is then, and whether the
// backup must be looked at; nil if another process was faster.
func (t *tick) claim(ctx context.Context, i *Item) (claimed *Item, look bool) {
	now := t.now()
	next := i.Clone()
	work, changed := next.claim(now, now.Add(claimTime))
	if !changed {
		return nil, false
	}
	if other, err := t.Ledger.Swap(ctx, i, next); err != nil || other != nil {
		if err != nil {
			t.warn(ctx, i, "claim", err)
		}
		return nil, false
	}
	if len(work.owed) > 0 {
		next = t.publishOwed(ctx, next)
	}
	return next, work.look
}

// publishOwed publishes the events that an item owes, and returns the item as it is then.
func (t *tick) publishOwed(ctx context.Context, i *Item) *Item {
	texts := i.owed()
	events := make([]Event, 0, len(texts))
	var datas []Data
	for _, text := range texts {
		e, data, err := parseEvent(text, "")
		if err != nil {
			t.warn(ctx, i, "event", err)
			continue
		}
		events, datas = append(events, e), append(datas, data)
	}
	taken := make(map[string]bool)
	for n, err := range t.publish(ctx, events) {
		if err != nil {
			t.warn(ctx, i, "publish", err)
			continue
		}
		taken[string(events[n].JSON)] = true
		t.logPublished(ctx, &datas[n], &events[n])
	}
	if len(taken) == 0 {
		return i
	}
	settled, err := t.update(ctx, i.Key, i, func(i *Item) bool { return i.settle(taken) })
	if err != nil { // it is published again
		t.warn(ctx, i, "settle", err)
		return i
	}
	t.count(func(r *TickResult) {
		r.Published += len(taken)
		for n := range events {
			if s := events[n].Status; taken[string(events[n].JSON)] && (s == Abandoned || s == Completed || s == Failed) {
				r.Ends[s]++
			}
		}
	})
	return settled
}

// logPublished logs an event that only a tick publishes.
func (t *tick) logPublished(ctx context.Context, d *Data, e *Event) {
	level := slog.LevelInfo
	if d.Error != nil {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("request_id", d.RequestID), slog.String("project_id", d.ProjectID), slog.String("backup_id", d.BackupID),
		slog.String("status", string(d.Status)), slog.String("event_id", e.ID),
	}
	attrs = appendText(appendText(attrs, "job_id", d.JobID), "reason", d.Reason)
	if d.Attempt > 0 {
		attrs = append(attrs, slog.Int("attempt", d.Attempt))
	}
	if d.Error != nil {
		attrs = append(attrs, slog.String("class", string(d.Error.Class)), slog.String("code", d.Error.Code), slog.String("error", d.Error.Message))
	}
	t.Log.LogAttrs(ctx, level, "published", attrs...)
}

// list reads a page of the backup list of each project in which it saves calls, and returns what it shows.
// Only a backup's presence counts: what is missing may be on another page.
func (t *tick) list(ctx context.Context, items []*Item) map[Key]Sight {
	type project struct{ region, id string }
	looks := make(map[project]int)
	for _, i := range items {
		looks[project{i.Plan.Region, i.ProjectID}]++
	}
	found := make(map[Key]Sight)
	for p, n := range looks {
		if n < listHelpsFrom || t.over(ctx) {
			continue
		}
		page, err := t.Backups.List(ctx, p.region, p.id)
		if err != nil { // each backup is asked for by its id
			t.stopFor(explain(err))
			continue
		}
		for id, s := range page {
			found[Key{p.id, id}] = s
		}
	}
	return found
}

// look looks at a backup that was claimed, and stores what that means for it.
func (t *tick) look(ctx context.Context, i *Item, listed Sight) {
	sight := listed
	if sight.Backup == nil {
		var err error
		if sight, err = t.Backups.LookUp(ctx, Target{i.Plan.Region, i.ProjectID, i.BackupID}); err != nil {
			if t.stopFor(explain(err)) {
				return // it is due again after claimTime
			}
			t.warn(ctx, i, "look-up", err)
			t.postpone(ctx, i)
			return
		}
	}
	t.count(func(r *TickResult) { r.Looks++ })
	job, reason, err := t.job(ctx, i, sight)
	if err != nil && t.now().Sub(i.since()) >= week { // a running job would keep the check open
		t.postpone(ctx, i)
		return
	}
	now := t.now()
	next := i.Clone()
	next.look(now, sight, job, reason)
	// A look that another write overtook is worth nothing. The item is due again after claimTime.
	if other, err := t.Ledger.Swap(ctx, i, next); err != nil || other != nil {
		if err != nil {
			t.warn(ctx, i, "look", err)
		}
		return
	}
	t.overdue(next, now)
	if end := next.Plan.End; end != nil && (i.Plan.End == nil || end.Attempt != i.Plan.End.Attempt) && end.Status == Closed {
		t.count(func(r *TickResult) { r.Ends[Closed]++ })
		t.Log.WarnContext(ctx, "closed without an end", "project_id", i.ProjectID, "backup_id", i.BackupID, "job_id", i.jobID())
	}
	if len(next.Plan.Owed) > len(i.Plan.Owed) {
		t.publishOwed(ctx, next)
	}
}

// job asks for the job of a deletion, if that helps to tell what became of a backup that is there.
func (t *tick) job(ctx context.Context, i *Item, s Sight) (status JobStatus, reason string, err error) {
	id := i.jobID()
	if id == "" || s.Backup == nil || s.Deleting || i.Plan.Check.Looks == 0 {
		return JobUnknown, "", nil
	}
	status, reason, err = t.Backups.Job(ctx, Target{i.Plan.Region, i.ProjectID, i.BackupID}, id)
	if err != nil {
		t.stopFor(explain(err))
		t.warn(ctx, i, "job", err)
	}
	return status, reason, err
}

// postpone lets a look that failed wait as long as one that showed nothing new.
func (t *tick) postpone(ctx context.Context, i *Item) {
	next := i.Clone()
	next.Plan.Check.Next = t.now().Add(gap(next.Plan.Check.Looks + 1))
	if _, err := t.Ledger.Swap(ctx, i, next); err != nil {
		t.warn(ctx, i, "postpone", err)
	}
	t.overdue(i, t.now())
}

// overdue counts an item whose check has been open for too long.
func (t *tick) overdue(i *Item, now time.Time) {
	if i.Plan.Check != nil && t.FollowAlarmAfter > 0 && now.Sub(i.since()) >= t.FollowAlarmAfter {
		t.count(func(r *TickResult) { r.Overdue++ })
	}
}

// warn logs that a step of the work on an item failed. It is taken again later.
func (t *tick) warn(ctx context.Context, i *Item, step string, err error) {
	class, code := ClassInternal, ""
	if e, ok := errors.AsType[*Error](err); ok {
		class, code = e.Class, e.Code
	}
	t.Log.WarnContext(ctx, "tick: an item is left for later", "project_id", i.ProjectID, "backup_id", i.BackupID, "step", step,
		"class", string(class), "code", code, "error", err.Error())
}
