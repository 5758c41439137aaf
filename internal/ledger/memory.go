// Package ledger implements [deletion.Ledger] in memory, and holds what all ledgers share. What an item
// means is decided in package deletion.
package ledger

import (
	"container/list"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"dds-backup-delete/internal/deletion"
)

// DefaultSize is how many backups a ledger in memory remembers.
const DefaultSize = 10_000

// Memory is a ledger in the process: for laptops, tests and single processes. It does not know what it has
// forgotten or what another process did.
type Memory struct {
	size int
	now  func() time.Time

	mu    sync.Mutex
	items map[deletion.Key]*list.Element
	order list.List // of deletion.Item, the last written at the end, for forgetting
}

// NewMemory returns an empty ledger that remembers size backups. The clock now is for leases and expiry; nil for
// [time.Now].
func NewMemory(size int, now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{size: max(size, 1), now: now, items: make(map[deletion.Key]*list.Element)}
}

// Get implements [deletion.Ledger].
func (l *Memory) Get(_ context.Context, key deletion.Key) (*deletion.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.get(key), nil
}

// Swap implements [deletion.Ledger].
func (l *Memory) Swap(_ context.Context, old, next *deletion.Item) (*deletion.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	current := l.get(next.Key)
	switch {
	case current == nil && old != nil && old.Version != "": // it was forgotten
		return &deletion.Item{Key: next.Key}, nil
	case current != nil && (old == nil || old.Version != current.Version):
		return current, nil
	}
	next.Version, next.ExpiresAt = rand.Text(), next.Expiry(l.now())
	if current == nil {
		l.forget()
	} else {
		l.order.Remove(l.items[next.Key])
	}
	l.items[next.Key] = l.order.PushBack(*next)
	return nil, nil //nolint:nilnil // nothing else was there, and no error
}

// Due implements [deletion.Ledger].
func (l *Memory) Due(_ context.Context, kind deletion.Agenda, at time.Time, limit int, cursor string) (keys []deletion.Key, next string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := make(map[string]deletion.Key) // by cursor
	var cursors []string
	for key, element := range l.items {
		i := itemIn(element)
		of, since := i.Due()
		if of != kind || since.IsZero() || since.After(at) {
			continue
		}
		place := fmt.Sprintf("%020d %s", since.UnixMilli(), key) // sorts by time
		if place > cursor {
			due[place] = key
			cursors = append(cursors, place)
		}
	}
	slices.Sort(cursors)
	if limit < len(cursors) {
		cursors = cursors[:limit]
		next = cursors[limit-1]
	}
	for _, place := range cursors {
		keys = append(keys, due[place])
	}
	return keys, next, nil
}

// get returns a copy of the item of a backup, so that nobody sees what a later write changes; nil if there is
// none. The caller holds l.mu.
func (l *Memory) get(key deletion.Key) *deletion.Item {
	element := l.items[key]
	if element == nil {
		return nil
	}
	i := itemIn(element)
	return &i
}

// forget makes room for one more item: if there are too many, it removes the one written first of those without
// a lease and with nothing due. The caller holds l.mu.
func (l *Memory) forget() {
	for element := l.order.Front(); element != nil && len(l.items) >= l.size; element = element.Next() {
		i := itemIn(element)
		_, due := i.Due()
		if due.IsZero() && (i.Lease == "" || l.now().After(i.LeaseUntil)) {
			delete(l.items, i.Key)
			l.order.Remove(element)
			return
		}
	}
}

func itemIn(element *list.Element) deletion.Item {
	i, _ := element.Value.(deletion.Item)
	return i
}
