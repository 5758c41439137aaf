package deletion_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
)

// This is a model checker. It runs every interleaving of two workers, with every fault at every
// step, on the real service, its state machine and a ledger that swaps items. DDS, the sink and the source are
// models. Time is that of a synctest bubble.
//
// A worker is a delivery of a request, or a tick. It stops before each step that has an effect outside
// it. The explorer then chooses which worker continues, and how: without a fault, with an answer lost before
// or after the work, or with a crash before or after it. Some times in a run it may also let a minute pass
// while the workers stay where they are: every lease expires, a freeze, and a thaw later.
//
// Then the source delivers again what it would, without faults, and ticks run until nothing is due. At the
// end, what was published is compared with the promise.

// fault is what happens to a step.
type fault int

const (
	none        fault = iota
	refused           // a definite error, and nothing is done
	lostBefore        // an error, and nothing is done
	lostAfter         // it is done, and then an error
	crashBefore       // the worker ends, and nothing is done
	crashAfter        // it is done, and the worker ends
	down              // this and all further writes of the worker's outcome fail, and nothing is done
)

func (f fault) String() string {
	return [...]string{"", " refused", " lost before", " lost after", " crash before", " crash after", " down"}[f]
}

// faultsOf returns the faults that a step can have.
var faultsOf = map[string][]fault{
	"begin":   {lostBefore, lostAfter, crashBefore, crashAfter},
	"delete":  {refused, lostBefore, lostAfter, crashBefore, crashAfter},
	"record":  {lostBefore, lostAfter, crashBefore, crashAfter, down},
	"release": {lostBefore, crashAfter},
	"settle":  {lostBefore, crashBefore, crashAfter},
	"publish": {lostBefore, lostAfter, crashBefore, crashAfter},
	"look":    {refused, crashBefore},
	"tick":    {lostBefore, lostAfter, crashBefore, crashAfter}, // a write of a tick
}

var errFault = errors.New("fault")

// scenario is what two workers are about.
type scenario struct {
	name   string
	exists bool
	// ids are the requests that the workers deliver; "tick" is a tick. One that ends in "?" is a dry run.
	ids [2]string
	// source is how the requests come.
	source source
	// follow follows the deletion to its end. The deletion takes that long, and the first one fails if fails is set.
	follow bool
	takes  time.Duration
	fails  bool
	// expires makes the requests expire after half a minute.
	expires bool
	// waiting is a request that waits in the ledger when the workers begin, due at once; accepted is one whose DELETE
	// was accepted, and whose check is due.
	waiting, accepted string
	// later is a request that comes after all others have ended.
	later string
}

// source says what a source does with a request.
type source int

const (
	queue source = iota // delivers again until the request is acknowledged
	topic               // invokes once: delivers again only after an error reply, or if the invocation never came to the ledger
	last                // a queue at its last receive: delivers no more
)

// model is the state of one run.
type model struct {
	scenario

	t      *testing.T
	choose func(n int) int
	faults int // still to happen
	jumps  int // still to happen
	// mayWait says that time may pass before a worker begins.
	mayWait bool
	trace   []string
	ledger  deletion.Ledger

	mu          sync.Mutex
	exists      bool
	gone        time.Time // when a running deletion ends; zero if none runs
	jobs        []string
	attempts    int               // that failed
	lost        int               // jobs that failed before anybody knew of them
	events      map[string][]byte // published, by id
	types       map[string]int    // of the events of deletions
	dryTypes    map[string]bool   // of the events of dry runs
	named       map[string]int    // events by the request that they name
	final       map[int]bool      // attempts with a recorded answer
	jobRecorded bool
	unsettled   bool // something happened that may lose an answer
	violations  []string
}

// worker runs one delivery or tick.
type worker struct {
	*model

	name    string
	id      string
	tick    bool
	request deletion.Request
	op      string
	grant   chan fault
	waiting bool
	ended   bool
	crashed bool
	isDown  bool
	begun   bool // the ledger has the request
	cancel  context.CancelFunc
	outcome deletion.Outcome
	log     bytes.Buffer
}

func (m *model) violated(format string, args ...any) {
	m.violations = append(m.violations, fmt.Sprintf(format, args...))
}

