package deletion

import (
	"context"
	"log/slog"
)

// Status returns what the ledger knows of a backup; nil if it knows nothing. It fills in the defaults of the scope.
// The error says why the ledger was not asked, or did not answer.
func (s *Service) Status(ctx context.Context, backup Target) (*State, *Error) {
	scope, err := s.scope(ctx)
	if err != nil {
		return nil, explain(err)
	}
	r := Request{Region: backup.Region, ProjectID: backup.ProjectID, BackupID: backup.BackupID}
	if err := scope.admit(&r); err != nil {
		return nil, err
	}
	i, err := s.Ledger.Get(ctx, Key{r.ProjectID, r.BackupID})
	if err != nil {
		logRequest(ctx, s.Log, slog.LevelWarn, "ledger: not read", &r, slog.String("error", err.Error()))
		return nil, newError(ClassUnavailable, "the ledger could not be read; the log has its error")
	}
	if i == nil || i.expired(s.now()) {
		return nil, nil // it knows nothing, and that is no error
	}
	return s.stateOf(i), nil
}

// stateOf returns what an item says.
func (s *Service) stateOf(i *Item) *State {
	p := &i.Plan
	st := &State{
		ProjectID: i.ProjectID, BackupID: i.BackupID, Region: p.Region, Attempt: p.Attempt + 1, JobID: i.jobID(), Since: i.since(),
	}
	_, st.NextAt = i.Due()
	for _, w := range p.oldestFirst() {
		st.Waiting++
		if st.Class == "" {
			st.Class, st.Code = w.Class, w.Code
		}
		if st.Since.IsZero() || w.Since.Before(st.Since) && !i.Answer.exists() {
			st.Since = w.Since
		}
	}
	if end := p.End; end != nil {
		st.End = &StateEnd{end.Status, end.Attempt + 1, end.At}
	}
	st.State = s.phaseOf(i)
	switch {
	case st.State == PhaseRefused:
		st.Attempt = 0
	case p.End != nil && st.State == Phase(p.End.Status): // the attempt after a failed one has not begun
		st.Attempt = p.End.Attempt + 1
	}
	return st
}

// phaseOf returns where the latest attempt stands.
func (s *Service) phaseOf(i *Item) Phase {
	end := i.Plan.End
	switch {
	case i.Answer.exists() && end != nil && end.Attempt == i.Plan.Attempt:
		return Phase(end.Status)
	case i.Answer.Status == Accepted:
		return PhaseAccepted
	case i.Answer.exists():
		return PhaseUnconfirmed
	case i.Lease != "" && s.now().Before(i.LeaseUntil):
		return PhaseWorking
	case i.Lease != "", i.MaybeSent:
		return PhaseUnsettled
	case len(i.Plan.Waiting) > 0:
		return PhaseWaiting
	case end != nil && len(i.Plan.Asked) == 0:
		return Phase(end.Status)
	case i.Plan.Lead != nil && i.Answers[i.Plan.Lead.Key()].Status == "":
		return PhaseReturned
	default:
		return PhaseRefused
	}
}
