// Package chaos is the crash test. The real binary runs under the runtime API of a host, gets requests and ticks, meets
// faults of DDS, the ledger and the sink, and is killed at random times. In the end, ticks run until nothing is due.
//
//	make chaos REQUESTS=10000 SEED=1 HOST=functiongraph
package chaos_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/lambdatest"
	"dds-backup-delete/internal/ledger/ledgertest"
)

var (
	requests = flag.Int("requests", 0, "how many requests; 0 skips the test")
	seed     = flag.Uint64("seed", 0, "seed of all chance; 0 takes one from the clock")
)

const (
	workers    = 4
	timeout    = 5 * time.Second // of the function
	visibility = 6 * time.Second
	deliveries = 3 // of a topic: an asynchronous invocation and two more tries
)

// host is where the function runs, with the ledger and the sink that it has there.
type host struct {
	folder  string // of the binary
	ledger  deletion.Ledger
	taken   func() []string // the events that the sink took
	disturb func()          // called every second, until there are no more faults; may be nil
	// start starts the binary.
	start func(ctx context.Context, binary string, timeout time.Duration) (*instance, error)
	// batch and notification are payloads with messages of the queue and with one of the topic, and tick is a tick.
	batch        func(messages []message) any
	notification func(m *message) any
	tick         any
	maxReceives  int  // of the queue
	parks        bool // it also parks what comes from the queue
}

// instance is a running function.
type instance struct {
	// invoke sends a payload and returns the reply. A function that failed or ended is an error.
	invoke      func(ctx context.Context, payload []byte) (reply []byte, err error)
	ended       func() bool
	kill, close func() error
	output      func() string
}

// dice is a source of random numbers that goroutines can share.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (d *dice) n(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// asked is a request that was sent.
type asked struct {
	id, backup string
	malformed  bool
	topic      bool
}

// world is everything around the function.
type world struct {
	t      *testing.T
	dice   *dice
	host   *host
	queue  *queue
	topic  *queue
	dds    *ddstest.Server
	front  *httptest.Server // in front of DDS; notes DELETEs that should not come
	binary string
	asked  []asked

	backupOf map[string]string // by message

	kills, invocations, ticks, unrecorded atomic.Int64

	calm atomic.Bool // no more faults

	mu   sync.Mutex
	late []string        // DELETEs after a final record
	lost map[string]bool // backups for which an answer of DDS may have been lost
}

// mayLose notes that an answer of DDS about a backup may get lost.
func (w *world) mayLose(backup string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost[backup] = true
}

func TestChaos(t *testing.T) {
	if *requests == 0 {
		t.Skip("make chaos runs it")
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	for name, onHost := range map[string]func(*world) *host{"lambda": onLambda, "functiongraph": onFunctionGraph} {
		t.Run(name, func(t *testing.T) { run(t, onHost) })
	}
}

func run(t *testing.T, onHost func(*world) *host) {
	t.Helper()
	t.Logf("seed %d", *seed)
	w := &world{
		t: t, dice: &dice{r: rand.New(rand.NewPCG(*seed, 1))}, dds: ddstest.NewServer(ddstest.Options{}),
		lost: make(map[string]bool), backupOf: make(map[string]string), binary: filepath.Join(t.TempDir(), "bootstrap"),
	}
	defer w.dds.Close()
	w.startFront()
	w.host = onHost(w)
	w.queue, w.topic = newQueue(visibility, w.host.maxReceives), newQueue(visibility, deliveries)
	if err := lambdatest.Build(t.Context(), "../..", w.host.folder, w.binary); err != nil {
		t.Fatal(err)
	}
	w.ask(*requests)

	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() { w.work(ctx, rand.New(rand.NewPCG(*seed, uint64(100+i)))) })
	}
	start := time.Now()
	for w.queue.left()+w.topic.left() > 0 {
		time.Sleep(time.Second)
		if w.host.disturb != nil {
			w.host.disturb()
		}
		if int(time.Since(start).Seconds())%5 == 0 {
			fmt.Fprintf(os.Stderr, "%4.0fs  %d of %d messages left, %d invocations, %d kills\n",
				time.Since(start).Seconds(), w.queue.left()+w.topic.left(), len(w.asked), w.invocations.Load(), w.kills.Load())
		}
	}
	cancel()
	all.Wait()
	took := time.Since(start)
	w.finish()
	w.check(took)
}

