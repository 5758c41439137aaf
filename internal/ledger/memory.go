// Package ledger implements [deletion.Ledger] in memory, and holds what all ledgers share. The
// interface says what a ledger remembers and when.
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

// Memory is a ledger in the process: for laptops, tests and single processes. It does not know what
// it has forgotten or what another process did. So if a request was delivered before and there is
// no record, it warns that the deletion may have been started.
type Memory struct {
	size int
	now  func() time.Time

	mu      sync.Mutex
	entries map[key]*entry
	order   list.List // of entries, oldest first, for forgetting
}

type key struct{ project, backup string }

// entry is what is known about one backup. Most entries are final and have only final set.
type entry struct {
	key
	final     verdict // zero if there is none
	lease     string  // token; empty if there is none
	until     time.Time
	maybeSent bool
	requests  map[string]verdict // that this process has seen, by identity; no status while undecided
}

// verdict is what a ledger keeps of a [deletion.Record].
type verdict struct {
	status deletion.Status
	event  []byte
	at     time.Time // when a request was first seen or refused
}

func (v verdict) exists() bool { return v.status != "" }

func (v verdict) record(r *deletion.Request) *deletion.Record {
	return &deletion.Record{Request: *r, Status: v.status, Event: v.event}
}

// NewMemory returns an empty ledger that remembers size backups. The clock now is for leases; nil
// for [time.Now].
func NewMemory(size int, now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{size: max(size, 1), now: now, entries: make(map[key]*entry)}
}

func keyOf(r *deletion.Request) key { return key{r.ProjectID, r.BackupID} }

// Begin implements [deletion.Ledger].
func (m *Memory) Begin(_ context.Context, r *deletion.Request, duration time.Duration) (deletion.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	e, known := m.entries[keyOf(r)]
	if !known {
		e = m.remember(keyOf(r), now)
	}
	if e.final.exists() {
		return deletion.Claim{Record: e.final.record(r)}, nil
	}
	refusal, seen := e.requests[r.Identity()]
	switch {
	case refusal.exists():
		return deletion.Claim{Record: refusal.record(r)}, nil
	case !seen:
		e.requests[r.Identity()] = verdict{at: now}
		e.maybeSent = e.maybeSent || r.Redelivered // another process may have worked it
	}
	if e.lease != "" {
		if now.Before(e.until) {
			return deletion.Claim{BusyFor: e.until.Sub(now), MaybeSent: e.maybeSent}, nil
		}
		e.maybeSent = true // its holder died or is frozen
	}
	e.lease, e.until = rand.Text(), now.Add(duration)
	e.trim()
	return deletion.Claim{Lease: e.lease, MaybeSent: e.maybeSent}, nil
}

// Record implements [deletion.Ledger].
func (m *Memory) Record(_ context.Context, lease string, maybeSent bool, records []deletion.Record) (deletion.Recorded, error) {
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
		return deletion.Recorded{Earlier: e.final.record(&records[0].Request)}, nil
	case e.lease != lease:
		for _, record := range records {
			if refusal := e.requests[record.Request.Identity()]; !refusal.exists() || !bytes.Equal(refusal.event, record.Event) {
				return deletion.Recorded{}, deletion.ErrLeaseLost
			}
		}
		return deletion.Recorded{}, nil // they are there already
	}
	e.lease, e.maybeSent = "", maybeSent
	if records[0].Final() {
		e.final, e.requests = verdict{status: status, event: records[0].Event}, nil
		return deletion.Recorded{}, nil
	}
	for _, record := range records {
		e.requests[record.Request.Identity()] = verdict{record.Status, record.Event, m.now()}
	}
	return deletion.Recorded{}, nil
}

// Release implements [deletion.Ledger].
func (m *Memory) Release(_ context.Context, r *deletion.Request, lease string, maybeSent bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, known := m.entries[keyOf(r)]; known && e.lease == lease {
		e.lease, e.maybeSent = "", maybeSent
	}
	return nil
}

// trim forgets the oldest requests of an entry if they take too many bytes.
func (e *entry) trim() {
	refusals := make([]Refusal, 0, len(e.requests))
	for identity, v := range e.requests {
		refusals = append(refusals, Refusal{identity, v.at.UnixNano(), len(identity) + len(v.event)})
	}
	for _, identity := range Forgettable(refusals) {
		delete(e.requests, identity)
	}
}

// remember adds an entry. If there are too many, it forgets the oldest one without a lease. The
// caller holds m.mu.
func (m *Memory) remember(k key, now time.Time) *entry {
	for at := m.order.Front(); at != nil && len(m.entries) >= m.size; at = at.Next() {
		oldest, _ := at.Value.(*entry)
		if oldest.lease == "" || now.After(oldest.until) {
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
