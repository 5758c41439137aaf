package deletion

import "time"

// refusal returns why a request must not start a deletion now, or nil. It is the place of every rule that can only say no.
func (s *Service) refusal(r *Request, now time.Time) *Error {
	refuse := func(format string, args ...any) *Error {
		e := invalid(format, args...)
		e.Rule = "expired"
		return e
	}
	switch {
	case !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt):
		return refuse("expires_at: the request expired at %s", r.ExpiresAt.UTC().Format(time.RFC3339))
	case s.MaxRequestAge > 0 && !r.SentAt.IsZero() && now.Sub(r.SentAt) > s.MaxRequestAge:
		return refuse("the request was sent at %s, and MAX_REQUEST_AGE is %v", r.SentAt.UTC().Format(time.RFC3339), s.MaxRequestAge)
	default:
		return nil
	}
}
