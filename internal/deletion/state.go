package deletion

import "time"

// State is what a ledger knows of one backup, as [Service.Status] returns it. docs/sources.md describes its members.
type State struct {
	// ProjectID, BackupID and Region name the backup. The region may be empty.
	ProjectID string `json:"project_id"`
	BackupID  string `json:"backup_id"`
	Region    string `json:"region,omitempty"`
	// State is where the latest attempt to delete the backup stands.
	State Phase `json:"state"`
	// Attempt is the number of that attempt, from 1; 0 if none has begun.
	Attempt int `json:"attempt,omitempty"`
	// JobID is the job of DDS that deletes the backup; empty if it is not known.
	JobID string `json:"job_id,omitempty"`
	// Since is when the DELETE of the attempt may have been sent first or, if none was, since when the
	// longest waiting request waits. It is zero if that is not known.
	Since time.Time `json:"since,omitzero"`
	// NextAt is when the ledger's agenda takes the backup up next; zero if nothing is due.
	NextAt time.Time `json:"next_at,omitzero"`
	// Waiting counts the requests that the ledger keeps until their next try.
	Waiting int `json:"waiting,omitempty"`
	// Class and Code are those of the last try of the longest waiting request whose last try reported; empty if there
	// is none.
	Class Class  `json:"class,omitempty"`
	Code  string `json:"code,omitempty"`
	// End is the end of the latest attempt that has ended; nil if none has.
	End *StateEnd `json:"end,omitempty"`
}

// Phase is where an attempt to delete a backup stands. An attempt that has ended has the status of its end:
// [Completed], [Failed] or [Closed].
type Phase string

// The phases of an attempt that has not ended.
const (
	// PhaseRefused means that nothing is to be done: all requests so far were refused.
	PhaseRefused Phase = "refused"
	// PhaseReturned means that the last try had no verdict, and the request went back to its source.
	PhaseReturned Phase = "returned"
	// PhaseWaiting means that requests wait for their next try, and no DELETE was sent.
	PhaseWaiting Phase = "waiting"
	// PhaseWorking means that a process holds the lease, and may be deleting the backup now.
	PhaseWorking Phase = "working"
	// PhaseUnsettled means that the DELETE may have been sent, and nobody knows its answer yet.
	PhaseUnsettled Phase = "unsettled"
	// PhaseAccepted means that DDS started the deletion, and its end is not known.
	PhaseAccepted Phase = "accepted"
	// PhaseUnconfirmed means that the deletion was started without a known job, and its end is not known.
	PhaseUnconfirmed Phase = "unconfirmed"
)

// StateEnd is the end of an attempt.
type StateEnd struct {
	// Status is [Completed], [Failed] or [Closed].
	Status Status `json:"status"`
	// Attempt is the number of the attempt, from 1.
	Attempt int `json:"attempt"`
	// At is when the end was found.
	At time.Time `json:"at"`
}
