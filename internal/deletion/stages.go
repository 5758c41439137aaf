package deletion

import (
	"context"
	"time"
)

// stages are the times at which each part of the work must end so that there is time for the next
// part; zero if there is no deadline.
type stages struct {
	delete, record, publish, end time.Time
}

// stagesOf divides the time until the deadline of ctx.
func stagesOf(ctx context.Context, now time.Time) stages {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return stages{}
	}
	left := max(deadline.Sub(now), 0)
	s := stages{end: deadline}
	s.publish = deadline.Add(-min(left/10, 500*time.Millisecond))
	s.record = s.publish.Add(-min(left/8, 2*time.Second))
	s.delete = s.record.Add(-min(left/8, 2*time.Second))
	return s
}

// withDeadline returns ctx with a deadline, unless the deadline is zero.
func withDeadline(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}