// step waits for the explorer and returns the fault that it chose for op.
func (w *worker) step(op string) fault {
	if w.crashed {
		return crashBefore
	}
	if op == "record" && w.isDown {
		return lostBefore
	}
	w.mu.Lock()
	if op == "delete" && w.final[w.attempts] {
		w.violated("%s sends a DELETE though an outcome was recorded", w.name)
	}
	w.op, w.waiting = op, true
	w.mu.Unlock()
	f := <-w.grant
	w.mu.Lock()
	defer w.mu.Unlock()
	if f == crashBefore || f == crashAfter {
		w.crashed = true
		w.cancel()
	}
	w.isDown = w.isDown || f == down
	w.unsettled = w.unsettled || f != none && !w.request.DryRun // a dry run has no answer to lose
	if w.request.DryRun && !slices.Contains([]string{"start", "look", "publish"}, op) {
		w.violated("%s is a dry run and does %s", w.name, op)
	}
	return f
}

// did reports whether the work is done in spite of a fault, and the error that follows.
func did(f fault) (done bool, err error) {
	switch f {
	case none:
		return true, nil
	case lostAfter, crashAfter:
		return true, errFault
	default:
		return false, errFault
	}
}

func (w *worker) Get(ctx context.Context, key deletion.Key) (*deletion.Item, error) {
	if w.crashed {
		return nil, errFault
	}
	return w.ledger.Get(ctx, key)
}

func (w *worker) Due(ctx context.Context, kind deletion.Agenda, at time.Time, limit int, cursor string) ([]deletion.Key, string, error) {
	if w.crashed {
		return nil, "", errFault
	}
	return w.ledger.Due(ctx, kind, at, limit, cursor)
}

// opOf names a write for its faults.
func (w *worker) opOf(old, next *deletion.Item) string {
	switch {
	case begins(old, next):
		return "begin"
	case old != nil && old.Lease != "" && next.Lease == "" && !records(old, next):
		return "release"
	case old != nil && records(old, next) && (!w.tick || old.Lease != ""):
		return "record"
	case w.tick:
		return "tick"
	case old == nil || len(next.Answers) > len(answersOf(old)) || len(next.Plan.Waiting) > len(old.Plan.Waiting):
		return "begin" // parks, or refuses without a lease
	default:
		return "settle"
	}
}

