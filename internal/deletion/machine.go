package deletion

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// The functions in this file are the moves of the state machine in docs/decisions/0003-ledger.md. They change
// an item that a ledger has not stored yet, may run again on a newer one, and report whether they changed it.

const (
	// maxAsked bounds how many requests an item remembers as asked in one attempt, and maxEarlier how many earlier
	// attempts it remembers.
	maxAsked, maxEarlier = 200, 3
	// maxWaiting bounds, in bytes, the requests that wait for one backup and the events that are owed.
	maxWaiting = 48 << 10
	// maxAnswers bounds, in bytes, the answers of single requests. One record adds at most [MaxRecorded], so
	// an item stays well below DynamoDB's limit of 400 KB.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	maxAnswers = 96 << 10
	// answerOverhead is the size of an answer without its event: its key, time and status, and the names of
	// these attributes.
	answerOverhead = 128
	// quiet is how long after a DELETE may have been sent a backup that is there says that DDS never got it.
	quiet = 10 * time.Minute
	// firstLook is how long after an answer the backup is looked at first.
	firstLook = time.Minute
	// publishing is how long the process that recorded an event has for publishing it, before a tick does it.
	publishing = time.Minute
)

// holder is who makes a move.
type holder struct {
	now   time.Time // of the move
	began time.Time // when it began its lease
	token string    // of its lease
	until time.Time // the end of that
	// durable says that the ledger outlives the process. Only then does it keep requests and follow deletions.
	durable, follow bool
	// seen is what a look-up showed; nil if there was none. sent says that this holder may have sent a DELETE.
	seen *Backup
	sent bool
	// refuse says why a request must not start a deletion now, or nil. It is only asked while no DELETE may have been sent.
	refuse func(*Request) *Error
}

// keeps reports whether the ledger must keep a request until there is a verdict.
func (h *holder) keeps(r *Request) bool { return h.durable && r.comesOnce() }

// claim is the answer to a request for a lease.
type claim struct {
	undecided []*Outcome            // have the lease
	decided   map[*Outcome]*Outcome // have no lease, and this outcome instead; nil if they are not due any more
	maybeSent bool                  // an earlier holder may have sent the DELETE
	lookOnly  bool                  // no DELETE may be sent: each request has been refused, but the first DELETE may have been sent
}

// decide notes the outcome of a request that gets no lease; nil if it is not due any more.
func (c *claim) decide(o, outcome *Outcome) {
	if c.decided == nil {
		c.decided = make(map[*Outcome]*Outcome)
	}
	c.decided[o] = outcome
}

// answerTo returns what the item answers to the request with a key: first what this request was answered, then
// what every request is.
func (i *Item) answerTo(key string) (Answer, bool) {
	if a, ok := i.Answers[key]; ok {
		return a, true
	}
	for _, e := range slices.Backward(i.Plan.Earlier) {
		if slices.Contains(e.Keys, key) {
			return e.Answer, true
		}
	}
	return i.Answer, i.Answer.exists()
}

// begin takes the lease for the requests that the item has no answer for, if nobody else has it.
func (i *Item) begin(h *holder, group []*Outcome) (c claim, changed bool) {
	open, changed := i.undecided(h, group, &c)
	if len(open) == 0 {
		return c, changed
	}
	if i.Lease != "" && i.Lease != h.token {
		if h.now.Before(i.LeaseUntil) {
			return c, i.busy(h, open, &c) || changed
		}
		i.MaybeSent, i.Plan.Since = true, i.LeaseUntil // its holder died or is frozen
	}
	i.Plan.Region = open[0].Request.Region
	for _, o := range open {
		if !h.durable && o.Request.Redelivered && !slices.Contains(i.Plan.Asked, o.Request.Key()) {
			i.MaybeSent = true // another process may have worked it
		}
	}
	if open = i.refuse(h, open, &c); len(open) == 0 {
		return c, true
	}
	c.undecided, c.maybeSent = open, i.MaybeSent
	i.lease(h, open)
	return c, true
}

// undecided returns the requests that the item has no answer for, and decides the others.
func (i *Item) undecided(h *holder, group []*Outcome, c *claim) (open []*Outcome, changed bool) {
	open = make([]*Outcome, 0, len(group))
	for _, o := range group {
		key := o.Request.Key()
		if a, known := i.answerTo(key); known {
			changed = i.replay(h, o, &a, c) || changed
			continue
		}
		w, waits := i.Plan.Waiting[key]
		switch {
		case o.Request.OnAgenda && (!waits || w.Abandon || w.Next.After(h.now)):
			c.decide(o, nil)
		case o.Request.OnAgenda && w.Class == "" && w.exhausted(h.now): // each try ended its process
			i.abandon(h.now, key, nil)
			c.decide(o, nil)
			changed = true
		default:
			if away := i.turnAway(h, &o.Request, waits); away != nil {
				c.decide(o, away)
			} else {
				open = append(open, o)
			}
		}
	}
	return open, changed
}

