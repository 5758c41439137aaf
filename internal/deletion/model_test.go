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
// step, on the real service and the real ledger. DDS, the sink and the queue are models. Time is
// that of a synctest bubble.
//
// A worker stops before each step that has an effect outside it. The explorer then chooses which
// worker continues, and how: without a fault, with an answer lost before or after the work, or with
// a crash before or after it. Once in a run it may also let every lease expire while the workers
// stay where they are: a freeze, and a thaw later.

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
	"publish": {lostBefore, lostAfter, crashBefore, crashAfter},
	"check":   {refused, crashBefore, crashAfter},
}

var errFault = errors.New("fault")

// model is the state of one run.
type model struct {
	t      *testing.T
	choose func(n int) int
	faults int // still to happen
	jumps  int // still to happen
	trace  []string
	ledger *ledger.Memory

	mu          sync.Mutex
	exists      bool
	jobs        []string
	events      map[string][]byte // published, by id
	types       map[string]bool   // of the events of deletions
	dryTypes    map[string]bool   // of the events of dry runs
	final       bool              // a final record was written
	jobRecorded bool
	unsettled   bool // something happened that may lose an answer
	violations  []string
}

// worker runs one delivery.
type worker struct {
	*model

	name    string
	request deletion.Request
	op      string
	grant   chan fault
	waiting bool
	ended   bool
	crashed bool
	isDown  bool
	cancel  context.CancelFunc
	outcome deletion.Outcome
	log     bytes.Buffer
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
	if op == "delete" && w.final {
		w.violations = append(w.violations, w.name+" sends a DELETE though an outcome was recorded")
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
	if w.request.DryRun && !slices.Contains([]string{"start", "check", "publish"}, op) {
		w.violations = append(w.violations, w.name+" is a dry run and does "+op)
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

func (w *worker) Begin(ctx context.Context, r *deletion.Request, lease time.Duration) (deletion.Claim, error) {
	done, err := did(w.step("begin"))
	if !done {
		return deletion.Claim{}, err
	}
	b, ledgerErr := w.ledger.Begin(ctx, r, lease)
	return b, errors.Join(err, ledgerErr)
}

func (w *worker) Record(ctx context.Context, token string, maybeSent bool, records []deletion.Record) (deletion.Recorded, error) {
	done, err := did(w.step("record"))
	if !done {
		return deletion.Recorded{}, err
	}
	recorded, ledgerErr := w.ledger.Record(ctx, token, maybeSent, records)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ledgerErr == nil && recorded.Earlier == nil && records[0].Final() {
		w.final = true
		w.jobRecorded = w.jobRecorded || records[0].Status == deletion.Accepted
	}
	if err != nil {
		return deletion.Recorded{}, err
	}
	return recorded, ledgerErr
}

func (w *worker) Release(ctx context.Context, r *deletion.Request, token string, maybeSent bool) error {
	done, err := did(w.step("release"))
	if done {
		err = errors.Join(err, w.ledger.Release(ctx, r, token, maybeSent))
	}
	return err
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
	if w.final && !w.happened("a minute passes") { // a freeze on the way to the wire cannot be fenced
		w.violations = append(w.violations, w.name+" sent a DELETE though an outcome was recorded")
	}
	there := w.exists
	job := fmt.Sprintf("job-%d", len(w.jobs))
	if there {
		w.exists, w.jobs = false, append(w.jobs, job)
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

// CheckBackup is the lookup of a dry run with REQUIRE_MANUAL.
func (w *worker) CheckBackup(context.Context, deletion.Target) error {
	if f := w.step("check"); f != none {
		return &deletion.Error{Class: deletion.ClassUnavailable, Message: errFault.Error()}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.exists {
		// Every answer differs, and the ledger keeps none of them.
		return &deletion.Error{Class: deletion.ClassNotFound, DDSRequestID: fmt.Sprintf("%s-%d", w.name, len(w.trace))}
	}
	return nil
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
		if before, ok := w.events[e.ID]; ok && !bytes.Equal(before, e.JSON) {
			w.violations = append(w.violations, fmt.Sprintf("two events of one id:\n%s\n%s", before, e.JSON))
		}
		w.events[e.ID] = e.JSON
		if w.request.DryRun {
			w.dryTypes[e.Type] = true
		} else {
			w.types[e.Type] = true
		}
	}
	return errs
}

// asks reports whether a worker has the request with that id of a scenario.
func (w *worker) asks(id string) bool {
	id, dryRun := strings.CutSuffix(id, "?")
	return w.request.ID == id && w.request.DryRun == dryRun
}

// run processes one delivery to its end.
func (w *worker) run(ctx context.Context) {
	w.step("start") // whenever that is: its deadline counts from here
	ctx, w.cancel = context.WithTimeout(ctx, 30*time.Second)
	defer w.cancel()
	s := &deletion.Service{
		Deleter: w, Ledger: w, Sink: w, Concurrency: 1, Scope: deletion.Scope{Region: "r", ProjectID: project},
		Log: slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
	w.outcome = s.Do(ctx, []deletion.Request{w.request})[0]
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
}

// acknowledged reports whether the queue may delete the message of a worker.
func (w *worker) acknowledged() bool {
	return !w.crashed && w.outcome.Status != deletion.Retry
}

// explore runs two workers to their ends. The function choose decides their order and the faults.
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

// scenario is what two deliveries are about.
type scenario struct {
	name   string
	exists bool
	ids    [2]string // of the requests; one that ends in "?" is a dry run
}

// play runs a scenario once and returns what went wrong, and what happened.
func play(t *testing.T, sc scenario, faults, jumps int, choose func(int) int) (violations, trace []string, unconfirmed bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &model{
			t: t, choose: choose, faults: faults, jumps: jumps, exists: sc.exists, ledger: ledger.NewMemory(10, nil),
			events: make(map[string][]byte), types: make(map[string]bool), dryTypes: make(map[string]bool),
		}
		var workers []*worker
		newWorker := func(name, id string) *worker {
			id, dryRun := strings.CutSuffix(id, "?")
			return &worker{model: m, name: name, grant: make(chan fault), request: deletion.Request{ID: id, Source: "sqs", BackupID: "backup", DryRun: dryRun}}
		}
		for i, id := range sc.ids {
			workers = append(workers, newWorker(string(rune('A'+i)), id))
		}
		m.explore(workers)

		// The queue redelivers what no worker acknowledged, now without faults.
		m.faults, m.jumps, m.choose = 0, 0, func(int) int { return 0 }
		for _, id := range sc.ids {
			acknowledged := false
			for _, w := range workers {
				acknowledged = acknowledged || w.asks(id) && w.acknowledged()
			}
			for try := 0; !acknowledged && try < 3; try++ {
				time.Sleep(10 * time.Minute)
				w := newWorker("again-"+id, id)
				m.explore([]*worker{w})
				workers = append(workers, w)
				acknowledged = w.acknowledged()
			}
			if !acknowledged {
				m.violations = append(m.violations, id+" is never acknowledged")
			}
		}
		m.check(sc, workers)
		violations, trace = m.violations, m.trace
		unconfirmed = m.types[deletion.EventType(deletion.Unconfirmed)]
	})
	return violations, trace, unconfirmed
}

// check compares the end of a run with the promise.
func (m *model) check(sc scenario, workers []*worker) {
	violated := func(format string, args ...any) { m.violations = append(m.violations, fmt.Sprintf(format, args...)) }
	for _, w := range workers {
		if w.acknowledged() && !bytes.Equal(m.events[w.outcome.Event.ID], w.outcome.Event.JSON) {
			violated("%s acknowledged %s, and its event was not published", w.name, w.request.ID)
		}
	}
	accepted, unconfirmed := m.types[deletion.EventType(deletion.Accepted)], m.types[deletion.EventType(deletion.Unconfirmed)]
	// There is one limit. A worker that was frozen for longer than its lease may replace an outcome
	// that another worker published and acknowledged. If it then fails to publish, no redelivery
	// follows. (Lambda ends an invocation at its deadline, before its lease ends.)
	upgraded := unconfirmed && m.happened("a minute passes")
	if m.jobRecorded && !accepted && !upgraded {
		violated("a job id was recorded, and never published")
	}
	for _, status := range []deletion.Status{deletion.Accepted, deletion.Unconfirmed, deletion.Rejected} {
		if m.dryTypes[deletion.EventType(status)] {
			violated("a dry run is %s", status)
		}
	}
	notFound := m.types[deletion.EventType(deletion.NotFound)]
	switch {
	case len(m.jobs) > 1:
		violated("DDS started %d jobs", len(m.jobs))
	case sc.exists && (len(m.jobs) != 1 || notFound || (!accepted && !unconfirmed)):
		violated("a backup that was there: jobs %v, events %v", m.jobs, m.types)
	case !sc.exists && (len(m.jobs) != 0 || accepted):
		violated("a backup that was not there: jobs %v, events %v", m.jobs, m.types)
	case unconfirmed && !m.unsettled:
		violated("unconfirmed, though nothing was lost")
	case sc.ids[0] == sc.ids[1] && notFound && unconfirmed:
		violated("one request, two outcomes: %v", m.types)
	case accepted && unconfirmed && !m.happened("a minute passes") && !m.happened("down"):
		violated("two outcomes, though no worker was frozen and the ledger did not fail: %v", m.types)
	}
	if accepted {
		for _, w := range workers {
			if w.acknowledged() && w.outcome.Status == deletion.Accepted && w.outcome.JobID != m.jobs[0] {
				violated("%s got job %q", w.name, w.outcome.JobID)
			}
		}
	}
	for _, w := range workers { // the worker that got the job id logged it at once
		if !w.crashed && w.outcome.JobID != "" && accepted && !strings.Contains(w.log.String(), w.outcome.JobID) {
			violated("%s did not log the job", w.name)
		}
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

func TestPromiseInEveryInterleaving(t *testing.T) {
	bounds := []struct{ faults, jumps int }{{0, 1}, {1, 1}, {2, 0}}
	if os.Getenv("DELETION_MODEL") == "full" { // half a minute more
		bounds = append(bounds, struct{ faults, jumps int }{2, 1})
	}
	for _, sc := range []scenario{
		{"one request, delivered twice", true, [2]string{"r1", "r1"}},
		{"two requests for one backup", true, [2]string{"r1", "r2"}},
		{"one request for nothing, delivered twice", false, [2]string{"r1", "r1"}},
		{"two requests for nothing", false, [2]string{"r1", "r2"}},
		{"a request and its dry run", true, [2]string{"r1", "r1?"}},
		{"a request for nothing and its dry run", false, [2]string{"r1", "r1?"}},
	} {
		for _, bound := range bounds {
			t.Run(fmt.Sprintf("%s, faults %d, freezes %d", sc.name, bound.faults, bound.jumps), func(t *testing.T) {
				if testing.Short() && bound.faults > 1 {
					t.Skip("half a minute: -short walks one fault only")
				}
				bad, unconfirmed := 0, 0
				runs := walk(func(choose func(int) int) {
					violations, trace, un := play(t, sc, bound.faults, bound.jumps, choose)
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