func (w *worker) Swap(ctx context.Context, old, next *deletion.Item) (*deletion.Item, error) {
	done, err := did(w.step(w.opOf(old, next)))
	if !done {
		return nil, err
	}
	current, ledgerErr := w.ledger.Swap(ctx, old, next)
	w.mu.Lock()
	defer w.mu.Unlock()
	if current == nil && ledgerErr == nil {
		w.begun = true
		if next.Answer.Status != "" && (old == nil || old.Answer != next.Answer) {
			w.final[next.Plan.Attempt] = true
			w.jobRecorded = w.jobRecorded || next.Answer.Status == deletion.Accepted
		}
		for key, a := range next.Answers {
			if _, before := answersOf(old)[key]; !before && a.Status == deletion.Rejected && len(w.jobs) > w.attempts {
				w.violated("%s refuses a request although a DELETE was sent", w.name)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return current, ledgerErr
}

// sight is what DDS shows now. The caller holds m.mu.
func (m *model) sight() deletion.Sight {
	m.settleDDS()
	if !m.exists {
		return deletion.Sight{}
	}
	return deletion.Sight{Backup: &deletion.Backup{Status: "COMPLETED", SizeKB: 1}, Deleting: !m.gone.IsZero()}
}

// settleDDS ends a deletion whose time has come.
func (m *model) settleDDS() {
	if m.gone.IsZero() || time.Now().Before(m.gone) {
		return
	}
	m.gone = time.Time{}
	if m.fails && len(m.jobs) == 1 {
		if !m.final[0] {
			m.lost = 1 // nobody knows that it began
		}
		return
	}
	m.exists = false
}

func (w *worker) LookUp(context.Context, deletion.Target) (deletion.Sight, error) {
	if f := w.step("look"); f != none {
		return deletion.Sight{}, &deletion.Error{Class: deletion.ClassUnavailable, Message: errFault.Error(), DDSRequestID: fmt.Sprintf("%s-%d", w.name, len(w.trace))}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sight(), nil
}

func (w *worker) Job(_ context.Context, _ deletion.Target, id string) (deletion.JobStatus, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settleDDS()
	switch {
	case !w.gone.IsZero() && id == w.jobs[len(w.jobs)-1]:
		return deletion.JobRunning, "", nil
	case w.fails && id == w.jobs[0]:
		return deletion.JobFailed, "a reason", nil
	default:
		return deletion.JobUnknown, "", nil
	}
}

func (*worker) List(context.Context, string, string) (map[string]deletion.Sight, error) {
	return map[string]deletion.Sight{}, nil
}

// DeleteBackup is DDS behind the client of this project, and resolves a lost answer as the client does.
func (w *worker) DeleteBackup(_ context.Context, _ deletion.Target, maybeSent bool) (deletion.Deletion, error) {
	f := w.step("delete")
	if f == refused {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict, HTTPStatus: 400}
	}
	done, err := did(f)
	if !done {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true, Message: err.Error()}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	frozen := w.happened("a minute passes") // a freeze on the way to the wire cannot be fenced
	if w.final[w.attempts] && !frozen {
		w.violated("%s sent a DELETE though an outcome was recorded", w.name)
	}
	if w.expires && !w.request.ExpiresAt.IsZero() && time.Now().After(w.request.ExpiresAt) && !frozen {
		w.violated("%s sent a DELETE for a request that has expired", w.name)
	}
	w.settleDDS()
	if !w.gone.IsZero() {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict, HTTPStatus: 403}
	}
	there := w.exists
	job := fmt.Sprintf("job-%d", len(w.jobs))
	if there {
		w.jobs = append(w.jobs, job)
		if w.takes > 0 {
			w.gone = time.Now().Add(w.takes)
		} else {
			w.exists = false
		}
	}
	switch {
	case err != nil:
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassUnavailable, MaybeSent: true, Message: err.Error()}
	case there:
		return deletion.Deletion{JobID: job}, nil
	case maybeSent:
		return deletion.Deletion{Unconfirmed: "gone"}, nil
	default:
		// DDS gives every answer another request id, but a repeat must not.
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound, Code: "DBS.201214", HTTPStatus: 400, DDSRequestID: fmt.Sprintf("%s-%d", w.name, len(w.trace))}
	}
}

func (w *worker) Publish(_ context.Context, events []deletion.Event) []error {
	done, err := did(w.step("publish"))
	errs := make([]error, len(events))
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range events {
		errs[i] = err
		if !done {
			continue
		}
		before, again := w.events[e.ID]
		if again && !bytes.Equal(before, e.JSON) {
			w.violated("two events of one id:\n%s\n%s", before, e.JSON)
		}
		w.events[e.ID] = e.JSON
		switch w.settleDDS(); {
		case again:
		case w.request.DryRun:
			w.dryTypes[e.Type] = true
		default:
			w.types[e.Type]++
			for _, id := range []string{"r1", "r2", "r3"} {
				if bytes.Contains(e.Data, []byte(`"request_id":"`+id+`"`)) {
					w.named[id]++
				}
			}
		}
		switch {
		case e.Status == deletion.Completed && w.exists:
			w.violated("completed, though the backup is there")
		case e.Status == deletion.Failed && !again:
			w.attempts++
			if !w.exists {
				w.violated("failed, though the backup is gone")
			}
		}
	}
	return errs
}

