package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/retry"
	"dds-backup-delete/internal/secret"
)

// EventSource is the default source of the entries on a bus, and the User-Agent over HTTP. (The
// CloudEvents source, which names region and project, is in the event.)
const EventSource = "dds-backup-delete"

const (
	// MaxCalls is how many calls of one Publish run at once. If a call takes ten events, a batch of
	// a hundred goes out in one round.
	MaxCalls = 10
	// publishTime bounds a Publish whose context has a later deadline, or none. It outlasts a short
	// outage. In a longer one the source redelivers the requests, which keeps no function waiting.
	publishTime = 10 * time.Second
	// minBackoff and maxBackoff bound the random wait before an event is sent again.
	minBackoff, maxBackoff = 100 * time.Millisecond, 2 * time.Second
)

// PublishError is the error of an event that says more than that the event was not published. After
// any other error, the event is sent again with backoff.
type PublishError struct {
	// Err is what went wrong.
	Err error
	// Permanent says that another try would fail, too.
	Permanent bool
	// WholeCall says that the service refused the call, perhaps because of another entry.
	WholeCall bool
	// Wait is the least wait before another try.
	Wait time.Duration
}

// Error implements error.
func (e *PublishError) Error() string { return e.Err.Error() }

// Unwrap returns the error without this advice.
func (e *PublishError) Unwrap() error { return e.Err }

// Permanent returns err as one that another try cannot fix.
func Permanent(err error) error { return &PublishError{Err: err, Permanent: true} }

// advice returns the [*PublishError] in err, or an empty one.
func advice(err error) *PublishError {
	if e, ok := errors.AsType[*PublishError](err); ok {
		return e
	}
	return new(PublishError)
}

// Batcher publishes events in batches and sends again what failed. An entry is an event in the form
// that the service takes. It implements [deletion.Sink].
type Batcher[entry any] struct {
	// MaxEntries is how many entries one call takes. Their sizes together must stay below MaxBytes.
	MaxEntries, MaxBytes int
	// Entry makes an entry of an event.
	Entry func(*deletion.Event) entry
	// Size returns the size of an entry, in bytes, by the formula of the service.
	Size func(*entry) int
	// Group is the same for entries that must be sent in their order, one after the other; empty
	// for the others. It may be nil.
	Group func(*entry) string
	// Send makes one call. It returns an error for each entry, nil for one that the service took.
	Send func(context.Context, []entry) []error
}

// delivery is an event on its way.
type delivery[entry any] struct {
	entry entry
	err   error     // of the last try; nil if the service took the event
	done  bool      // there is no other try
	tries int       // how often it was sent
	after time.Time // it is not sent again before
	alone bool      // it must be the only one of its call, because a call with it was refused
}

// Publish implements [deletion.Sink]. It does not outlast ctx.
//
// It sends in rounds: every event that may be sent is sent once before any is sent again, so
// an event that fails or takes long does not delay the others.
func (b *Batcher[entry]) Publish(ctx context.Context, events []deletion.Event) []error {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	all := make([]*delivery[entry], len(events))
	for i := range events {
		all[i] = &delivery[entry]{entry: b.Entry(&events[i]), err: errors.New("no time was left to publish the event")}
	}
	open := slices.Clone(all)
	for len(open) > 0 && ctx.Err() == nil {
		due, next := b.due(open)
		if len(due) == 0 {
			if !retry.Wait(ctx, time.Until(next)) {
				break
			}
			continue
		}
		b.round(ctx, due)
		open = slices.DeleteFunc(open, func(d *delivery[entry]) bool { return d.done })
	}
	errs := make([]error, len(all))
	for i, d := range all {
		errs[i] = secret.RedactError(d.err) // the words of a service may repeat what it was sent
	}
	return errs
}

// due returns the deliveries that may be sent now. The others wait for an earlier one of their
// group or for their time, the earliest of which is next.
func (b *Batcher[entry]) due(open []*delivery[entry]) (due []*delivery[entry], next time.Time) {
	now := time.Now()
	groups := make(map[string]bool)
	for _, d := range open {
		group := ""
		if b.Group != nil {
			group = b.Group(&d.entry)
		}
		switch {
		case group != "" && groups[group]:
		case !d.after.After(now):
			due = append(due, d)
		case next.IsZero() || d.after.Before(next):
			next = d.after
		}
		groups[group] = true
	}
	return due, next
}

// round sends each delivery once.
func (b *Batcher[entry]) round(ctx context.Context, due []*delivery[entry]) {
	var calls errgroup.Group
	calls.SetLimit(MaxCalls)
	for _, batch := range b.split(due) {
		calls.Go(func() error {
			if ctx.Err() == nil {
				recordResults(batch, b.call(ctx, batch))
			}
			return nil
		})
	}
	_ = calls.Wait() // no call returns an error
}

// split divides a round into batches. An entry above MaxBytes gets a call of its own: services
// raise their limits, so the service decides whether to take it.
func (b *Batcher[entry]) split(due []*delivery[entry]) (batches [][]*delivery[entry]) {
	last, bytes := -1, 0
	for _, d := range due {
		size := b.Size(&d.entry)
		if last < 0 || d.alone || batches[last][0].alone || len(batches[last]) == b.MaxEntries || bytes+size >= b.MaxBytes {
			batches = append(batches, nil)
			last, bytes = last+1, 0
		}
		batches[last] = append(batches[last], d)
		bytes += size
	}
	return batches
}

// call makes one call. A panic, or a wrong number of results, fails each of its entries.
func (b *Batcher[entry]) call(ctx context.Context, batch []*delivery[entry]) (results []error) {
	defer func() {
		if p := recover(); p != nil {
			results = AllFailed(len(batch), Permanent(fmt.Errorf("the sink panicked: %v", p)))
		}
	}()
	entries := make([]entry, len(batch))
	for i, d := range batch {
		entries[i] = d.entry
	}
	results = b.Send(ctx, entries)
	if len(results) != len(batch) {
		return AllFailed(len(batch), Permanent(fmt.Errorf("%d results for %d events", len(results), len(batch))))
	}
	return results
}

// recordResults notes the results of one call in its deliveries. If the service refused the call as
// a whole, each of them is sent alone, so one bad entry does not cost the others.
func recordResults[entry any](batch []*delivery[entry], results []error) {
	split := len(batch) > 1 && advice(results[0]).WholeCall
	// One time for all, so that they share a call again.
	next := time.Now().Add(retry.Backoff(minBackoff, maxBackoff, batch[0].tries+1))
	for i, d := range batch {
		d.err = results[i]
		d.tries++
		if split {
			d.alone = true
			continue
		}
		d.done = d.err == nil || advice(d.err).Permanent
		d.after = next.Add(advice(d.err).Wait)
	}
}

// AllFailed returns err for each of n events.
func AllFailed(n int, err error) []error { return slices.Repeat([]error{err}, n) }