// ask fills DDS with backups and the queue with requests. Most requests have a backup of their own.
// Some share one with another request, some name none, and some cannot be parsed.
func (w *world) ask(n int) {
	bystanders := n/20 + 1
	for i := range bystanders {
		w.dds.Add(ddstest.Backup{ID: fmt.Sprintf("bystander%023dbr02", i)})
	}
	for i := range n {
		a := asked{id: fmt.Sprintf("message-%d", i), backup: fmt.Sprintf("%032dbr02", i)}
		body := `{"backup_id":"` + a.backup + `"}`
		switch kind := w.dice.n(100); {
		case kind < 2:
			a.malformed, a.backup, body = true, "", `{"backup_id": `
		case kind < 7:
			a.backup = fmt.Sprintf("nothing%025dbr02", i)
			body = `{"backup_id":"` + a.backup + `"}`
		case kind < 17 && i > 0 && !w.asked[i-1].malformed:
			a.backup = w.asked[w.dice.n(i)].backup
			if a.backup == "" {
				a.backup = w.asked[i-1].backup
			}
			body = `{"backup_id":"` + a.backup + `"}`
		default:
			w.dds.Add(ddstest.Backup{ID: a.backup})
		}
		w.asked = append(w.asked, a)
		w.backupOf[a.id] = a.backup
		if w.dice.n(3) == 0 {
			a.topic = true
			w.asked[i].topic = true
			w.topic.send(a.id, body)
		} else {
			w.queue.send(a.id, body)
		}
	}
}

// work is one environment of the function. It polls the queue, and starts the function again after a kill.
func (w *world) work(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		f, err := w.host.start(ctx, w.binary, timeout)
		if err != nil {
			if ctx.Err() == nil {
				w.t.Error(err)
			}
			return
		}
		killer := w.killLater(f, time.Duration(20+r.IntN(3000))*time.Millisecond)
		for ctx.Err() == nil && !f.ended() {
			switch n := r.IntN(20); {
			case n == 0:
				w.tick(ctx, f)
			case n < 8:
				w.notify(ctx, f, r)
			default:
				w.deliver(ctx, f, r)
			}
		}
		killer.Stop()
		w.end(f)
	}
}

// invoke invokes the function with the JSON of a payload.
func (w *world) invoke(ctx context.Context, f *instance, payload any) (reply []byte, err error) {
	text, err := json.Marshal(payload)
	if err != nil {
		w.t.Error(err)
		return nil, err
	}
	w.invocations.Add(1)
	return f.invoke(ctx, text)
}