// turnAway returns the outcome of a request that cannot be worked beside what the item has already; nil if it can.
// Its source gets an error.
func (i *Item) turnAway(h *holder, r *Request, waits bool) *Outcome {
	var o Outcome
	switch region := i.Plan.Region; {
	case i.MaybeSent && region != "" && region != r.Region: // a project is in one region, so one of the two is wrong
		o = failed(*r, &Error{
			Class: ClassConflict, RetryAfter: retryAfter(ClassConflict),
			Message: "region: the deletion of this backup may have been started in " + strconv.Quote(region) + ", and it is not known yet what became of it",
		})
	case h.keeps(r) && !waits && !i.hasRoom(r):
		o = failed(*r, newError(ClassUnavailable, "too many requests for this backup wait already"))
	default:
		return nil
	}
	return &o
}

// replay decides a request by an answer that the item has.
func (i *Item) replay(h *holder, o *Outcome, a *Answer, c *claim) (changed bool) {
	key := o.Request.Key()
	c.decide(o, a.replay(o.Request))
	if w, waits := i.Plan.Waiting[key]; waits && !w.Abandon { // the version before answered, and left it waiting
		delete(i.Plan.Waiting, key)
		i.owe(a.Event, h.now.Add(publishing))
		return true
	}
	// A late duplicate must find it after the next attempt began.
	return i.Plan.Check != nil && *a == i.Answer && i.ask(key)
}

// refuse answers the requests that must not start a deletion now, and returns the others. If a DELETE may have
// been sent, it answers none, and notes whether no request may send another one.
func (i *Item) refuse(h *holder, open []*Outcome, c *claim) (left []*Outcome) {
	var refused []*Outcome
	for _, o := range open {
		err := h.refuse(&o.Request)
		if err == nil {
			left = append(left, o)
			continue
		}
		if i.MaybeSent {
			refused = append(refused, o)
			continue
		}
		result := failed(o.Request, err)
		result.writeEvent(i.Plan.Attempt, false)
		i.answer(h, &result)
		c.decide(o, &result)
	}
	i.forget()
	c.lookOnly = len(left) == 0 && len(refused) > 0
	return append(left, refused...) // one that was not refused leads
}

// lease gives the lease to the holder, and makes sure that a kill is no silence.
func (i *Item) lease(h *holder, open []*Outcome) {
	p := &i.Plan
	i.Lease, i.LeaseUntil = h.token, h.until
	lead := open[0].Request
	lead.Metadata = nil // it is in the log
	p.Lead, p.Follow = &lead, h.follow || i.MaybeSent && p.Follow
	if p.Seen == nil {
		p.Seen = h.seen
	}
	if !i.MaybeSent || p.Since.IsZero() {
		p.Since = h.now
	}
	for _, o := range open {
		key := o.Request.Key()
		i.ask(key)
		if h.keeps(&o.Request) {
			i.wait(h, &o.Request, h.until, true)
		} else {
			delete(p.Waiting, key) // its queue delivers it again after all
		}
	}
	if p.Follow && p.Check == nil {
		p.Check = &Check{Next: h.until}
	}
	i.forget()
}

// busy decides requests while another holder has the lease.
func (i *Item) busy(h *holder, open []*Outcome, c *claim) (changed bool) {
	left := i.LeaseUntil.Sub(h.now)
	for _, o := range open {
		result := failed(o.Request, &Error{
			Class: ClassConflict, Message: "another delivery of a request for this backup is being processed", RetryAfter: max(left, time.Second),
		})
		if h.keeps(&o.Request) {
			i.wait(h, &o.Request, i.LeaseUntil, false)
			result.Parked = !o.Request.LastReceive
			changed = true
		}
		c.decide(o, &result)
	}
	return changed
}

// ask notes that a request was made in this attempt.
func (i *Item) ask(key string) (changed bool) {
	if slices.Contains(i.Plan.Asked, key) {
		return false
	}
	i.Plan.Asked = append(i.Plan.Asked, key)
	i.Plan.Asked = i.Plan.Asked[max(0, len(i.Plan.Asked)-maxAsked):]
	return true
}

