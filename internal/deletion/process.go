package deletion

import (
	"context"
	"errors"
	"time"
)

// process decides a group of requests for one backup. A panic fails these requests alone.
func (s *Service) process(deleting, recording context.Context, end time.Time, group []*Outcome) {
	panicked := s.protect(recording, &group[0].Request, func() {
		if group[0].Request.DryRun {
			s.simulate(deleting, group)
		} else {
			s.delete(deleting, recording, end, group)
		}
	})
	for _, o := range group {
		if panicked && o.Status == "" {
			*o = failed(o.Request, newError(ClassInternal, "the deletion panicked"))
		}
	}
}

// simulate decides dry runs for one backup. It does not call the ledger: a dry run takes no lease,
// replays nothing and leaves no trace.
func (s *Service) simulate(ctx context.Context, group []*Outcome) {
	result := Outcome{Status: Simulated}
	start := time.Now()
	if ctx.Err() != nil {
		result = failed(Request{}, newError(ClassUnavailable, "no time was left for the dry run"))
	} else if err := s.Deleter.CheckBackup(ctx, group[0].Request.Target()); err != nil {
		result = failed(Request{}, explain(err))
	}
	result.Duration = time.Since(start)
	for _, o := range group {
		o.become(result)
		o.writeUnrecordedEvent(&o.Request)
	}
}

// delete decides requests for one backup by the ledger or, under one lease, by one call to DDS.
func (s *Service) delete(deleting, recording context.Context, end time.Time, group []*Outcome) {
	open, lease := s.begin(deleting, end, group)
	if len(open) == 0 {
		return
	}
	start := time.Now()
	result, maybeSent := s.callDDS(deleting, open[0].Request, lease)
	result.Duration = time.Since(start)
	for _, o := range open {
		o.become(result)
	}
	s.recordOrRelease(recording, lease.token, maybeSent, open)
}

// become copies a result that several requests share into o, which keeps its own request.
func (o *Outcome) become(result Outcome) {
	result.Request = o.Request
	*o = result
}

// callDDS asks DDS to delete the backup of the request. It also reports whether the deletion may
// have been started.
func (s *Service) callDDS(ctx context.Context, request Request, l heldLease) (result Outcome, maybeSent bool) {
	// After a freeze, another holder may have the lease. It must not meet our DELETE.
	if ctx.Err() != nil || !s.now().Before(l.end) {
		return failed(request, newError(ClassUnavailable, "no time was left to start the deletion")), l.maybeSent
	}
	deletion, err := s.Deleter.DeleteBackup(ctx, request.Target(), l.maybeSent)
	if err != nil {
		var e *Error
		lost := errors.As(err, &e) && e.MaybeSent
		return failed(request, explain(err)), l.maybeSent || lost
	}
	if deletion.JobID == "" {
		return Outcome{Status: Unconfirmed, Err: &Error{Class: ClassUnavailable, Message: deletion.Unconfirmed}}, true
	}
	s.logJob(ctx, &request, deletion.JobID)
	return Outcome{Status: Accepted, JobID: deletion.JobID}, true
}
