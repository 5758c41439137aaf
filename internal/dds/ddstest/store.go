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
	Restoring                bool          // its instance is being restored
	DeletionTime             time.Duration // as in [Options], which is the default
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
	b.Begin = cmp.Or(b.Begin, now.Add(-time.Hour).Truncate(time.Second))
	b.End = cmp.Or(b.End, b.Begin.Add(5*time.Minute))
	return b
}

func (b Backup) is(kind string) bool { return strings.EqualFold(b.Type, kind) }

// beingDeleted knows both words for it.
func (b Backup) beingDeleted() bool {
	return strings.EqualFold(b.Status, "DISABLED") || strings.EqualFold(b.Status, "DELETING")
}

// Job is the deletion of a backup.
type Job struct {
	ID                       string // a UUID
	BackupID                 string
	InstanceID, InstanceName string
	Created, Ended           time.Time // Ended may be in the future
	FailReason               string    // why the job fails at its end; empty if it does not
}

// store is what DDS keeps: backups and jobs.
type store struct {
	now            func() time.Time
	deletionTime   time.Duration
	deletionStatus string
	jobDelay       time.Duration
	absentCode     string
	mayNotList     bool
	mayNotShowJob  bool

	mu          sync.Mutex
	failReasons map[string]string // of the jobs that are started, by backup; of all the others under ""
	records     []*record
	jobs        []Job
}

// record is a backup, when its deletion ends, if one was started, and whether the deletion fails.
type record struct {
	Backup

	ends  time.Time
	fails bool
}

// Add adds backups. A backup with a known id replaces the earlier one.
func (s *store) Add(backups ...Backup) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range backups {
		added := &record{Backup: b.withDefaults(now)}
		i := slices.IndexFunc(s.records, func(r *record) bool { return r.ID == b.ID })
		if i >= 0 {
			s.records[i] = added
		} else {
			s.records = append(s.records, added)
		}
	}
}

// Backup returns a backup as DDS has it now, if it has it.
func (s *store) Backup(id string) (Backup, bool) {
	for _, b := range s.Backups() {
		if b.ID == id {
			return b, true
		}
	}
	return Backup{}, false
}

// Backups returns every backup that DDS has now, in the order in which they were added.
func (s *store) Backups() []Backup {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Backup, 0, len(s.records))
	for _, r := range s.records {
		b, there := s.seen(r, now)
		if there {
			list = append(list, b)
		}
	}
	return list
}

// Jobs returns every job, in the order in which they were started.
func (s *store) Jobs() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.jobs)
}

// FailJobs lets the deletions of these backups, or of all others if none is named, that are started from
// now on fail at their end: the job gives the reason, and the backup is there as before. An empty reason
// ends that.
func (s *store) FailJobs(reason string, backupIDs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(backupIDs) == 0 {
		s.failReasons[""] = reason
	}
	for _, id := range backupIDs {
		s.failReasons[id] = reason
	}
}

// seen returns the backup as it is listed, if it is.
func (s *store) seen(r *record, now time.Time) (b Backup, there bool) {
	b = r.Backup
	if r.ends.IsZero() {
		return b, true
	}
	running := now.Before(r.ends)
	if running {
		b.Status = s.deletionStatus
	}
	return b, running || r.fails
}