// hasRoom reports whether the item can keep one more request, and the event that it may owe for it. A last receive has
// room beside the requests that wait.
func (i *Item) hasRoom(r *Request) bool {
	total := len(marshal(r))
	for _, w := range i.Plan.Waiting {
		total += len(marshal(w.Request))
	}
	for _, text := range i.owed() {
		total += len(text)
	}
	if r.LastReceive {
		return total <= 2*maxWaiting
	}
	return total <= maxWaiting
}

// wait keeps a request for a next try, and counts a try that begins now. A try that ends its process is followed by
// a pause that grows.
func (i *Item) wait(h *holder, r *Request, next time.Time, try bool) {
	key := r.Key()
	w, again := i.Plan.Waiting[key]
	if !again {
		w = Waiting{Request: *r, Since: h.now}
		if r.LastReceive && !r.SentAt.IsZero() && r.SentAt.Before(h.now) {
			w.Since = r.SentAt
		}
	}
	w.Abandon = r.LastReceive
	if try {
		w.Tries++
	}
	w.Tries = max(w.Tries, r.Receives)
	switch {
	case w.Abandon, !again:
		w.Next = next
	case try: // another delivery of a request that waits resets nothing
		w.Next = next.Add(w.pause(retryAfter(ClassUnavailable)))
	}
	if i.Plan.Waiting == nil {
		i.Plan.Waiting = make(map[string]Waiting)
	}
	i.Plan.Waiting[key] = w
}

// answer stores the outcome of one request.
func (i *Item) answer(h *holder, o *Outcome) {
	key := o.Request.Key()
	if i.Answers == nil {
		i.Answers = make(map[string]Answer)
	}
	i.Answers[key] = Answer{o.Status, string(o.Event.JSON), h.now}
	delete(i.Plan.Waiting, key)
	if h.keeps(&o.Request) {
		i.owe(key, h.now.Add(publishing))
	}
}

// forget removes the oldest answers of requests if they take too many bytes: none up to maxAnswers,
// otherwise until half of that is left, so it rarely happens.
func (i *Item) forget() {
	total := 0
	keys := make([]string, 0, len(i.Answers))
	for key, a := range i.Answers {
		total += len(a.Event) + answerOverhead
		if !slices.Contains(i.Plan.Owed, key) {
			keys = append(keys, key)
		}
	}
	if total <= maxAnswers {
		return
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(i.Answers[a].At.Compare(i.Answers[b].At), cmp.Compare(a, b)) })
	for _, key := range keys {
		if total <= maxAnswers/2 {
			return
		}
		total -= len(i.Answers[key].Event) + answerOverhead
		delete(i.Answers, key)
	}
}

// record stores the outcomes of a group, whose events are for an attempt, and ends the lease. With stored
// false and no error, the item answers them otherwise. With maybeSent, a refusal leaves open what an earlier
// DELETE did.
func (i *Item) record(h *holder, attempt int, maybeSent bool, group []*Outcome) (stored, changed bool, err error) {
	first := group[0]
	if finalForBackup(first.Status) {
		return i.recordFinal(h, attempt, first)
	}
	there := func(o *Outcome) bool { return i.Answers[o.Request.Key()].Event == string(o.Event.JSON) }
	switch {
	case !slices.ContainsFunc(group, func(o *Outcome) bool { return !there(o) }):
		return true, false, nil // an earlier answer of the ledger was lost
	case i.Answer.exists():
		return false, false, nil
	case i.Lease != h.token:
		return false, false, ErrLeaseLost
	}
	for _, o := range group {
		i.answer(h, o)
	}
	i.end(h, maybeSent)
	return true, true, nil
}

// recordFinal is record for an outcome that answers every request for the backup. A job id needs no lease.
func (i *Item) recordFinal(h *holder, attempt int, o *Outcome) (stored, changed bool, err error) {
	ended := i.Plan.Attempt != attempt || i.Plan.End != nil && i.Plan.End.Attempt == attempt
	upgrade := o.Status == Accepted && i.Answer.Status == Unconfirmed
	switch {
	case i.Answer.exists() && i.Answer.Event == string(o.Event.JSON) && !ended:
		return true, false, nil
	case ended, i.Answer.exists() && !upgrade:
		if _, known := i.answerTo(o.Request.Key()); !known {
			return false, false, ErrLeaseLost
		}
		return false, false, nil
	case o.Status != Accepted && i.Lease != h.token:
		return false, false, ErrLeaseLost
	}
	i.answerAll(h, o, upgrade)
	return true, true, nil
}