// deliver invokes the function with one batch and handles the messages as the reply says.
func (w *world) deliver(ctx context.Context, f *instance, r *rand.Rand) {
	messages := w.queue.receive(1+r.IntN(10), r)
	if len(messages) == 0 {
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
		return
	}
	text, err := w.invoke(ctx, f, w.host.batch(messages))
	var reply struct { // of a host without partial replies it is another object
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err != nil || json.Unmarshal(text, &reply) != nil {
		for _, m := range messages {
			w.mayLose(w.backupOf[m.id])
		}
		return // the batch comes back after its visibility timeout
	}
	for _, m := range messages {
		failed := slices.ContainsFunc(reply.BatchItemFailures, func(f struct{ ItemIdentifier string }) bool { return f.ItemIdentifier == m.id })
		if failed {
			w.queue.giveBack(m.id, time.Duration(200+r.IntN(1500))*time.Millisecond)
		} else {
			w.queue.acknowledge(m.id)
		}
	}
}

// notify invokes the function with one message of the topic. Only an error, or no reply, brings it again.
func (w *world) notify(ctx context.Context, f *instance, r *rand.Rand) {
	messages := w.topic.receive(1, r)
	if len(messages) == 0 {
		return
	}
	m := &messages[0]
	if _, err := w.invoke(ctx, f, w.host.notification(m)); err != nil {
		w.mayLose(w.backupOf[m.id])
		w.topic.giveBack(m.id, time.Duration(200+r.IntN(1500))*time.Millisecond)
		return
	}
	w.topic.acknowledge(m.id)
}

// tick invokes the function with a tick. If it is killed, it may have worked any request that was parked.
func (w *world) tick(ctx context.Context, f *instance) {
	w.ticks.Add(1)
	if _, err := w.invoke(ctx, f, w.host.tick); err == nil {
		return
	}
	for _, a := range w.asked {
		if a.topic || w.host.parks {
			w.mayLose(a.backup)
		}
	}
}

// finish lets time pass and ticks run until nothing is due: first with faults and kills, because only then is what was
// parked worked, and then without.
func (w *world) finish() {
	const stormy = 4
	l := w.host.ledger
	for round := range 60 {
		if round == stormy {
			w.calm.Store(true)
			w.dds.Heal()
		}
		if round >= stormy && len(ledgertest.Agenda(w.t, l)) == 0 {
			return
		}
		step := 10 * time.Minute
		if round > 30 { // what was never seen is closed after a week
			step = 24 * time.Hour
		}
		ledgertest.Pass(w.t, l, step)
		f, err := w.host.start(w.t.Context(), w.binary, time.Minute)
		if err != nil {
			w.t.Fatal(err)
		}
		if round < stormy {
			w.killLater(f, time.Duration(100+w.dice.n(1500))*time.Millisecond)
		}
		w.tick(w.t.Context(), f)
		w.end(f)
	}
	w.t.Errorf("%d items are due for ever", len(ledgertest.Agenda(w.t, l)))
}

// killLater kills an instance after a while, unless it has ended.
func (w *world) killLater(f *instance, after time.Duration) *time.Timer {
	return time.AfterFunc(after, func() {
		if !f.ended() {
			w.kills.Add(1)
			_ = f.kill()
		}
	})
}

// end ends an instance.
func (w *world) end(f *instance) {
	w.unrecorded.Add(int64(strings.Count(f.output(), "ledger: not recorded")))
	_ = f.close()
}

// disturb makes one DELETE in twelve meet a fault.
func (w *world) disturb(backup string) {
	if w.calm.Load() || w.dice.n(12) > 0 {
		return
	}
	w.mayLose(backup) // most faults lose an answer
	faults := []ddstest.Fault{
		ddstest.DropBefore(), ddstest.DropAfter(), ddstest.Answer(500, "DBS.280005", "server failure"),
		ddstest.Answer(400, "DBS.200998", "busy"), ddstest.Answer(403, "DBS.200019", "another operation"),
		ddstest.Slow(time.Duration(w.dice.n(400)) * time.Millisecond), ddstest.NoJobID(),
		ddstest.AnswerAfter(504, "text/html", "<html>"), ddstest.RawAnswer(502, "text/html", "<html>"),
		ddstest.Answer(429, "DBS.280443", "too many calls"),
	}
	w.dds.Inject(faults[w.dice.n(len(faults))].For(backup).On(http.MethodDelete))
}

// startFront starts a proxy in front of DDS that notes each DELETE for a backup whose outcome was recorded.
func (w *world) startFront() {
	target, err := url.Parse(w.dds.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     nil,
	}
	w.front = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			backup := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
			item, err := w.host.ledger.Get(context.WithoutCancel(r.Context()), deletion.Key{ProjectID: ddstest.ProjectID, BackupID: backup})
			if err == nil && item != nil && item.Answer.Event != "" { // a ledger that is down has recorded nothing now
				w.mu.Lock()
				w.late = append(w.late, backup)
				w.mu.Unlock()
			}
			w.disturb(backup)
		}
		proxy.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(w.front.Close)
}

// faulty makes a service fail at random, before or after it does its work.
func (w *world) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n := w.dice.n(100)
		if w.calm.Load() {
			n = 100
		}
		switch n {
		case 0:
			http.Error(rw, `{"__type":"InternalServerError"}`, http.StatusInternalServerError)
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case 3:
			time.Sleep(time.Duration(w.dice.n(300)) * time.Millisecond)
			next.ServeHTTP(rw, r)
		default:
			next.ServeHTTP(rw, r)
		}
	})
}

// event is an outcome event as the bus has it.
type event struct {
	ID   string
	Type string
	Data deletion.Data
}

