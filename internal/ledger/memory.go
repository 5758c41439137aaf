// Package ledger holds the memory of outcomes that makes repeats harmless: in the process, or
// in DynamoDB. What is remembered, and when, is [deletion.Ledger]'s contract.
package ledger

import (
	"bytes"
	"container/list"
	"context"
	"crypto/rand"
	"sync"
	"time"

	"dds-backup-delete/internal/deletion"
)

// DefaultSize is how many backups a [Memory] remembers.
const DefaultSize = 10_000

// Memory is a ledger in the process: for laptops, tests and single processes. What it has
// forgotten, or another process remembers, it does not know. So where a request was delivered
// before and there is no record, it warns that the deletion may have been started.
type Memory struct {
	size int
	now  func() time.Time

	mu      sync.Mutex
	entries map[key]*entry
	order   list.List // of keys, oldest first, for forgetting
}

type key struct{ project, backup string }

// entry is what is known of one backup.
type entry struct {
	token     string // of the lease; empty where there is none
	until     time.Time
	maybeSent bool
	final     *deletion.Record
	refusals  map[string]deletion.Record // by identity of the request
	seen      map[string]bool            // requests that this process has met, by identity
}

// NewMemory returns an empty ledger that remembers so many backups. The clock is that of
// leases; nil for [time.Now].
func NewMemory(size int, now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{size: max(size, 1), now: now, entries: make(map[key]*entry)}
}

func keyOf(r *deletion.Request) key { return key{r.ProjectID, r.BackupID} }

// Begin implements [deletion.Ledger].
func (m *Memory) Begin(_ context.Context, r *deletion.Request, lease time.Duration) (deletion.Begun, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	e, known := m.entries[keyOf(r)]
	if !known {
		e = m.remember(keyOf(r), now)
	}
	if r.Redelivered && !e.seen[r.Identity()] {
		e.maybeSent = true // another process may have worked it
	}
	e.seen[r.Identity()] = true
	if e.final != nil {
		done := *e.final
		return deletion.Begun{Done: &done}, nil
	}
	if refusal, refused := e.refusals[r.Identity()]; refused {
		return deletion.Begun{Done: &refusal}, nil
	}
	if e.token != "" {
		if now.Before(e.until) {
			return deletion.Begun{BusyFor: e.until.Sub(now), MaybeSent: e.maybeSent}, nil
		}
		e.maybeSent = true // its holder died, or sleeps
	}
	e.token, e.until = rand.Text(), now.Add(lease)
	return deletion.Begun{Token: e.token, MaybeSent: e.maybeSent}, nil
}

// Record implements [deletion.Ledger].
func (m *Memory) Record(_ context.Context, token string, maybeSent bool, records []deletion.Record) (earlier *deletion.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := keyOf(&records[0].Request)
	e, known := m.entries[k]
	if !known {
		e = m.remember(k, m.now())
	}
	status := records[0].Status
	switch {
	case status == deletion.Accepted && (e.final == nil || e.final.Status == deletion.Unconfirmed):
	case e.final != nil:
		final := *e.final
		return &final, nil
	case e.token != token:
		for _, record := range records {
			if refusal, refused := e.refusals[record.Request.Identity()]; !refused || !bytes.Equal(refusal.Event, record.Event) {
				return nil, deletion.ErrLeaseLost
			}
		}
		return nil, nil //nolint:nilnil // they are there already
	}
	e.token, e.maybeSent = "", maybeSent
	if records[0].Final() {
		final := records[0]
		e.final, e.refusals = &final, nil
		return nil, nil //nolint:nilnil // nothing was recorded earlier
	}
	if e.refusals == nil {
		e.refusals = make(map[string]deletion.Record)
	}
	for _, record := range records {
		e.refusals[record.Request.Identity()] = record
	}
	return nil, nil //nolint:nilnil // nothing was recorded earlier
}

// Release implements [deletion.Ledger].
func (m *Memory) Release(_ context.Context, r *deletion.Request, token string, maybeSent bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, known := m.entries[keyOf(r)]; known && e.token == token {
		e.token, e.maybeSent = "", maybeSent
	}
	return nil
}

// remember makes an entry and forgets the oldest that nobody holds where there are too many.
// m.mu is held.
func (m *Memory) remember(k key, now time.Time) *entry {
	for at := m.order.Front(); at != nil && len(m.entries) >= m.size; at = at.Next() {
		oldest, _ := at.Value.(key)
		if e := m.entries[oldest]; e.token == "" || now.After(e.until) {
			delete(m.entries, oldest)
			m.order.Remove(at)
			break
		}
	}
	e := &entry{seen: make(map[string]bool)}
	m.entries[k] = e
	m.order.PushBack(k)
	return e
}
