package sink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"dds-backup-delete/internal/deletion"
)

const (
	// maxCalls is how many calls of one Publish are on their way at once.
	maxCalls = 8
	// publishTime bounds a Publish whose context has a later deadline, or none. It outlasts a short
	// outage. In a longer one the events had better go back to their source, which waits for nothing.
	publishTime = 10 * time.Second
)

// refusal is the error of an event that would be refused again: it is not sent again.
type refusal struct {
	error

	// whole says that the call was refused, perhaps for one of its entries.
	whole bool
}

// Unwrap returns what the refusal is about.
func (r *refusal) Unwrap() error { return r.error }

// busy is the error of an event that may be sent again, but not before a wait.
type busy struct {
	error

	wait time.Duration
}

// Unwrap returns what went wrong.
func (b *busy) Unwrap() error { return b.error }

// batches sends events in batches and sends again what failed. An entry is an event as the service
// takes it.
type batches[entry any] struct {
	// most is how many entries one call takes, and bytes what their sizes must stay below together.
	most, bytes int
	// entry makes an entry of an event.
	entry func(*deletion.Event) entry
	// size is the size of an entry as the service reckons it.
	size func(*entry) int
	// send makes one call. It returns an error for each entry, nil for one that was taken, a
	// [*refusal] for one that need not be sent again, a [*busy] for one that must wait.
	send func(context.Context, []entry) []error
}

// publish sends the events, several batches at once, and returns an error for each, nil for one
// that was taken. It does not outlast ctx.
func (b *batches[entry]) publish(ctx context.Context, events []deletion.Event) []error {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	entries := make([]entry, len(events))
	for i := range events {
		entries[i] = b.entry(&events[i])
	}
	errs := fail(len(events), errors.New("no time was left to publish the event"))
	var calls errgroup.Group
	calls.SetLimit(maxCalls)
	for from, to := range b.split(entries) {
		calls.Go(func() error {
			b.deliver(ctx, entries[from:to], errs[from:to])
			return nil
		})
	}
	_ = calls.Wait() // no call returns an error
	return errs
}

// split yields where each batch begins and ends. An entry that is too large by itself goes alone:
// services raise their limits, so whether it is taken is theirs to say.
func (b *batches[entry]) split(entries []entry) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		from, bytes := 0, 0
		for i := range entries {
			size := b.size(&entries[i])
			if i > from && (i-from == b.most || bytes+size >= b.bytes) {
				if !yield(from, i) {
					return
				}
				from, bytes = i, 0
			}
			bytes += size
		}
		if from < len(entries) {
			yield(from, len(entries))
		}
	}
}

// deliver sends one batch, then what failed of it, until nothing is left that another try can help
// or the time is up. Entries that are refused together go one by one, so that none harms another.
// The results stand in errs.
func (b *batches[entry]) deliver(ctx context.Context, batch []entry, errs []error) {
	open := make([]int, len(batch)) // the places of the entries that are to be sent
	for i := range open {
		open[i] = i
	}
	for try := 1; len(open) > 0 && ctx.Err() == nil; try++ {
		sending := make([]entry, len(open))
		for i, place := range open {
			sending[i] = batch[place]
		}
		results := b.call(ctx, sending)
		if len(sending) > 1 && isWhole(results[0]) {
			for _, place := range open {
				b.deliver(ctx, batch[place:place+1], errs[place:place+1])
			}
			return
		}
		var again []int
		var wait time.Duration
		for i, place := range open {
			errs[place] = results[i]
			if worth, least := another(results[i]); worth {
				again, wait = append(again, place), max(wait, least)
			}
		}
		if open = again; len(open) > 0 && !sleep(ctx, wait+backoff(try)) {
			return
		}
	}
}

// call makes one call. A panic, or another number of results, fails each of its entries.
func (b *batches[entry]) call(ctx context.Context, batch []entry) (results []error) {
	defer func() {
		if p := recover(); p != nil {
			results = fail(len(batch), &refusal{error: fmt.Errorf("the sink panicked: %v", p)})
		}
	}()
	if results = b.send(ctx, batch); len(results) != len(batch) {
		return fail(len(batch), &refusal{error: fmt.Errorf("%d results for %d events", len(results), len(batch))})
	}
	return results
}

// fail returns that error for each of n events.
func fail(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// isWhole reports whether err is the refusal of a whole call.
func isWhole(err error) bool {
	var refused *refusal
	return errors.As(err, &refused) && refused.whole
}

// another reports whether err is worth another try, and what wait that needs at least.
func another(err error) (worth bool, least time.Duration) {
	var refused *refusal
	if err == nil || errors.As(err, &refused) {
		return false, 0
	}
	var later *busy
	if errors.As(err, &later) {
		return true, later.wait
	}
	return true, 0
}

// backoff returns a random wait below 0.1, 0.2, 0.4 … 2 seconds: exponential with full jitter.
func backoff(try int) time.Duration {
	const base, most = 100 * time.Millisecond, 2 * time.Second
	return rand.N(min(base<<min(try-1, 10), most)) //nolint:gosec // it spreads load, it guards nothing
}

// sleep waits and reports whether ctx lasted. A wait that would outlast the deadline is not begun:
// no other try could follow it.
func sleep(ctx context.Context, wait time.Duration) bool {
	if deadline, bounded := ctx.Deadline(); bounded && !time.Now().Add(wait).Before(deadline) {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
