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
// probably knows is not looked up.
func (s *Service) delete(deleting, recording context.Context, deadline time.Time, g *group) {
	if deleting.Err() != nil {
		for _, o := range g.outcomes {
			*o = failed(o.Request, newError(ClassUnavailable, "no time was left to start the deletion"))
		}
		return
	}
	looks := s.RequireManual && !s.StopDeletions
	s.peek(deleting, g, looks)
	looks = looks && !s.knows(g)
	start := time.Now()
	var sight Sight
	var lookErr error
	if looks {
		sight, lookErr = s.Backups.LookUp(deleting, g.outcomes[0].Request.Target())
	}
	c := s.begin(deleting, deadline, g, sight.Backup)
	if len(c.undecided) == 0 {
		return
	}
	var result Outcome
	maybeSent := c.maybeSent
	switch verdict, decided := verdictOf(sight, lookErr, c.maybeSent); {
	case deleting.Err() != nil || !s.now().Before(g.stopAt):
		// After a freeze, another holder may have the lease. Our DELETE must not run at the same time as its own.
		result = failed(Request{}, newError(ClassUnavailable, "no time was left to start the deletion"))
	case s.StopDeletions:
		result = failed(Request{}, newError(ClassForbidden, "STOP_DELETIONS is set, so no deletion is started"))
	case c.lookOnly:
		result, maybeSent = s.lookOnly(deleting, g, c.undecided)
	case looks && decided:
		result = verdict
	default:
		result, maybeSent = s.callDDS(deleting, c.undecided[0].Request, c.maybeSent)
	}
	result.Duration = time.Since(start)
	for _, o := range c.undecided {
		if o.Status == "" {
			o.setResult(result)
		}
	}
	s.recordOrRelease(recording, g, maybeSent, &c)
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
func (s *Service) lookOnly(ctx context.Context, g *group, undecided []*Outcome) (result Outcome, maybeSent bool) {
	sight, err := s.Backups.LookUp(ctx, undecided[0].Request.Target())
	switch verdict, decided := verdictOf(sight, err, true); {
	case err != nil, decided && verdict.Status == Unconfirmed:
		return verdict, true
	case s.now().Sub(g.item.Plan.Since) < quiet:
		return failed(Request{}, &Error{
			Class: ClassConflict, RetryAfter: retryAfter(ClassConflict),
			Message: "the request has expired, but its DELETE may have been sent: what becomes of that is not known yet",
		}), true
	}
	for _, o := range undecided { // no DELETE can be on its way any more
		*o = failed(o.Request, s.refusal(&o.Request, s.now()))
	}
	return Outcome{}, false
}

// callDDS asks DDS to delete the backup of the request. It also reports whether the deletion may
// have been started.
func (s *Service) callDDS(ctx context.Context, request Request, maybeSent bool) (result Outcome, sent bool) {
	started, err := s.Backups.DeleteBackup(ctx, request.Target(), maybeSent)
	if err != nil {
		var e *Error
		lost := errors.As(err, &e) && e.MaybeSent
		return failed(request, explain(err)), maybeSent || lost
	}
	if started.JobID == "" {
		return unconfirmed(started.Unconfirmed), true
	}
	logJob(ctx, s.Log, &request, started.JobID)
	return Outcome{Status: Accepted, JobID: started.JobID}, true
}