// answerAll stores the outcome that answers every request for the backup, and opens the check for its end.
func (i *Item) answerAll(h *holder, o *Outcome, upgrade bool) {
	p := &i.Plan
	i.moveOwed(owedAnswer) // the unconfirmed one
	owed := h.keeps(&o.Request) || len(p.Waiting) > 0
	for key := range p.Waiting {
		i.ask(key)
	}
	i.Answer = Answer{o.Status, string(o.Event.JSON), h.now}
	i.Lease, i.LeaseUntil, i.MaybeSent, p.Waiting = "", time.Time{}, false, nil
	if o.Status == Accepted && !h.began.IsZero() {
		p.Since = h.began
	}
	if p.Seen == nil {
		p.Seen = h.seen
	}
	if owed {
		i.owe(owedAnswer, h.now.Add(publishing))
	}
	switch {
	case !p.Follow:
		p.Check = nil
	case !upgrade || p.Check == nil:
		p.Check = &Check{Next: h.now.Add(firstLook)}
	}
}

// end ends the lease without an answer for every request.
func (i *Item) end(h *holder, maybeSent bool) {
	i.Lease, i.LeaseUntil, i.MaybeSent = "", time.Time{}, maybeSent
	switch {
	case !maybeSent || !i.Plan.Follow:
		i.Plan.Check = nil
	case h.sent || i.Plan.Check == nil: // a repeat that sends nothing does not put it off
		i.Plan.Check = &Check{Next: h.now.Add(quiet)}
	}
	if h.sent {
		i.Plan.Since = h.now
	}
}

// release ends the lease without a verdict. A request that the ledger keeps gets the time of its next try,
// or is abandoned.
func (i *Item) release(h *holder, maybeSent bool, group []*Outcome) (changed bool) {
	if i.Lease != h.token {
		return false
	}
	i.end(h, maybeSent)
	for _, o := range group {
		key := o.Request.Key()
		w, waits := i.Plan.Waiting[key]
		if !waits {
			continue
		}
		w.Class, w.Code = o.Err.Class, o.Err.Code
		if w.saysDDS() {
			w.Counted++
		}
		w.Next = h.now.Add(w.pause(o.Err.RetryAfter))
		i.Plan.Waiting[key] = w
		if w.Abandon || w.exhausted(h.now) {
			i.abandon(h.now, key, o.Err)
		}
	}
	return true
}

const (
	// maxCounted bounds the tries of a waiting request in which DDS said something about its backup.
	maxCounted = 100
	// week bounds how long a request waits, and how long a deletion is followed.
	week = 7 * 24 * time.Hour
)

// saysDDS reports whether the last try failed because of what DDS says about this backup. What fails for
// every backup, as a missing permission or an outage, does not count.
func (w *Waiting) saysDDS() bool {
	return w.Class == ClassConflict || w.Class == ClassUnknown || w.Class == ClassInternal
}

func (w *Waiting) exhausted(now time.Time) bool {
	return w.Counted >= maxCounted || now.Sub(w.Since) >= week
}

// pause returns how long to wait before the next try.
func (w *Waiting) pause(wait time.Duration) time.Duration {
	return max(Backoff(wait, w.Tries), time.Second).Round(time.Millisecond)
}

// abandon gives up a waiting request. Its event is due at once.
func (i *Item) abandon(now time.Time, key string, last *Error) {
	w := i.Plan.Waiting[key]
	delete(i.Plan.Waiting, key)
	e := Error{Class: w.Class, Code: w.Code, Message: "given up after the last try"}
	switch {
	case last != nil:
		e = *last
		e.RetryAfter = 0
	case w.Class == "":
		e.Class, e.Message = ClassUnavailable, "given up: the process that worked the last delivery ended before it reported"
	}
	r := &w.Request
	data := Data{
		RequestID: r.ID, ProjectID: r.ProjectID, BackupID: r.BackupID, Status: Abandoned, Error: &e, Tries: w.Tries, Since: w.Since.UTC(),
	}
	data.setAttempt(i.Plan.Attempt)
	id := digest(r.Identity(), string(newEvent("", r, &data).JSON))
	i.owe(string(newEvent(id, r, &data).JSON), now)
}

// replay returns an answer as the outcome of a request, which need not be the one that was answered. DDS
// is not asked.
func (a *Answer) replay(request Request) *Outcome {
	e, data, err := parseEvent(a.Event, request.TraceHeader)
	if err != nil {
		o := failed(request, newError(ClassInternal, "the ledger holds an event that cannot be read"))
		return &o
	}
	return &Outcome{Request: request, Status: a.Status, JobID: data.JobID, Err: data.Error, Event: e, Replayed: true}
}
