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

// Memory is a ledger in the process: for laptops, tests and single processes. It does not know what
// it has forgotten or what another process did. So if a request was delivered before and there is
// no record, it warns that the deletion may have been started.
type Memory struct {
	size int
	now  func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
	order   list.List // of entries, oldest first, for forgetting
}

// entry is what is known about one backup. Most entries are final and have only final set.
type entry struct {
	key       string  // see Key
	final     verdict // zero if there is none
	token     string  // of the lease; empty if there is none
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
	return &Memory{size: max(size, 1), now: now, entries: make(map[string]*entry)}
}

// Begin implements [deletion.Ledger].
func (m *Memory) Begin(_ context.Context, r *deletion.Request, duration time.Duration) (deletion.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	e := m.entryOf(r)
	if e.final.exists() {
		return deletion.Claim{Record: e.final.record(r)}, nil
	}
	refusal, seen := e.requests[r.Identity()]
	switch {
	case refusal.exists():
		return deletion.Claim{Record: refusal.record(r)}, nil
	case !seen:
		e.requests[r.Identity()] = verdict{at: now}
		e.maybeSent = e.maybeSent || r.Redelivered // another process may have processed it
	}
	if e.token != "" {
		if now.Before(e.until) {
			return deletion.Claim{BusyFor: e.until.Sub(now), MaybeSent: e.maybeSent}, nil
		}
		e.maybeSent = true // its holder died or is frozen
	}
	e.token, e.until = rand.Text(), now.Add(duration)
	e.trim()
	return deletion.Claim{Lease: e.token, MaybeSent: e.maybeSent}, nil
}

// Record implements [deletion.Ledger].
func (m *Memory) Record(_ context.Context, token string, maybeSent bool, records []deletion.Record) (deletion.Recorded, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := &records[0]
	e := m.entryOf(&first.Request)
	switch {
	case first.Status == deletion.Accepted && e.final.status != deletion.Accepted:
	case e.final.exists():
		return deletion.Recorded{Earlier: e.final.record(&first.Request)}, nil
	case e.token != token:
		for _, record := range records {
			refusal := e.requests[record.Request.Identity()]
			if !refusal.exists() || !bytes.Equal(refusal.event, record.Event) {
				return deletion.Recorded{}, deletion.ErrLeaseLost
			}
		}
		return deletion.Recorded{}, nil // they are there already
	}
	e.token, e.maybeSent = "", maybeSent
	if first.Final() {
		e.final, e.requests = verdict{status: first.Status, event: first.Event}, nil
		return deletion.Recorded{}, nil
	}
	for _, record := range records {
		e.requests[record.Request.Identity()] = verdict{record.Status, record.Event, m.now()}
	}
	return deletion.Recorded{}, nil
}

// Release implements [deletion.Ledger].
func (m *Memory) Release(_ context.Context, r *deletion.Request, token string, maybeSent bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[Key(r)]
	if e != nil && e.token == token {
		e.token, e.maybeSent = "", maybeSent
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

// entryOf returns the entry of a backup, which it adds if there is none. If there are too many
// entries then, it forgets the oldest one without a lease. The caller holds m.mu.
func (m *Memory) entryOf(r *deletion.Request) *entry {
	e := m.entries[Key(r)]
	if e != nil {
		return e
	}
	for at := m.order.Front(); at != nil && len(m.entries) >= m.size; at = at.Next() {
		oldest, _ := at.Value.(*entry)
		if oldest.token == "" || m.now().After(oldest.until) {
			delete(m.entries, oldest.key)
			m.order.Remove(at)
			break
		}
	}
	e = &entry{key: Key(r), requests: make(map[string]verdict, 1)}
	m.entries[e.key] = e
	m.order.PushBack(e)
	return e
}
