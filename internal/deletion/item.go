package deletion

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Item is all that a [Ledger] knows of one backup. docs/decisions/0003-ledger.md has its states. The
// functions in this package change a copy, and the ledger replaces the whole item if nobody else did.
type Item struct {
	// Key names the backup.
	Key
	// Version names this content. A ledger sets it anew with every write.
	Version string `json:"-"`
	// ExpiresAt is when the item is forgotten; zero if something is due, because such an item never expires.
	ExpiresAt time.Time `json:"-"`

	// Lease is the token of the process that may delete the backup; empty if there is none. It holds
	// until LeaseUntil, in milliseconds.
	Lease      string    `json:"lease,omitempty"`
	LeaseUntil time.Time `json:"lease_until,omitzero"`
	// MaybeSent says that an earlier holder of a lease may have sent the DELETE of this attempt.
	MaybeSent bool `json:"maybe_sent,omitempty"`
	// Answer is what answers every request of this attempt: accepted or unconfirmed. The zero value
	// says that there is none.
	Answer Answer `json:"answer,omitzero"`
	// Answers are what single requests were answered, by [Request.Key]: refusals, and the answer of an
	// earlier attempt.
	Answers map[string]Answer `json:"answers,omitempty"`

	// Plan is what the ledger of the version before did not know. A ledger may keep it as one text.
	Plan Plan `json:"plan,omitzero"`
}

// Key names a backup in a ledger. DDS never uses the id of a backup twice.
type Key struct {
	ProjectID string `json:"project_id"`
	BackupID  string `json:"backup_id"`
}

// String returns the key as a text, project and backup with a slash between them.
func (k Key) String() string { return k.ProjectID + "/" + k.BackupID }

// Answer is an outcome as a ledger keeps it.
type Answer struct {
	// Status is the verdict.
	Status Status `json:"status"`
	// Event is the JSON of the event, which is published again for every repeat.
	Event string `json:"event"`
	// At is when it was recorded, in milliseconds. What is oldest is forgotten first.
	At time.Time `json:"at"`
}

func (a Answer) exists() bool { return a.Status != "" }

// Plan is the part of an [Item] that says what is still to be done, and what is needed for it.
type Plan struct {
	// Region is the region of the backup.
	Region string `json:"region,omitempty"`
	// Attempt counts the attempts that ended before this one: 0 for the first attempt.
	Attempt int `json:"attempt,omitempty"`
	// Lead is the request that the lease was taken for. It stands for all others in the answer.
	Lead *Request `json:"lead,omitempty"`
	// Asked are the keys of the requests that began in this attempt, the latest last.
	Asked []string `json:"asked,omitempty"`
	// Since is when a DELETE of this attempt may have been sent last: the beginning of the lease that sent it or,
	// if its answer was lost, the latest moment.
	Since time.Time `json:"since,omitzero"`
	// Seen is what the look-up showed before that; nil if there was none.
	Seen *Backup `json:"seen,omitempty"`
	// Follow says that the deletion is followed to its end, as configured when it began.
	Follow bool `json:"follow,omitempty"`

	// Earlier are the answers of earlier attempts, the latest last.
	Earlier []Earlier `json:"earlier,omitempty"`

	// Waiting are the requests that no source will surely deliver again, by [Request.Key].
	Waiting map[string]Waiting `json:"waiting,omitempty"`
	// Owed are events that the sink has not yet taken and nobody else publishes: their JSON, or where the
	// item has it (see owed.go). They are due at OwedAt.
	Owed   []string  `json:"owed,omitempty"`
	OwedAt time.Time `json:"owed_at,omitzero"`
	// Check is the next look at the backup; nil if none is needed.
	Check *Check `json:"check,omitempty"`
	// End is the end of the attempt; nil while it is not known. The end of a failed attempt stays
	// until the next attempt has one.
	End *End `json:"end,omitempty"`
}

// Earlier is the answer of an earlier attempt.
type Earlier struct {
	// Answer is the answer, and Keys are those of the requests that it answered.
	Answer Answer   `json:"answer"`
	Keys   []string `json:"keys"`
}

