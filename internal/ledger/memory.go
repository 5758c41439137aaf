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
	order   list.List // of entries, oldest first, for forgetting
}

type key struct{ project, backup string }

// entry is what is known of one backup. Most are final, and have no more than that.
type entry struct {
	key
	final     verdict // zero where there is none
	token     string  // of the lease; empty where there is none
	until     time.Time
	maybeSent bool
	requests  map[string]verdict // those that this process has met, by identity; without a status where undecided
}

// verdict is what a ledger keeps of a [deletion.Record].
type verdict struct {
	status deletion.Status
	event  []byte
	at     time.Time // when a request was met or refused
}

func (v verdict) exists() bool { return v.status != "" }

func (v verdict) record(r *deletion.Request) *deletion.Record {
	return &deletion.Record{Request: *r, Status: v.status, Event: v.event}
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
	if e.final.exists() {
		return deletion.Begun{Done: e.final.record(r)}, nil
	}
	refusal, met := e.requests[r.Identity()]
	switch {
	case refusal.exists():
		return deletion.Begun{Done: refusal.record(r)}, nil
	case !met:
		e.requests[r.Identity()] = verdict{at: now}
		e.maybeSent = e.maybeSent || r.Redelivered // another process may have worked it
	}
	if e.token != "" {
		if now.Before(e.until) {
			return deletion.Begun{BusyFor: e.until.Sub(now), MaybeSent: e.maybeSent}, nil
		}
		e.maybeSent = true // its holder died, or sleeps
	}
	e.token, e.until = rand.Text(), now.Add(lease)
	e.trim()
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
	case status == deletion.Accepted && e.final.status != deletion.Accepted:
	case e.final.exists():
		return e.final.record(&records[0].Request), nil
	case e.token != token:
		for _, record := range records {
			if refusal := e.requests[record.Request.Identity()]; !refusal.exists() || !bytes.Equal(refusal.event, record.Event) {
				return nil, deletion.ErrLeaseLost
			}
		}
		return nil, nil //nolint:nilnil // they are there already
	}
	e.token, e.maybeSent = "", maybeSent
	if records[0].Final() {
		e.final, e.requests = verdict{status: status, event: records[0].Event}, nil
		return nil, nil //nolint:nilnil // nothing was recorded earlier
	}
	for _, record := range records {
		e.requests[record.Request.Identity()] = verdict{record.Status, record.Event, m.now()}
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

// trim forgets the oldest requests of an entry that holds too many bytes of them.
func (e *entry) trim() {
	refusals := make([]refusal, 0, len(e.requests))
	for identity, v := range e.requests {
		refusals = append(refusals, refusal{identity, v.at.UnixNano(), len(identity) + len(v.event)})
	}
	for _, identity := range forgettable(refusals) {
		delete(e.requests, identity)
	}
}

// remember makes an entry and forgets the oldest that nobody holds where there are too many.
// m.mu is held.
func (m *Memory) remember(k key, now time.Time) *entry {
	for at := m.order.Front(); at != nil && len(m.entries) >= m.size; at = at.Next() {
		oldest, _ := at.Value.(*entry)
		if oldest.token == "" || now.After(oldest.until) {
			delete(m.entries, oldest.key)
			m.order.Remove(at)
			break
		}
	}
	e := &entry{key: k, requests: make(map[string]verdict, 1)}
	m.entries[k] = e
	m.order.PushBack(e)
	return e
}
