package deletion

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"time"
)

const (
	// leaseMargin is how much longer a lease lasts than its holder needs it, because clocks may differ
	// a little.
	leaseMargin = 5 * time.Second
	// unboundedLease is how long the lease of a holder without a deadline lasts, for example outside Lambda.
	unboundedLease = 15 * time.Minute
	// recordTime bounds how long recording is retried if there is no deadline.
	recordTime = time.Minute
)

// group is the requests for one backup that are worked together.
type group struct {
	outcomes []*Outcome
	item     *Item     // as this process read or wrote it last; nil if it did not
	holder   holder    // of the lease
	stopAt   time.Time // when the holder must stop working
}

func (g *group) key() Key {
	r := &g.outcomes[0].Request
	return Key{r.ProjectID, r.BackupID}
}

// update changes the item of a backup until the ledger takes it: old is what the caller knows of it, nil if
// it knows nothing. It returns the item as it is now.
func (s *Service) update(ctx context.Context, key Key, old *Item, change func(*Item) (changed bool)) (*Item, error) {
	for {
		next := &Item{Key: key}
		if old != nil && !old.expired(s.now()) {
			next = old.Clone()
		}
		if !change(next) {
			return next, nil
		}
		current, err := s.Ledger.Swap(ctx, old, next)
		if err != nil {
			return nil, err
		}
		if current == nil {
			return next, nil
		}
		old = current
	}
}

// begin takes a lease for the requests of a group that are undecided. It sets the outcome of each that the
// ledger knows, cannot answer for, or has leased to another holder. Requests of the agenda that are not due
// any more leave the group.
func (s *Service) begin(ctx context.Context, deadline time.Time, g *group, seen *Backup) (c claim) {
	duration := unboundedLease
	if !deadline.IsZero() {
		duration = max(time.Until(deadline), 0)
	}
	now := s.now()
	g.stopAt = now.Add(duration)
	g.holder = holder{
		now: now, began: now, seen: seen, token: rand.Text(), until: g.stopAt.Add(leaseMargin).Truncate(time.Millisecond), durable: s.Durable, follow: s.Follow,
		refuse: func(r *Request) *Error { return s.refusal(r, now) },
	}
	item, err := s.update(ctx, g.key(), g.item, func(i *Item) (changed bool) {
		c, changed = i.begin(&g.holder, g.outcomes)
		return changed
	})
	if err != nil {
		logRequest(ctx, s.Log, slog.LevelWarn, "ledger: begin", &g.outcomes[0].Request, slog.String("error", err.Error()))
		for _, o := range g.outcomes {
			*o = failed(o.Request, newError(ClassUnavailable, "the ledger could not be used, so nothing was deleted; the log has its error"))
			o.LedgerFailed = ctx.Err() == nil // otherwise there was no time to ask it
		}
		return claim{}
	}
	g.item = item
	g.outcomes = slices.DeleteFunc(g.outcomes, func(o *Outcome) bool {
		decided, ok := c.decided[o]
		if ok && decided == nil {
			o.Status = notDue
		} else if ok {
			*o = *decided
		}
		return ok && decided == nil
	})
	return c
}

// giveUp notes in the ledger that a request at its last receive was not worked. If that fails, only the dead letter tells.
func (s *Service) giveUp(ctx context.Context, g *group) {
	o := g.outcomes[0]
	h := holder{now: s.now(), durable: true}
	item, err := s.update(ctx, g.key(), nil, func(i *Item) bool {
		key := o.Request.Key()
		if _, known := i.answerTo(key); known || !i.hasRoom(&o.Request) {
			return false
		}
		i.Plan.Region = o.Request.Region
		i.wait(&h, &o.Request, h.now, false)
		i.abandon(h.now, key, o.Err)
		return true
	})
	if err != nil {
		logRequest(ctx, s.Log, slog.LevelWarn, "ledger: not settled", &o.Request, slog.String("error", err.Error()))
	}
	g.item = item
}

// recordOrRelease records the outcomes of one backup before they are published, because an outcome that
// no ledger has could be published in two versions. If there is no verdict, it releases the lease.
func (s *Service) recordOrRelease(ctx context.Context, g *group, c *claim) {
	undecided, maybeSent := c.undecided, c.maybeSent || g.holder.sent
	first := undecided[0]
	if first.Status == Retry {
		s.release(ctx, g, maybeSent, undecided)
		return
	}
	attempt := g.item.Plan.Attempt // that of our lease
	covered := coveredBy(undecided, attempt, c.maybeSent)
	// A refusal leaves open what an earlier DELETE did, so the next request must know of that DELETE.
	stored, err := s.record(ctx, g, attempt, maybeSent && !finalForBackup(first.Status), covered)
	switch {
	case err == nil && stored:
	case err != nil && !errors.Is(err, ErrLeaseLost) && first.JobID != "":
		// A repeat of this event would be the same, because it has a job id. If we published nothing, the job id could
		// be lost, and no other one can follow.
		logRequest(ctx, s.Log, slog.LevelError, "ledger: not recorded", &first.Request, slog.String("job_id", first.JobID), slog.String("error", err.Error()))
		for _, o := range covered {
			o.LedgerFailed = true
		}
	default:
		for _, o := range covered {
			*o = s.unrecorded(g, o.Request, err)
		}
	}
}