// Waiting is a request that waits for its next try.
type Waiting struct {
	// Request is the request.
	Request Request `json:"request"`
	// Since is when it was first seen, and Next when its next try is due.
	Since time.Time `json:"since"`
	Next  time.Time `json:"next"`
	// Tries counts how often it was worked. Counted are only those in which DDS said something about this backup.
	Tries   int `json:"tries,omitempty"`
	Counted int `json:"counted,omitempty"`
	// Abandon says that its queue delivers it no more: there is no next try, and what is due is to say so.
	Abandon bool `json:"abandon,omitempty"`
	// Class and Code are those of the last try; empty if that did not report.
	Class Class  `json:"class,omitempty"`
	Code  string `json:"code,omitempty"`
}

// Check is an open question about a backup: whether an attempt that may have been started was, or whether an
// accepted deletion has ended.
type Check struct {
	// Next is when to look again, and Looks counts the looks so far.
	Next  time.Time `json:"next"`
	Looks int       `json:"looks,omitempty"`
	// Absent is when the backup was first absent, without having been seen since.
	Absent time.Time `json:"absent,omitzero"`
	// Deleting says that DDS showed the backup as being deleted, and Back counts in how many looks in a row
	// it was there as before after that.
	Deleting bool `json:"deleting,omitempty"`
	Back     int  `json:"back,omitempty"`
}

// End is the end of an attempt.
type End struct {
	// Status is [Completed], [Failed] or [Closed].
	Status Status `json:"status"`
	// Attempt is the number of the attempt, from 0.
	Attempt int `json:"attempt,omitempty"`
	// At is when it was found.
	At time.Time `json:"at"`
	// Event is the JSON of the event; empty for closed.
	Event string `json:"event,omitempty"`
}

// Agenda is a kind of what is due.
type Agenda string

// The kinds of what is due.
const (
	// Deletions are requests that wait for their next try.
	Deletions Agenda = "deletions"
	// Checks are looks at backups, and events that must be published.
	Checks Agenda = "checks"
)

// Due returns what is due next, and when; the zero time if nothing is.
func (i *Item) Due() (Agenda, time.Time) {
	kind, at := Checks, time.Time{}
	earlier := func(k Agenda, t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			kind, at = k, t
		}
	}
	if len(i.Plan.Owed) > 0 {
		earlier(Checks, i.Plan.OwedAt)
	}
	if i.Plan.Check != nil {
		earlier(Checks, i.Plan.Check.Next)
	}
	for _, w := range i.Plan.Waiting {
		if w.Abandon {
			earlier(Checks, w.Next)
		} else {
			earlier(Deletions, w.Next)
		}
	}
	return kind, at
}

// expired reports whether the item counts as none, although a ledger may not have removed it yet.
func (i *Item) expired(now time.Time) bool { return !i.ExpiresAt.IsZero() && !i.ExpiresAt.After(now) }

// Expiry returns when an item that is written now is forgotten; the zero time for never. Something that is due keeps
// it, and so does a failed attempt: a later one must not begin with the ids of the first.
func (i *Item) Expiry(now time.Time) time.Time {
	_, due := i.Due()
	if end := i.Plan.End; !due.IsZero() || end != nil && end.Status == Failed {
		return time.Time{}
	}
	return now.Add(keep).Truncate(time.Second)
}

// keep is how long an item is kept after its last write.
const keep = 35 * 24 * time.Hour

// Clone returns a copy that can be changed without changing i.
func (i *Item) Clone() *Item {
	c := *i
	c.Answers = maps.Clone(i.Answers)
	c.Plan.Asked, c.Plan.Owed, c.Plan.Earlier = slices.Clone(i.Plan.Asked), slices.Clone(i.Plan.Owed), slices.Clone(i.Plan.Earlier)
	c.Plan.Waiting = maps.Clone(i.Plan.Waiting)
	if i.Plan.Check != nil {
		check := *i.Plan.Check
		c.Plan.Check = &check
	}
	return &c
}

// oldestFirst returns the requests that wait, the one that has waited longest first.
func (p *Plan) oldestFirst() []Waiting {
	return slices.SortedFunc(maps.Values(p.Waiting), func(a, b Waiting) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Request.Identity(), b.Request.Identity()))
	})
}

// Text returns the plan as a text, which [ParsePlan] reads; empty for the zero plan.
func (p *Plan) Text() string {
	text := marshal(p)
	if string(text) == "{}" {
		return ""
	}
	return string(text)
}

// ParsePlan reads what [Plan.Text] wrote.
func ParsePlan(text string) (p Plan, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &p)
	}
	return p, err
}