// run processes one delivery, or a tick, to its end.
func (w *worker) run(ctx context.Context) {
	if w.mayWait {
		w.step("start") // whenever that is: its deadline counts from here
	}
	ctx, w.cancel = context.WithTimeout(ctx, 30*time.Second)
	defer w.cancel()
	s := &deletion.Service{
		Backups: w, Ledger: w, Sink: w, Concurrency: 1, Scope: deletion.Scope{Region: "r", ProjectID: project},
		Durable: true, Follow: w.follow, RequireManual: w.follow || w.request.DryRun, Log: slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
	if w.tick {
		s.Tick(ctx)
	} else {
		w.outcome = s.Do(ctx, []deletion.Request{w.request})[0]
	}
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
}

// acknowledged reports whether the source delivers the request of a worker no more.
func (w *worker) acknowledged() bool {
	switch {
	case w.source == last:
		return true
	case w.source == topic && w.begun: // a kill of an asynchronous invocation is no reply that a topic waits for
		return w.crashed || w.outcome.Status != deletion.Retry || w.outcome.Parked
	default:
		return !w.crashed && (w.outcome.Status != deletion.Retry || w.outcome.Parked)
	}
}

// explore runs workers to their ends. The function choose decides their order and the faults.
func (m *model) explore(workers []*worker) {
	for _, w := range workers {
		go w.run(m.t.Context())
	}
	for {
		type option struct {
			w *worker
			f fault
		}
		var options []option
		for {
			synctest.Wait()
			alive := 0
			options = options[:0]
			m.mu.Lock()
			for _, w := range workers {
				if w.ended {
					continue
				}
				alive++
				if !w.waiting {
					continue
				}
				options = append(options, option{w, none})
				if m.faults > 0 {
					for _, f := range faultsOf[w.op] {
						options = append(options, option{w, f})
					}
				}
				alive--
			}
			m.mu.Unlock()
			if alive == 0 {
				break
			}
			time.Sleep(50 * time.Millisecond) // it waits before another try
		}
		if len(options) == 0 {
			return
		}
		n := len(options)
		if m.jumps > 0 {
			n++
		}
		choice := m.choose(n)
		if choice == len(options) {
			m.jumps--
			m.unsettled = true
			m.trace = append(m.trace, "a minute passes")
			time.Sleep(time.Minute)
			continue
		}
		o := options[choice]
		if o.f != none {
			m.faults--
		}
		m.mu.Lock()
		o.w.waiting = false
		m.trace = append(m.trace, o.w.name+" "+o.w.op+o.f.String())
		m.mu.Unlock()
		o.w.grant <- o.f
	}
}

// newWorker returns a worker for a request or a tick.
func (m *model) newWorker(name, id string) *worker {
	request, dryRun := strings.CutSuffix(id, "?")
	w := &worker{model: m, name: name, id: id, tick: id == "tick", grant: make(chan fault)}
	w.request = deletion.Request{
		ID: request, Source: "sqs", BackupID: "backup", DryRun: dryRun,
		Parkable: m.source == topic, LastReceive: m.source == last, Redelivered: strings.HasPrefix(name, "again"),
	}
	if m.expires {
		w.request.ExpiresAt = m.began().Add(30 * time.Second)
	}
	return w
}

// began is when every bubble begins.
func (*model) began() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// alone runs one worker without faults.
func (m *model) alone(w *worker) *worker {
	m.explore([]*worker{w})
	return w
}

// play runs a scenario once, with a ledger that is empty, and returns what went wrong, and what happened.
func play(t *testing.T, sc *scenario, l deletion.Ledger, faults, jumps int, choose func(int) int) (violations, trace []string, unconfirmed bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &model{
			scenario: *sc, t: t, exists: sc.exists, ledger: l,
			events: make(map[string][]byte), types: make(map[string]int), dryTypes: make(map[string]bool),
			named: make(map[string]int), final: make(map[int]bool),
		}
		first := func(int) int { return 0 }
		m.choose = first
		var before []*worker
		switch {
		case sc.waiting != "": // DDS is busy, so the request is parked
			w := m.newWorker("parked", sc.waiting)
			m.choose, m.faults = func(int) int {
				if w.op == "delete" {
					return 1 // refused
				}
				return 0
			}, 1
			before = append(before, m.alone(w))
			m.unsettled = false
			time.Sleep(5*time.Minute + time.Second)
		case sc.accepted != "":
			before = append(before, m.alone(m.newWorker("accepted", sc.accepted)))
			time.Sleep(time.Minute + time.Second)
		}
		var workers []*worker
		for i, id := range sc.ids {
			if id != "" {
				workers = append(workers, m.newWorker(string(rune('A'+i)), id))
			}
		}
		m.faults, m.jumps, m.choose, m.trace, m.mayWait = faults, jumps, choose, nil, jumps > 0
		m.explore(workers)
		m.faults, m.jumps, m.choose, m.mayWait = 0, 0, first, false
		workers = append(before, workers...)
		workers = m.redeliver(workers)
		m.runTicks()
		if sc.later != "" {
			for _, w := range slices.Clone(workers) { // late duplicates, and then a new request
				if !w.tick {
					workers = append(workers, m.alone(m.newWorker("late-"+w.id, w.id)))
				}
			}
			if len(m.jobs) > m.attempts+m.lost && m.attempts > 0 {
				m.violated("a late duplicate started a deletion again")
			}
			workers = append(workers, m.alone(m.newWorker("later", sc.later)))
			m.runTicks()
		}
		m.check(workers)
		violations, trace = m.violations, m.trace
		unconfirmed = m.types[deletion.EventType(deletion.Unconfirmed)] > 0
	})
	return violations, trace, unconfirmed
}

