package sink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/retry"
	"dds-backup-delete/internal/secret"
)

const (
	// maxCalls is how many calls of one Publish are on their way at once. Where a call takes
	// ten events, those of a batch of a hundred go together.
	maxCalls = 10
	// publishTime bounds a Publish whose context has a later deadline, or none. It outlasts a short
	// outage. In a longer one the events had better go back to their source, which waits for nothing.
	publishTime = 10 * time.Second
	// minBackoff and maxBackoff bound the random wait before an event is sent again.
	minBackoff, maxBackoff = 100 * time.Millisecond, 2 * time.Second
)

// RefusedError is the error of an event that would be refused again, so it is not sent again.
type RefusedError struct {
	// Err is what the service said.
	Err error
	// Whole says that the whole call was refused, perhaps because of one of its entries.
	Whole bool
}

// Error implements error.
func (r *RefusedError) Error() string { return r.Err.Error() }

// Unwrap returns what the service said.
func (r *RefusedError) Unwrap() error { return r.Err }

// BusyError is the error of an event that may be sent again, but not before a wait.
type BusyError struct {
	// Err is what the service said.
	Err error
	// Wait is the shortest wait.
	Wait time.Duration
}

// Error implements error.
func (b *BusyError) Error() string { return b.Err.Error() }

// Unwrap returns what the service said.
func (b *BusyError) Unwrap() error { return b.Err }

// Batches is a sink that sends events in batches and sends again what failed. An entry is an event
// in the form that the service takes.
type Batches[entry any] struct {
	// Most is how many entries one call takes. Bytes is what their sizes must stay below together.
	Most, Bytes int
	// Entry makes an entry of an event.
	Entry func(*deletion.Event) entry
	// Size is the size of an entry in bytes, as the service counts it.
	Size func(*entry) int
	// Group is the same for entries that must be sent in their order, one after the other; empty
	// for all others. It may be nil.
	Group func(*entry) string
	// Send makes one call. It returns an error for each entry: nil for one that was taken, a
	// [*RefusedError] for one that need not be sent again, a [*BusyError] for one that must wait.
	Send func(context.Context, []entry) []error
}

// pending is an entry that is still to be sent.
type pending struct {
	place int       // among the events
	try   int       // how often it was sent
	after time.Time // it is not sent again before
	alone bool      // a call with it was refused as a whole
}

// Publish implements [deletion.Sink]. It sends several batches at once and does not outlast ctx.
//
// It works in rounds: whatever may be sent is sent once, before anything is sent again, so that an
// event that fails, or takes long, holds up no other.
func (b *Batches[entry]) Publish(ctx context.Context, events []deletion.Event) []error {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	entries, open := make([]entry, len(events)), make([]pending, len(events))
	for i := range events {
		entries[i], open[i] = b.Entry(&events[i]), pending{place: i}
	}
	errs := Fail(len(events), errors.New("no time was left to publish the event"))
	for len(open) > 0 && ctx.Err() == nil {
		due, later, next := b.due(entries, open)
		if len(due) == 0 {
			if !retry.Wait(ctx, time.Until(next)) {
				break
			}
			continue
		}
		open = append(b.round(ctx, entries, due, errs), later...)
		slices.SortFunc(open, func(x, y pending) int { return x.place - y.place })
	}
	for i, err := range errs {
		errs[i] = secret.RedactError(err) // what a service says may repeat what it was sent
	}
	return errs
}

// due divides the open entries, which are in their order, into those that may be sent now and
// those that wait: for their time, the next of which is told, or for an earlier one of their group.
func (b *Batches[entry]) due(entries []entry, open []pending) (due, later []pending, next time.Time) {
	now := time.Now()
	groups := make(map[string]bool)
	for _, p := range open {
		group := ""
		if b.Group != nil {
			group = b.Group(&entries[p.place])
		}
		switch {
		case group != "" && groups[group]:
			later = append(later, p)
		case p.after.After(now):
			later = append(later, p)
			if next.IsZero() || p.after.Before(next) {
				next = p.after
			}
		default:
			due = append(due, p)
		}
		groups[group] = true
	}
	return due, later, next
}

// round sends each entry once and returns those that are to be sent again. The results stand in errs.
func (b *Batches[entry]) round(ctx context.Context, entries []entry, due []pending, errs []error) (again []pending) {
	var mu sync.Mutex
	var calls errgroup.Group
	calls.SetLimit(maxCalls)
	for batch := range b.split(entries, due) {
		calls.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			sending := make([]entry, len(batch))
			for i, p := range batch {
				sending[i] = entries[p.place]
			}
			results := b.call(ctx, sending)
			mu.Lock()
			defer mu.Unlock()
			again = append(again, judge(batch, results, errs)...)
			return nil
		})
	}
	_ = calls.Wait() // no call returns an error
	return again
}

// judge notes the results of one call and returns the entries that are to be sent again. Those
// that were refused together go one by one, so that none harms another.
func judge(batch []pending, results, errs []error) (again []pending) {
	whole := len(batch) > 1 && isWhole(results[0])
	now := time.Now()
	jitter := retry.Backoff(minBackoff, maxBackoff, batch[0].try+1) // one for all, so that they go together again
	for i, p := range batch {
		errs[p.place] = results[i]
		p.try++
		worth, wait := another(results[i])
		switch {
		case whole:
			p.alone = true
		case worth:
			p.after = now.Add(wait + jitter)
		default:
			continue
		}
		again = append(again, p)
	}
	return again
}

// split yields the batches of a round. An entry that is too large by itself goes alone: services
// raise their limits, so whether it is taken is theirs to say.
func (b *Batches[entry]) split(entries []entry, due []pending) iter.Seq[[]pending] {
	return func(yield func([]pending) bool) {
		var batch []pending
		bytes := 0
		for _, p := range due {
			size := b.Size(&entries[p.place])
			if len(batch) > 0 && (p.alone || batch[0].alone || len(batch) == b.Most || bytes+size >= b.Bytes) {
				if !yield(batch) {
					return
				}
				batch, bytes = nil, 0
			}
			batch, bytes = append(batch, p), bytes+size
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// call makes one call. A panic, or another number of results, fails each of its entries.
func (b *Batches[entry]) call(ctx context.Context, batch []entry) (results []error) {
	defer func() {
		if p := recover(); p != nil {
			results = Fail(len(batch), &RefusedError{Err: fmt.Errorf("the sink panicked: %v", p)})
		}
	}()
	if results = b.Send(ctx, batch); len(results) != len(batch) {
		return Fail(len(batch), &RefusedError{Err: fmt.Errorf("%d results for %d events", len(results), len(batch))})
	}
	return results
}

// Fail returns that error for each of n events.
func Fail(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// isWhole reports whether err is the refusal of a whole call.
func isWhole(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Whole
}

// another reports whether err is worth another try, and what wait that needs at least.
func another(err error) (worth bool, least time.Duration) {
	var refused *RefusedError
	if err == nil || errors.As(err, &refused) {
		return false, 0
	}
	var later *BusyError
	if errors.As(err, &later) {
		return true, later.Wait
	}
	return true, 0
}
