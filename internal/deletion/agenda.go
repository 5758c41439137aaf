package deletion

import (
	"context"
	"time"
)

// ItemLedger keeps an [Item] for each backup, and knows which are due. It understands no more of an item than
// that: what an item means is decided in this package, so all ledgers mean the same.
type ItemLedger interface {
	// Get returns the item of a backup, nil if there is none. It sees every write that has ended. An item
	// that has expired may be returned; see [Item].ExpiresAt.
	Get(ctx context.Context, key Key) (*Item, error)
	// Swap replaces the item old by next, which has the same key, if old is still what is there; nil
	// stands for no item. It sets the Version and ExpiresAt of next. If something else is there, nothing
	// is replaced, and it returns that. A write whose answer was lost is no such case: if next is
	// there, Swap succeeds. The caller must not change an item after it was written or returned.
	Swap(ctx context.Context, old, next *Item) (current *Item, err error)
	// Due returns the keys of up to limit items of a kind that are due at a time, the longest due first.
	// It goes on after the cursor that the call before returned; empty at first and at the end. It is a hint:
	// an item may have changed meanwhile.
	Due(ctx context.Context, kind Agenda, at time.Time, limit int, cursor string) (keys []Key, next string, err error)
}

// Backups is what this program needs of DDS. Its errors are [*Error] values.
type Backups interface {
	// LookUp returns what the backup list shows of a backup, asked for by its id. An absent backup is no
	// error.
	LookUp(ctx context.Context, backup Target) (Sight, error)
	// DeleteBackup starts the deletion of a backup, without any look-up before it. With maybeSent, an
	// earlier call may have started it already.
	DeleteBackup(ctx context.Context, backup Target, maybeSent bool) (Deletion, error)
	// Job returns the status of a job and, if it failed, the reason.
	Job(ctx context.Context, backup Target, jobID string) (status JobStatus, reason string, err error)
	// List returns a page of the backup list of a project, newest first, by backup id. What is missing there may
	// be on another page.
	List(ctx context.Context, region, projectID string) (map[string]Sight, error)
}

type backgroundKey struct{}

// InBackground returns a context for calls to DDS that must not take the calls of requests that somebody waits
// for: they get a part of the rate, and are not repeated if they are throttled.
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// IsBackground reports whether ctx comes from [InBackground].
func IsBackground(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }
