package deletion

import (
	"context"
	"errors"
	"time"
)

// Ledger keeps an [Item] for each backup, and knows which are due. It understands no more of an item than
// that: what an item means is decided in this package, so all ledgers mean the same.
type Ledger interface {
	// Get returns the item of a backup, nil if there is none. It sees every write that has ended. An item
	// that has expired may be returned; see [Item].ExpiresAt.
	Get(ctx context.Context, key Key) (*Item, error)
	// Swap replaces the item old by next, which has the same key, if old is still what is there. Nil, or an
	// item without a Version, stands for none. It sets the Version and ExpiresAt of next. If something else is
	// there, nothing is replaced, and it returns that; an item without a Version if nothing is. A write whose
	// answer was lost is no such case: if next is there, Swap succeeds. The caller must not change an item after
	// it was written or returned.
	Swap(ctx context.Context, old, next *Item) (current *Item, err error)
	// Due returns the keys of up to limit items of a kind that are due at a time, the longest due first.
	// It goes on after the cursor that the call before returned; empty at first and at the end. It is a hint:
	// an item may have changed meanwhile.
	Due(ctx context.Context, kind Agenda, at time.Time, limit int, cursor string) (keys []Key, next string, err error)
}

// MaxRecorded bounds, in bytes, the events of one write, because a ledger bounds what it keeps for one
// backup; DynamoDB, for example, bounds an item.
const MaxRecorded = 192 << 10

// ErrLeaseLost says that the lease expired and another holder has it.
var ErrLeaseLost = errors.New("the lease on the backup expired, and another holder has it")
