package deletion

import (
	"context"
	"errors"
	"slices"
	"time"
)

// process sets the outcomes of a group of requests for one backup. A panic fails these requests alone.
func (s *Service) process(deleting, recording context.Context, deadline time.Time, g *group) {
	panicked := protect(recording, s.Log, &g.outcomes[0].Request, func() {
		if g.outcomes[0].Request.DryRun {
			s.simulate(deleting, g.outcomes)
		} else {
			s.delete(deleting, recording, deadline, g)
		}
	})
	for _, o := range g.outcomes {
		if panicked && o.Status == "" {
			*o = failed(o.Request, newError(ClassInternal, "the deletion panicked"))
		}
	}
}

// simulate sets the outcomes of dry runs for one backup. It does not call the ledger: a dry run takes no lease,
// replays nothing and leaves no trace.
func (s *Service) simulate(ctx context.Context, outcomes []*Outcome) {
	start := time.Now()
	for _, o := range outcomes {
		if err := s.refusal(&o.Request, s.now()); err != nil {
			*o = failed(o.Request, err)
		}
	}
	result := Outcome{Status: Simulated} // setResult fills in the request
	if ctx.Err() != nil {
		result = failed(Request{}, newError(ClassUnavailable, "no time was left for the dry run"))
	} else if s.RequireManual && slices.ContainsFunc(outcomes, func(o *Outcome) bool { return o.Status == "" }) {
		sight, err := s.Backups.LookUp(ctx, outcomes[0].Request.Target())
		if verdict, decided := verdictOf(sight, err, false); decided && verdict.Status != Unconfirmed {
			result = verdict
		}
	}
	result.Duration = time.Since(start)
	for _, o := range outcomes {
		if o.Status == "" {
			o.setResult(result)
		}
		o.writeUnrecordedEvent(&o.Request)
	}
}

// delete sets the outcomes of requests for one backup: from the ledger or, under one lease, by one call to
// DDS. The look-up comes before the lease, because the lease carries what it saw; but a request that the ledger
// probably knows is not looked up. The ledger is asked even if no time is left for DDS, if it must keep a request.
func (s *Service) delete(deleting, recording context.Context, deadline time.Time, g *group) {
	late := deleting.Err() != nil
	if late && !slices.ContainsFunc(g.outcomes, func(o *Outcome) bool { return s.keeps(&o.Request) }) {
		for _, o := range g.outcomes {
			*o = failed(o.Request, newError(ClassUnavailable, noTime))
		}
		return
	}
	looks := s.RequireManual && !s.StopDeletions && !late
	s.peek(deleting, g, looks)
	start := time.Now()
	var sight Sight
	var lookErr error
	known := looks && s.knows(g)
	if looks && !known {
		sight, lookErr = s.lookUp(deleting, g)
	}
	c := s.begin(recording, deadline, g, sight.Backup)
	if len(c.undecided) == 0 {
		return
	}
	if known && !c.lookOnly { // it changed since then
		sight, lookErr = s.lookUp(deleting, g)
		g.holder.seen = sight.Backup
	}
	result := s.decide(deleting, g, &c, looks, sight, lookErr)
	result.Duration = time.Since(start)
	for _, o := range c.undecided {
		if o.Status == "" {
			o.setResult(result)
		}
	}
	s.recordOrRelease(recording, g, &c)
}

// keeps reports whether the ledger must keep a request until there is a verdict.
func (s *Service) keeps(r *Request) bool { return s.Durable && r.comesOnce() }

// noTime is the message of a request that came too late in its invocation.
const noTime = "no time was left to start the deletion"

// lookUp looks up the backup of a group. It takes half of the time that is left, because what it saw must be
// written, and the backup be deleted.
func (s *Service) lookUp(ctx context.Context, g *group) (Sight, error) {
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	return s.Backups.LookUp(ctx, g.outcomes[0].Request.Target())
}

// decide returns the result of the requests that have the lease, and notes in c and in the holder what may have
// been sent.
func (s *Service) decide(ctx context.Context, g *group, c *claim, looked bool, sight Sight, lookErr error) (result Outcome) {
	verdict, decided := verdictOf(sight, lookErr, c.maybeSent)
	switch {
	case ctx.Err() != nil, !s.now().Before(g.stopAt):
		// After a freeze, another holder may have the lease. Our DELETE must not run at the same time as its own.
		return failed(Request{}, newError(ClassUnavailable, noTime))
	case s.StopDeletions:
		return failed(Request{}, newError(ClassForbidden, "STOP_DELETIONS is set, so no deletion is started"))
	case c.lookOnly:
		return s.lookOnly(ctx, g, c)
	case !looked || !decided:
		return s.callDDS(ctx, g, c)
	case c.maybeSent && verdict.Status != Retry && verdict.Status != Unconfirmed:
		// What the list refuses or shows says nothing yet about a DELETE that is on its way.
		if lookErr != nil || s.now().Sub(g.item.Plan.Since) < quiet {
			return failed(Request{}, notYet())
		}
		c.maybeSent = false
	}
	return verdict
}

