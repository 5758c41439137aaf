package deletion

import (
	"strings"
	"time"
)

const (
	// apart is how far apart two looks must be that show a backup as absent.
	apart = 5 * time.Minute
	// longestGap is what the time between two looks grows to.
	longestGap = time.Hour
	// settleTime is how long it is looked for a deletion that nobody reported and that may have been started.
	settleTime = time.Hour
)

// dueWork is what a tick has to do for an item.
type dueWork struct {
	owed []string // events to publish
	look bool     // the backup must be looked at
}

// claim takes what is due of an item, until a time: then it is due again. Requests that are due to be
// abandoned become events.
func (i *Item) claim(now, until time.Time) (work dueWork, changed bool) {
	p := &i.Plan
	changed = i.dropLost()
	for key, w := range p.Waiting {
		if w.Abandon && !w.Next.After(now) {
			i.abandon(now, key, nil)
			changed = true
		}
	}
	if len(p.Owed) > 0 && !p.OwedAt.After(now) {
		work.owed, p.OwedAt, changed = i.owed(), until, true
	}
	if p.Check != nil && !p.Check.Next.After(now) {
		p.Check.Next, work.look, changed = until, true, true
		if i.Lease != "" && now.Before(i.LeaseUntil) { // its holder is at work
			p.Check.Next, work.look = i.LeaseUntil, false
		}
	}
	return work, changed
}

// look decides what a look at the backup says about an open check. The job is that of the answer, if it was asked for.
func (i *Item) look(now time.Time, s Sight, job JobStatus, reason string) {
	p := &i.Plan
	c := p.Check
	c.Looks++
	c.Next = now.Add(gap(c.Looks))
	if s.Backup != nil {
		c.Absent = time.Time{}
		if p.Seen == nil {
			p.Seen = s.Backup
		}
	}
	switch {
	case !i.Answer.exists():
		i.settleLease(now, s)
	case s.Backup == nil:
		i.lookAbsent(now)
	default:
		i.lookThere(now, s, job, reason)
	}
}

// gap returns the time until the next look, after so many.
func gap(looks int) time.Duration { return min(firstLook<<min(looks, 10), longestGap) }

// lookAbsent is look for a backup that was answered and is absent.
func (i *Item) lookAbsent(now time.Time) {
	c := i.Plan.Check
	switch {
	case c.Absent.IsZero():
		c.Absent, c.Next = now, now.Add(apart)
	case i.Plan.Seen != nil && now.Sub(c.Absent) >= apart:
		i.finish(now, Completed, "", nil)
	case i.Plan.Seen != nil:
		c.Next = c.Absent.Add(apart)
	case now.Sub(i.since()) >= week: // it was never seen, so its absence proves nothing
		i.finish(now, Closed, "", nil)
	}
}

// lookThere is look for a backup that was answered and is there.
func (i *Item) lookThere(now time.Time, s Sight, job JobStatus, reason string) {
	c := i.Plan.Check
	switch {
	case s.Deleting:
		c.Deleting, c.Back = true, 0
	case !s.Backup.finished(): // a word that the documentation does not know proves nothing
	case job == JobFailed:
		i.finish(now, Failed, "job_failed", conflict("the job of the deletion failed, and the backup is still there", reason))
	case c.Deleting && job != JobRunning:
		if c.Back++; c.Back >= 2 {
			i.finish(now, Failed, "not_deleted", conflict("the backup was being deleted, and is there as before", ""))
		}
	case now.Sub(i.since()) >= week && job != JobRunning:
		i.finish(now, Failed, "still_there", conflict("seven days after the deletion was accepted, the backup is still there and no job runs", ""))
	}
}

