package ddstest

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Backup is a backup of a DDS instance. [Server.Add] fills in whatever is left out.
type Backup struct {
	ID, Name, Description    string
	InstanceID, InstanceName string
	Version                  string    // of the database
	Mode                     string    // of the instance: "ReplicaSet" (by default), "Sharding" or "Single"
	Type                     string    // "Manual" (by default), "Auto" or "Incremental"
	Status                   string    // "COMPLETED" (by default), "BUILDING", "FAILED" or "DISABLED"
	Begin, End               time.Time // an hour ago and five minutes later, by default
	SizeKB                   int64
	Restoring                bool // its instance is being restored
}

func (b Backup) withDefaults(now time.Time) Backup {
	b.Name = cmp.Or(b.Name, "backup-"+b.ID[:min(8, len(b.ID))])
	b.InstanceID = cmp.Or(b.InstanceID, "9136fd2a9fcd405ea4674276ce4d2a4fin02")
	b.InstanceName = cmp.Or(b.InstanceName, "dds-orders")
	b.Version = cmp.Or(b.Version, "4.0")
	b.Mode = cmp.Or(b.Mode, "ReplicaSet")
	b.Type = cmp.Or(b.Type, "Manual")
	b.Status = cmp.Or(b.Status, "COMPLETED")
	b.SizeKB = cmp.Or(b.SizeKB, 1<<20)
	if b.Begin.IsZero() {
		b.Begin = now.Add(-time.Hour).Truncate(time.Second)
	}
	if b.End.IsZero() {
		b.End = b.Begin.Add(5 * time.Minute)
	}
	return b
}

func (b Backup) manual() bool { return strings.EqualFold(b.Type, "Manual") }

func (b Backup) incremental() bool { return strings.EqualFold(b.Type, "Incremental") }

// beingDeleted knows both words for it.
func (b Backup) beingDeleted() bool {
	return strings.EqualFold(b.Status, "DISABLED") || strings.EqualFold(b.Status, "DELETING")
}

// Add adds backups; one of a known id replaces the other.
func (s *Server) Add(backups ...Backup) { s.store.add(backups) }

// Backup returns a backup as DDS has it now, if it has it.
func (s *Server) Backup(id string) (Backup, bool) { return s.store.backup(id) }

// Backups returns every backup that DDS has now, in the order in which they were added.
func (s *Server) Backups() []Backup { return s.store.list() }

// store is what DDS keeps: backups and jobs.
type store struct {
	now            func() time.Time
	deleteTakes    time.Duration
	deletionStatus string

	mu         sync.Mutex
	failReason string // of the jobs that are started
	records    []record
	jobs       []Job
}

// record is a backup, when its deletion was started, if it was, and whether that fails.
type record struct {
	Backup

	deleted time.Time
	fails   bool
}

// seen returns the backup as it is listed, if it is.
func (s *store) seen(r record, now time.Time) (Backup, bool) {
	if r.deleted.IsZero() {
		return r.Backup, true
	}
	running := now.Before(r.deleted.Add(s.deleteTakes))
	if running {
		r.Status = s.deletionStatus
	}
	return r.Backup, running || r.fails
}

func (s *store) add(backups []Backup) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range backups {
		r := record{Backup: b.withDefaults(now)}
		if i := s.index(b.ID); i >= 0 {
			s.records[i] = r
		} else {
			s.records = append(s.records, r)
		}
	}
}

func (s *store) backup(id string) (Backup, bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return Backup{}, false
	}
	if b, ok := s.seen(s.records[i], now); ok {
		return b, true
	}
	return Backup{}, false
}

func (s *store) list() []Backup {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Backup, 0, len(s.records))
	for _, r := range s.records {
		if b, ok := s.seen(r, now); ok {
			list = append(list, b)
		}
	}
	return list
}

// index wants the lock held.
func (s *store) index(id string) int {
	return slices.IndexFunc(s.records, func(r record) bool { return r.ID == id })
}
