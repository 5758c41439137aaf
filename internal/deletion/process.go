package deletion

import (
	"context"
	"errors"
	"time"
)

// process sets the outcomes of a group of requests for one backup. A panic fails these requests alone.
func (s *Service) process(deleting, recording context.Context, deadline time.Time, group []*Outcome) {
	panicked := protect(recording, s.Log, &group[0].Request, func() {
		if group[0].Request.DryRun {
			s.simulate(deleting, group)
		} else {
			s.delete(deleting, recording, deadline, group)
		}
	})
	for _, o := range group {
		if panicked && o.Status == "" {
			*o = failed(o.Request, newError(ClassInternal, "the deletion panicked"))
		}
	}
}

// simulate sets the outcomes of dry runs for one backup. It does not call the ledger: a dry run takes no lease,
// replays nothing and leaves no trace.
func (s *Service) simulate(ctx context.Context, group []*Outcome) {
	result := Outcome{Status: Simulated} // setResult fills in the request
	start := time.Now()
	if ctx.Err() != nil {
		result = failed(Request{}, newError(ClassUnavailable, "no time was left for the dry run"))
	} else if err := s.Deleter.CheckBackup(ctx, group[0].Request.Target()); err != nil {
		result = failed(Request{}, explain(err))
	}
	result.Duration = time.Since(start)
	for _, o := range group {
		o.setResult(result)
		o.writeUnrecordedEvent(&o.Request)
	}
}

// delete sets the outcomes of requests for one backup: from the ledger or, under one lease, by one call to
// DDS.
func (s *Service) delete(deleting, recording context.Context, deadline time.Time, group []*Outcome) {
	undecided, held := s.begin(deleting, deadline, group)
	if len(undecided) == 0 {
		return
	}
	start := time.Now()
	result, maybeSent := s.callDDS(deleting, undecided[0].Request, held)
	result.Duration = time.Since(start)
	for _, o := range undecided {
		o.setResult(result)
	}
	s.recordOrRelease(recording, held.token, maybeSent, undecided)
}

// setResult copies a result that several requests share into o, which keeps its own request.
func (o *Outcome) setResult(result Outcome) {
	result.Request = o.Request
	*o = result
}

// callDDS asks DDS to delete the backup of the request. It also reports whether the deletion may
// have been started.
func (s *Service) callDDS(ctx context.Context, request Request, held lease) (result Outcome, maybeSent bool) {
	// After a freeze, another holder may have the lease. Our DELETE must not run at the same time as its own.
	if ctx.Err() != nil || !s.now().Before(held.stopAt) {
		return failed(request, newError(ClassUnavailable, "no time was left to start the deletion")), held.maybeSent
	}
	started, err := s.Deleter.DeleteBackup(ctx, request.Target(), held.maybeSent)
	if err != nil {
		var e *Error
		lost := errors.As(err, &e) && e.MaybeSent
		return failed(request, explain(err)), held.maybeSent || lost
	}
	if started.JobID == "" {
		return Outcome{Status: Unconfirmed, Err: &Error{Class: ClassUnavailable, Message: started.Unconfirmed}}, true
	}
	logJob(ctx, s.Log, &request, started.JobID)
	return Outcome{Status: Accepted, JobID: started.JobID}, true
}