// redeliver lets the source deliver again what no worker acknowledged, without faults.
func (m *model) redeliver(workers []*worker) []*worker {
	for _, id := range m.ids {
		if id == "tick" || id == "" {
			continue
		}
		acknowledged := false
		for _, w := range workers {
			acknowledged = acknowledged || w.id == id && w.acknowledged()
		}
		for try := 0; !acknowledged && try < 4; try++ {
			time.Sleep(10 * time.Minute)
			w := m.alone(m.newWorker("again-"+id, id))
			workers = append(workers, w)
			acknowledged = w.acknowledged()
		}
		if !acknowledged {
			m.violated("%s is never acknowledged", id)
		}
	}
	return workers
}

// runTicks runs ticks without faults until nothing is due.
func (m *model) runTicks() {
	for n := range 400 {
		next := m.nextDue()
		if next.IsZero() {
			return
		}
		time.Sleep(max(time.Until(next), 0) + time.Second)
		if w := m.alone(m.newWorker("tick", "tick")); n == 399 {
			m.violated("something is due for ever: %s", w.log.String())
		}
	}
}

func (m *model) nextDue() (next time.Time) {
	for _, kind := range []deletion.Agenda{deletion.Deletions, deletion.Checks} {
		keys, _, _ := m.ledger.Due(m.t.Context(), kind, time.Now().Add(1000*time.Hour), 1, "")
		for _, key := range keys {
			i, _ := m.ledger.Get(m.t.Context(), key)
			if _, at := i.Due(); next.IsZero() || at.Before(next) {
				next = at
			}
		}
	}
	return next
}

// published returns how often a type was published under different ids.
func (m *model) published(s deletion.Status) int { return m.types[deletion.EventType(s)] }

// check compares the end of a run with the promise.
func (m *model) check(workers []*worker) {
	frozen := m.happened("a minute passes")
	for _, w := range workers {
		done := !w.crashed && w.outcome.Status != "" && w.outcome.Status != deletion.Retry
		if done && !bytes.Equal(m.events[w.outcome.Event.ID], w.outcome.Event.JSON) {
			m.violated("%s has an outcome for %s, and its event was not published", w.name, w.request.ID)
		}
		// Whoever came to the ledger gets an event: its own, or the answer of the backup.
		answered := m.published(deletion.Accepted)+m.published(deletion.Unconfirmed) > 0 || m.named[w.request.ID] > 0
		if w.begun && !w.tick && !answered && !w.request.DryRun {
			m.violated("silence about %s", w.request.ID)
		}
	}
	accepted, unconfirmed := m.published(deletion.Accepted) > 0, m.published(deletion.Unconfirmed) > 0
	// There is one limit. A worker that was frozen for longer than its lease may replace an outcome
	// that another worker published and acknowledged. If it then fails to publish, no redelivery
	// follows. (Lambda ends an invocation at its deadline, before its lease ends.)
	upgraded := unconfirmed && frozen
	if m.jobRecorded && !accepted && !upgraded {
		m.violated("a job id was recorded, and never published")
	}
	for _, status := range []deletion.Status{deletion.Accepted, deletion.Unconfirmed, deletion.Rejected} {
		if m.dryTypes[deletion.EventType(status)] {
			m.violated("a dry run is %s", status)
		}
	}
	m.checkDDS(workers, accepted, unconfirmed, frozen)
	m.checkEnds(accepted, unconfirmed)
	for _, w := range workers { // the worker that got the job id logged it at once
		if accepted && w.acknowledged() && w.outcome.Status == deletion.Accepted && !slices.Contains(m.jobs, w.outcome.JobID) {
			m.violated("%s got job %q", w.name, w.outcome.JobID)
		}
		if !w.crashed && w.outcome.JobID != "" && accepted && !strings.Contains(w.log.String(), w.outcome.JobID) {
			m.violated("%s did not log the job", w.name)
		}
	}
}