// settleLease decides whether an attempt that nobody reported was started.
func (i *Item) settleLease(now time.Time, s Sight) {
	p := &i.Plan
	if i.Lease != "" { // it has expired
		p.Since = i.LeaseUntil
	}
	if s.Backup != nil && !s.Deleting {
		if now.Sub(p.Since) >= settleTime { // no DELETE can be on its way any more
			i.Lease, i.LeaseUntil, i.MaybeSent, p.Check = "", time.Time{}, false, nil
		}
		return
	}
	o := Outcome{Request: *p.Lead, Status: Unconfirmed, Err: &Error{
		Class: ClassUnavailable, Message: "the process that may have sent the DELETE did not report, and now the backup is gone or being deleted",
	}}
	o.writeEvent(p.Attempt, true)
	check := *p.Check
	h := holder{now: now, token: i.Lease, durable: true}
	if _, _, err := i.recordFinal(&h, p.Attempt, &o); err != nil {
		return // it has the token of the lease
	}
	i.owe(owedAnswer, now)
	p.Check = &check
	if s.Deleting {
		check.Deleting = true
	} else {
		check.Absent, check.Next = now, now.Add(apart)
	}
}

// since returns when the DELETE of the attempt was sent.
func (i *Item) since() time.Time {
	if i.Plan.Since.IsZero() {
		return i.Answer.At
	}
	return i.Plan.Since
}

// finish ends the attempt. A failed attempt reopens the item for the next one.
func (i *Item) finish(now time.Time, status Status, reason string, cause *Error) {
	p := &i.Plan
	i.moveOwed(owedEnd)
	p.End = &End{Status: status, Attempt: p.Attempt, At: now}
	if status != Closed {
		p.End.Event = i.endEvent(status, reason, cause)
		i.owe(owedEnd, now.Add(publishing))
	}
	p.Check = nil
	if status != Failed {
		return
	}
	i.moveOwed(owedAnswer)
	p.Earlier = append(p.Earlier, Earlier{i.Answer, p.Asked})
	p.Earlier = p.Earlier[max(0, len(p.Earlier)-maxEarlier):]
	i.Answer = Answer{}
	p.Attempt++
	p.Asked, p.Seen, p.Since, p.Lead = nil, nil, time.Time{}, nil
}

// endEvent returns the JSON of the event of an end.
func (i *Item) endEvent(status Status, reason string, cause *Error) string {
	p := &i.Plan
	answer, data, _ := parseEvent(i.Answer.Event, "") // if it cannot be read, the members that come from it stay empty
	r := Request{ID: data.RequestID, ProjectID: i.ProjectID, BackupID: i.BackupID, Region: p.Region, TraceParent: answer.TraceParent}
	if answer.AuthType != "" {
		r.By = &Principal{answer.AuthType, answer.AuthID, answer.AuthClaimed}
	}
	d := Data{
		RequestID: r.ID, ProjectID: i.ProjectID, BackupID: i.BackupID, JobID: data.JobID, Status: status, Attempt: p.Attempt + 1,
		Reason: reason, Error: cause,
	}
	if b := p.Seen; b != nil {
		d.InstanceID, d.InstanceName = b.InstanceID, b.InstanceName
	}
	if status == Completed {
		d.Seconds = int64(p.Check.Absent.Sub(i.since()).Seconds())
		if p.Seen != nil {
			d.SizeKB = p.Seen.SizeKB
		}
	}
	parts := append([]string{r.ProjectID, r.BackupID, "end"}, attemptParts(p.Attempt)...)
	return string(newEvent(digest(parts...), &r, &d).JSON)
}

// conflict returns the error of a failed attempt, with the reason of DDS.
func conflict(message, reason string) *Error {
	if reason = strings.TrimSpace(reason); reason != "" {
		message += ": " + reason
	}
	return &Error{Class: ClassConflict, Message: message}
}

// jobID returns the job of the answer; empty if it is not known.
func (i *Item) jobID() string {
	if i.Answer.Status != Accepted {
		return ""
	}
	_, data, _ := parseEvent(i.Answer.Event, "")
	return data.JobID
}