// check compares the result with the promise.
func (w *world) check(took time.Duration) {
	t := w.t
	bytesOf := make(map[string]string)
	byRequest := make(map[string][]event)
	final := make(map[string]map[deletion.Status]event) // by backup
	count := make(map[deletion.Status]int)
	ends, abandoned := make(map[string]int), make(map[string]bool) // by backup, by request
	for _, text := range w.host.taken() {
		var e event
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if before, seen := bytesOf[e.ID]; seen {
			if before != text {
				t.Errorf("two events with one id:\n%s\n%s", before, text)
			}
			continue
		}
		bytesOf[e.ID] = text
		count[e.Data.Status]++
		switch e.Data.Status {
		case deletion.Completed, deletion.Failed:
			ends[e.Data.BackupID]++
			continue
		case deletion.Abandoned:
			abandoned[e.Data.RequestID] = true
			continue
		default:
			byRequest[e.Data.RequestID] = append(byRequest[e.Data.RequestID], e)
		}
		if e.Data.Status == deletion.Accepted || e.Data.Status == deletion.Unconfirmed {
			if final[e.Data.BackupID] == nil {
				final[e.Data.BackupID] = make(map[deletion.Status]event)
			}
			final[e.Data.BackupID][e.Data.Status] = e
		}
	}
	jobs := make(map[string]string) // by backup
	for _, job := range w.dds.Jobs() {
		jobs[job.BackupID] = job.ID
	}

	silent, both, letters := 0, 0, 0
	for _, a := range w.asked {
		dead := w.queue.dead[a.id] || w.topic.dead[a.id]
		if dead {
			letters++
		}
		if len(byRequest[a.id]) == 0 && len(final[a.backup]) == 0 && !abandoned[a.id] && !dead {
			t.Errorf("%s, for %q, ended in silence", a.id, a.backup)
			silent++
		}
		// Each request has one event. The exception is one whose job id was published but not recorded.
		if n := len(byRequest[a.id]); n > 1+int(min(1, w.unrecorded.Load())) {
			t.Errorf("%s has %d events: %v", a.id, n, byRequest[a.id])
		}
	}
	lost, invented, ended := 0, 0, 0
	for backup, events := range final {
		seen := !strings.HasPrefix(backup, "nothing")
		if n := ends[backup]; n > 1 || n == 0 && seen {
			t.Errorf("%s has %d ends", backup, n)
		}
		ended += ends[backup]
		a, accepted := events[deletion.Accepted]
		_, unconfirmed := events[deletion.Unconfirmed]
		if accepted && a.Data.JobID != jobs[backup] {
			t.Errorf("%s: event of job %q, DDS started %q", backup, a.Data.JobID, jobs[backup])
		}
		if accepted && unconfirmed {
			both++
		}
		if unconfirmed && jobs[backup] != "" && !accepted {
			lost++
		}
		if unconfirmed && !w.lost[backup] {
			t.Errorf("%s is unconfirmed, and no answer about it was lost", backup)
		}
		if unconfirmed && jobs[backup] == "" {
			invented++
			if !strings.HasPrefix(backup, "nothing") {
				t.Errorf("%s is unconfirmed, and DDS never deleted it", backup)
			}
		}
	}
	if unrecorded := int(w.unrecorded.Load()); both > unrecorded {
		t.Errorf("%d backups have two outcomes, and only %d were not recorded", both, unrecorded)
	}
	requested := make(map[string]bool)
	for _, a := range w.asked {
		requested[a.backup] = true
	}
	for backup := range jobs {
		if !requested[backup] {
			t.Errorf("%s was deleted without a request", backup)
		}
	}
	if len(w.late) > 0 {
		t.Errorf("DDS saw %d DELETEs after an outcome was recorded: %v", len(w.late), w.late[:min(5, len(w.late))])
	}
	recorded := w.checkLedger(bytesOf)
	calls := slices.DeleteFunc(w.dds.Calls(), func(c ddstest.Call) bool { return c.Method == http.MethodHead }) // those only open connections
	t.Logf("seed %d: %d requests in %v, %d invocations, %d kills, %d DDS calls, %d jobs, %d ticks", *seed, len(w.asked), took.Round(time.Second),
		w.invocations.Load(), w.kills.Load(), len(calls), len(jobs), w.ticks.Load())
	t.Logf("events: %d accepted, %d unconfirmed (%d job ids lost, %d for nothing), %d not found, %d rejected, %d abandoned; %d ends of %d deletions; %d published in all",
		count[deletion.Accepted], count[deletion.Unconfirmed], lost, invented, count[deletion.NotFound], count[deletion.Rejected], len(abandoned), ended, len(final), len(w.host.taken()))
	t.Logf("ledger: %d job ids recorded, all published; %d answers of DDS not recorded; %d backups with two outcomes; %d dead letters; %d silent",
		recorded, w.unrecorded.Load(), both, letters, silent)
}

// checkLedger checks that every final outcome in the ledger was published, and counts the job ids.
func (w *world) checkLedger(published map[string]string) (jobs int) {
	seen := make(map[string]bool)
	for _, a := range w.asked {
		if a.backup == "" || seen[a.backup] {
			continue
		}
		seen[a.backup] = true
		item := ledgertest.Get(w.t, w.host.ledger, deletion.Key{ProjectID: ddstest.ProjectID, BackupID: a.backup})
		if item == nil || item.Answer.Event == "" {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(item.Answer.Event), &e); err != nil {
			w.t.Fatal(err)
		}
		if published[e.ID] != item.Answer.Event {
			w.t.Errorf("%s of %s was recorded and not published", e.Data.Status, e.Data.BackupID)
		}
		if e.Data.JobID != "" {
			jobs++
		}
	}
	return jobs
}