// checkDDS compares the outcomes with what DDS did.
func (m *model) checkDDS(workers []*worker, accepted, unconfirmed, frozen bool) {
	notFound := m.published(deletion.NotFound) > 0
	gaveUp := m.published(deletion.Abandoned) > 0 || m.published(deletion.Rejected) > 0 ||
		m.source == last && !slices.ContainsFunc(workers, func(w *worker) bool { return w.begun && !w.tick }) // only the alarm tells
	switch {
	case len(m.jobs) > m.attempts+m.lost+1:
		m.violated("DDS started %d jobs, and %d attempts failed", len(m.jobs), m.attempts)
	case m.scenario.exists && len(m.jobs) == 0 && !gaveUp:
		m.violated("a backup that was there: no job, events %v", m.types)
	case m.scenario.exists && len(m.jobs) > 0 && (notFound || !accepted && !unconfirmed && m.source != last):
		m.violated("a backup that was there: jobs %v, events %v", m.jobs, m.types)
	case !m.scenario.exists && (len(m.jobs) != 0 || accepted):
		m.violated("a backup that was not there: jobs %v, events %v", m.jobs, m.types)
	case unconfirmed && !m.unsettled:
		m.violated("unconfirmed, though nothing was lost")
	case m.ids[0] == m.ids[1] && notFound && unconfirmed:
		m.violated("one request, two outcomes: %v", m.types)
	case accepted && unconfirmed && m.attempts == 0 && !frozen && !m.happened("down"):
		m.violated("two outcomes, though no worker was frozen and the ledger did not fail: %v", m.types)
	case m.published(deletion.Abandoned) > 0 && m.source != last:
		m.violated("a request was abandoned, though it was not the last receive")
	}
}

// checkEnds checks that each attempt that was answered has one end.
func (m *model) checkEnds(accepted, unconfirmed bool) {
	if !m.follow {
		return
	}
	completed, failed := m.published(deletion.Completed), m.published(deletion.Failed)
	switch {
	case (accepted || unconfirmed) && len(m.final) > 0 && completed+failed != len(m.final):
		m.violated("%d attempts were answered, and %d were completed and %d failed", len(m.final), completed, failed)
	case completed > 1:
		m.violated("completed %d times", completed)
	case m.fails && len(m.jobs) > 0 && failed+m.lost != 1 && len(m.final) > 0:
		m.violated("the deletion failed, and %d events say so", failed)
	case !m.fails && failed > 0:
		m.violated("failed, though no deletion failed")
	}
}

// happened reports whether a step that ends so was taken.
func (m *model) happened(what string) bool {
	return slices.ContainsFunc(m.trace, func(line string) bool { return strings.HasSuffix(line, what) })
}

// walk calls play with every possible sequence of choices.
func walk(play func(choose func(n int) int)) (runs int) {
	var path, widths []int
	for {
		depth := 0
		play(func(n int) int {
			if depth == len(path) {
				path, widths = append(path, 0), append(widths, n)
			}
			depth++
			return path[depth-1]
		})
		runs++
		path, widths = path[:depth], widths[:depth]
		for len(path) > 0 && path[len(path)-1] == widths[len(path)-1]-1 {
			path, widths = path[:len(path)-1], widths[:len(path)-1]
		}
		if len(path) == 0 {
			return runs
		}
		path[len(path)-1]++
	}
}

// bound is how much happens in a run.
type bound struct{ faults, jumps int }

var one, two, both = []bound{{0, 1}, {1, 0}}, []bound{{2, 0}}, []bound{{1, 1}, {2, 0}}