// coveredBy writes the events of the outcomes and returns those that one write covers. Requests whose
// events would make it larger than [MaxRecorded] are retried.
func coveredBy(outcomes []*Outcome, attempt int, again bool) (covered []*Outcome) {
	size := 0
	known := make(map[string]bool, len(outcomes))
	for _, o := range outcomes {
		if finalForBackup(o.Status) && len(covered) > 0 {
			o.Event = covered[0].Event // that of the request that led
			covered = append(covered, o)
			continue
		}
		o.writeEvent(attempt, again)
		id := o.Event.ID
		if !known[id] && !finalForBackup(o.Status) {
			size += len(o.Event.JSON)
			if size > MaxRecorded {
				*o = failed(o.Request, newError(ClassUnavailable, "too many requests for this backup came at once"))
				continue
			}
		}
		known[id] = true
		covered = append(covered, o)
	}
	return covered
}

// record writes to the ledger and retries until ctx ends, because an outcome that is not recorded
// now may never be known again. With stored false and no error, the item has another answer.
func (s *Service) record(ctx context.Context, g *group, attempt int, maybeSent bool, covered []*Outcome) (stored bool, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, recordTime)
		defer cancel()
	}
	g.holder.now = s.now()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		var item *Item
		var refused error
		if protect(ctx, s.Log, nil, func() {
			item, err = s.update(ctx, g.key(), g.item, func(i *Item) (changed bool) {
				stored, changed, refused = i.record(&g.holder, attempt, maybeSent, covered)
				return changed
			})
		}) {
			err = errors.New("the ledger panicked")
		}
		if err == nil {
			g.item = item
			return stored, refused
		}
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(wait):
		}
	}
}

// release gives the lease back. If that fails, the lease expires by itself, and then counts as released with
// maybeSent.
func (s *Service) release(ctx context.Context, g *group, maybeSent bool, undecided []*Outcome) {
	g.holder.now = s.now()
	item, err := s.update(ctx, g.key(), g.item, func(i *Item) bool { return i.release(&g.holder, maybeSent, undecided) })
	if err != nil {
		logRequest(ctx, s.Log, slog.LevelWarn, "ledger: release", &undecided[0].Request, slog.String("error", err.Error()))
		return
	}
	g.item = item
}

// unrecorded returns the outcome to report when the ledger did not store ours: what it answers instead, a
// conflict, or a retry.
func (s *Service) unrecorded(g *group, request Request, err error) Outcome {
	switch {
	case err == nil:
		if a, known := g.item.answerTo(request.Key()); known {
			return *a.replay(request)
		}
		return failed(request, newError(ClassConflict, ErrLeaseLost.Error()))
	case errors.Is(err, ErrLeaseLost):
		return failed(request, newError(ClassConflict, err.Error()))
	default:
		// A retry loses nothing.
		o := failed(request, newError(ClassUndelivered, "the outcome could not be recorded"))
		o.Err.Cause, o.LedgerFailed = err.Error(), true
		return o
	}
}

// settles reports whether the ledger keeps anything of a group.
func (g *group) settles() bool {
	return g.item != nil && len(g.outcomes) > 0 && (len(g.item.Plan.Owed) > 0 ||
		slices.ContainsFunc(g.outcomes, func(o *Outcome) bool { return g.holder.keeps(&o.Request) }))
}

// settle tells the ledger which events the sink took, for the requests that it keeps, and marks those that the
// ledger will try again. Unpublished are the events that it did not take.
func (s *Service) settle(ctx context.Context, g *group, unpublished map[*Outcome]string) {
	taken := make(map[string]bool)
	var left []string
	for _, o := range g.outcomes {
		switch {
		case o.Status != Retry:
			taken[string(o.Event.JSON)] = true
		case unpublished[o] != "" && g.holder.keeps(&o.Request):
			left = append(left, unpublished[o])
		}
	}
	if len(g.item.Plan.Owed) > 0 || len(left) > 0 {
		item, err := s.update(ctx, g.key(), g.item, func(i *Item) bool {
			before := len(i.Plan.Owed)
			changed := i.settle(taken)
			if i.Plan.Region == "" { // the version before kept none
				i.Plan.Region = g.outcomes[0].Request.Region
			}
			for _, text := range left {
				i.owe(text, s.now().Add(publishing))
			}
			return changed || len(i.Plan.Owed) != before
		})
		if err != nil { // a tick publishes again what it does not know to be taken
			logRequest(ctx, s.Log, slog.LevelWarn, "ledger: not settled", &g.outcomes[0].Request, slog.String("error", err.Error()))
		} else {
			g.item = item
		}
	}
	for _, o := range g.outcomes {
		o.Parked = o.Status == Retry && !o.Request.LastReceive && g.holder.keeps(&o.Request) && g.item.holds(&o.Request, unpublished[o])
	}
}

// holds reports whether the item has a next try of a request, or owes its event.
func (i *Item) holds(r *Request, event string) bool {
	w, waits := i.Plan.Waiting[r.Key()]
	return waits && !w.Abandon || event != "" && slices.Contains(i.owed(), event)
}