// notYet returns the error of a request whose earlier DELETE may be on its way.
func notYet() *Error {
	return &Error{
		Class: ClassConflict, RetryAfter: retryAfter(ClassConflict),
		Message: "an earlier DELETE for this backup may have been sent, and it is not known yet what became of it",
	}
}

// peek asks the ledger before anything else if it probably knows the requests: then a look-up would be wasted.
// A ledger in this process costs nothing to ask.
func (s *Service) peek(ctx context.Context, g *group, looks bool) {
	again := func(o *Outcome) bool { return o.Request.OnAgenda || looks && o.Request.Redelivered }
	if looks && !s.Durable || slices.ContainsFunc(g.outcomes, again) {
		item, err := s.Ledger.Get(ctx, g.key())
		if err == nil {
			g.item = item // otherwise begin reports it
		}
	}
}

// knows reports whether no request of a group needs a look-up: the ledger has its answer, or it is refused.
func (s *Service) knows(g *group) bool {
	return !slices.ContainsFunc(g.outcomes, func(o *Outcome) bool {
		if g.item != nil && !g.item.expired(s.now()) {
			if _, known := g.item.answerTo(o.Request.Key()); known {
				return false
			}
		}
		return s.refusal(&o.Request, s.now()) == nil
	})
}

// setResult copies a result that several requests share into o, which keeps its own request.
func (o *Outcome) setResult(result Outcome) {
	result.Request = o.Request
	*o = result
}

// verdictOf returns the outcome that a look-up decides, if it decides one. With maybeSent, an earlier DELETE may
// have been sent.
func verdictOf(s Sight, err error, maybeSent bool) (o Outcome, decided bool) {
	switch {
	case err != nil:
		return failed(Request{}, explain(err)), true
	case s.Backup == nil && maybeSent:
		return unconfirmed("the deletion may have been started before, and now the backup is gone"), true
	case s.Backup == nil:
		return failed(Request{}, &Error{
			Class:   ClassNotFound,
			Message: "REQUIRE_MANUAL: the backup list has no such backup; an incremental backup is not visible by its id alone",
		}), true
	case s.Deleting:
		return unconfirmed("the backup is being deleted already, by which job is not known"), true
	case s.Refusal != nil:
		return failed(Request{}, explain(s.Refusal)), true
	default:
		return Outcome{}, false
	}
}

// unconfirmed returns the outcome of a deletion that was started, although its job is not known.
func unconfirmed(why string) Outcome {
	return Outcome{Status: Unconfirmed, Err: &Error{Class: ClassUnavailable, Message: why}}
}

// lookOnly decides requests that must start no deletion any more, after an earlier delivery may have started
// one: by what DDS shows.
func (s *Service) lookOnly(ctx context.Context, g *group, c *claim) (result Outcome) {
	sight, err := s.Backups.LookUp(ctx, c.undecided[0].Request.Target())
	switch verdict, decided := verdictOf(sight, err, true); {
	case decided && (verdict.Status == Unconfirmed || verdict.Status == Retry && err != nil):
		return verdict
	case err != nil, s.now().Sub(g.item.Plan.Since) < quiet:
		return failed(Request{}, notYet())
	}
	c.maybeSent = false // no DELETE can be on its way any more
	for _, o := range c.undecided {
		*o = failed(o.Request, s.refusal(&o.Request, s.now()))
	}
	return Outcome{}
}

// callDDS asks DDS to delete the backup of a group.
func (s *Service) callDDS(ctx context.Context, g *group, c *claim) (result Outcome) {
	request := c.undecided[0].Request
	started, err := s.Backups.DeleteBackup(ctx, request.Target(), c.maybeSent)
	if err != nil {
		var e *Error
		g.holder.sent = errors.As(err, &e) && e.MaybeSent
		return failed(request, explain(err))
	}
	g.holder.sent = true
	if started.JobID == "" {
		return unconfirmed(started.Unconfirmed)
	}
	logJob(ctx, s.Log, &request, started.JobID)
	return Outcome{Status: Accepted, JobID: started.JobID}
}