const takes = 3 * time.Minute

// scenarios are walked with those bounds, the second part not with -short.
var scenarios = []struct {
	scenario

	bounds []bound
	long   []bound
}{
	{scenario{name: "one request, delivered twice", exists: true, ids: [2]string{"r1", "r1"}}, one, both},
	{scenario{name: "two requests for one backup", exists: true, ids: [2]string{"r1", "r2"}}, one, two},
	{scenario{name: "one request for a backup that is gone, delivered twice", ids: [2]string{"r1", "r1"}}, one, both},
	{scenario{name: "two requests for a backup that is gone", ids: [2]string{"r1", "r2"}}, one, two},
	{scenario{name: "a request and a dry run of it", exists: true, ids: [2]string{"r1", "r1?"}}, one, two},
	{scenario{name: "a topic", exists: true, ids: [2]string{"r1", "r2"}, source: topic}, one, two},
	{scenario{name: "a topic, and the backup is gone", ids: [2]string{"r1", "r2"}, source: topic}, one, nil},
	{scenario{name: "a waiting request and a tick", exists: true, waiting: "r1", ids: [2]string{"tick", "r2"}, source: topic}, one, two},
	{scenario{name: "a waiting request and two ticks", exists: true, waiting: "r1", ids: [2]string{"tick", "tick"}, source: topic}, one, two},
	{scenario{name: "the last receive", exists: true, ids: [2]string{"r1", "r2"}, source: last}, one, two},
	{scenario{name: "the last receive and a tick", exists: true, ids: [2]string{"r1", "tick"}, source: last}, one, two},
	{scenario{name: "a deletion, followed", exists: true, follow: true, ids: [2]string{"r1", "r1"}}, one, nil},
	{scenario{name: "a deletion that takes its time, followed", exists: true, follow: true, takes: takes, ids: [2]string{"r1", "r2"}}, one, nil},
	{scenario{name: "two checks at once", exists: true, follow: true, takes: time.Second, accepted: "r1", ids: [2]string{"tick", "tick"}}, one, two},
	{scenario{name: "a deletion that fails", exists: true, follow: true, takes: takes, fails: true, ids: [2]string{"r1", "r2"}, later: "r3"}, []bound{{0, 1}, {1, 0}}, nil},
	{scenario{name: "a check of a deletion that fails", exists: true, follow: true, takes: time.Second, fails: true, accepted: "r1", ids: [2]string{"tick", "r2"}, later: "r3"}, one, two},
	{scenario{name: "requests that expire", exists: true, expires: true, ids: [2]string{"r1", "r2"}}, one, two},
	{scenario{name: "a topic's requests that expire", exists: true, expires: true, ids: [2]string{"r1", "r2"}, source: topic}, one, nil},
	{scenario{name: "a request that expires while it waits, and a tick", exists: true, expires: true, waiting: "r1", ids: [2]string{"tick", "r1"}, source: topic}, one, two},
}

func TestPromiseInEveryInterleaving(t *testing.T) {
	for _, sc := range scenarios {
		bounds := sc.bounds
		if !testing.Short() {
			bounds = append(slices.Clone(bounds), sc.long...)
		}
		if os.Getenv("DELETION_MODEL") == "full" { // minutes
			bounds = append(slices.Clone(one), both...)
			if !sc.exists && sc.source == topic { // half a million runs, and a topic whose backup is there walks the same moves
				bounds = one
			}
		}
		for _, b := range bounds {
			t.Run(fmt.Sprintf("%s, faults %d, jumps %d", sc.name, b.faults, b.jumps), func(t *testing.T) {
				bad, unconfirmed := 0, 0
				runs := walk(func(choose func(int) int) {
					violations, trace, un := play(t, &sc.scenario, ledger.NewMemory(10, nil), b.faults, b.jumps, choose)
					if un {
						unconfirmed++
					}
					if len(violations) > 0 {
						if bad++; bad <= 3 {
							t.Errorf("%s\nafter %s", strings.Join(violations, "\n"), strings.Join(trace, ", "))
						}
					}
				})
				t.Logf("%d runs, %d violate the promise, %d end unconfirmed", runs, bad, unconfirmed)
			})
		}
	}
}
