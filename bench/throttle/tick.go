package throttle

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
	"dds-backup-delete/internal/secret"
)

const (
	tickEvery = 5 * time.Minute        // the schedule of template.yaml
	nextTick  = 500 * time.Millisecond // from a tick that ends with work due to the one that it asks for
	tickHours = 6                      // how long ticks are watched
)

// Ticks is a run of ticks: deletions were accepted at once, and are followed to their ends. Nothing else calls DDS.
type Ticks struct {
	// Backups is how many deletions were accepted, and Gone how long each takes.
	Backups int
	Gone    time.Duration
	// Rate is DDS_RATE; 0 for none. Calls is how many calls DDS allows in a minute; 0 for any number.
	Rate  float64
	Calls int
	// Listed says that the page of the backup list shows the backups; otherwise it is full of newer ones.
	Listed bool
	// Alone says that no tick asks for the next one.
	Alone bool
}

// Name returns a short description of the run.
func (s Ticks) Name() string {
	return fmt.Sprintf("%d backups gone after %v, DDS_RATE %v, DDS allows %d a minute, on the page %v, schedule alone %v",
		s.Backups, s.Gone, s.Rate, s.Calls, s.Listed, s.Alone)
}

// TicksResult is the result of a run.
type TicksResult struct {
	// Ends are the events of ends by the hour in which they came.
	Ends [tickHours]int
	// Ticks counts the ticks, and Throttled those that were stopped by it. Processes is how many ran at once, at most.
	Ticks, Throttled, Processes int
	// Lists, Looks and Jobs count the calls that DDS took, and Refused those that it throttled.
	Lists, Looks, Jobs, Refused int
}

// following is DDS while it deletes backups.
type following struct {
	s      Ticks
	window fixedWindow

	mu   sync.Mutex
	sent map[string]time.Time // when the DELETE of a backup came
	r    TicksResult
}

// RoundTrip implements [http.RoundTripper].
func (f *following) RoundTrip(r *http.Request) (*http.Response, error) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // v3/p/backups/…
	f.mu.Lock()
	if r.Method == http.MethodDelete {
		id := parts[3]
		f.sent[id] = time.Now()
		f.mu.Unlock()
		return answer(r, http.StatusOK, `{"job_id":"job-`+id+`"}`), nil
	}
	f.mu.Unlock()
	if f.s.Calls > 0 && !f.window.admit() {
		time.Sleep(refusalTime)
		return answer(r, http.StatusTooManyRequests, fmt.Sprintf(
			`{"error_code":"APIGW.0308","error_msg":"policy user over ratelimit,limit:%d,time:60 second"}`, f.s.Calls)), nil
	}
	time.Sleep(ddsTakes)
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.URL.Query().Get("backup_id")
	switch {
	case parts[2] == "jobs":
		f.r.Jobs++
		return answer(r, http.StatusOK, `{"job":{"id":"j","status":"Running"}}`), nil
	case id != "":
		f.r.Looks++
		return answer(r, http.StatusOK, f.list([]string{id})), nil
	case f.s.Listed:
		f.r.Lists++
		ids := make([]string, 0, len(f.sent))
		for id := range f.sent {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		return answer(r, http.StatusOK, f.list(ids)), nil
	default:
		f.r.Lists++
		return answer(r, http.StatusOK, `{"backups":[],"total_count":100}`), nil
	}
}

// list returns the first hundred of these backups that are still there.
func (f *following) list(ids []string) string {
	backups := []map[string]string{}
	for _, id := range ids {
		sent, known := f.sent[id]
		if known && time.Since(sent) >= f.s.Gone {
			continue
		}
		status := "COMPLETED"
		if known {
			status = "DELETING"
		}
		backups = append(backups, map[string]string{"id": id, "type": "Manual", "status": status})
		if len(backups) == 100 {
			break
		}
	}
	text, _ := json.Marshal(map[string]any{"backups": backups, "total_count": len(backups)}) //nolint:errchkjson // texts and numbers
	return string(text)
}

// RunTicks accepts the deletions, and watches ticks. Call it in a synctest bubble; otherwise it takes hours.
func RunTicks(ctx context.Context, s Ticks) (TicksResult, error) {
	f := &following{s: s, window: fixedWindow{s: Scenario{Calls: s.Calls, Window: time.Minute}}, sent: make(map[string]time.Time)}
	all := ledger.NewMemory(s.Backups+1, nil)
	if err := accept(ctx, f, all); err != nil {
		return TicksResult{}, err
	}
	start := time.Now()
	f.r = TicksResult{} // without the look-ups before the deletions
	var mu sync.Mutex
	var idle []*deletion.Service
	var failed error
	running := 0
	var chains sync.WaitGroup
	chain := func() { // a tick, and those that follow it until the next one comes on schedule
		began := time.Now()
		for more := true; more && time.Since(start) < tickHours*time.Hour; {
			mu.Lock()
			var process *deletion.Service
			if n := len(idle); n > 0 {
				process, idle = idle[n-1], idle[:n-1]
			} else if process, failed = follower(f, all, s.Rate); failed != nil {
				mu.Unlock()
				return
			}
			running++
			f.mu.Lock()
			f.r.Processes = max(f.r.Processes, running)
			f.mu.Unlock()
			mu.Unlock()

			inTime, cancel := context.WithTimeout(ctx, timeout)
			r := process.Tick(inTime)
			cancel()
			f.mu.Lock()
			f.r.Ticks++
			if r.Throttled {
				f.r.Throttled++
			}
			if hour := int(time.Since(start) / time.Hour); hour < tickHours {
				f.r.Ends[hour] += r.Ends[deletion.Completed]
			}
			f.mu.Unlock()
			mu.Lock()
			idle = append(idle, process)
			running--
			mu.Unlock()
			// As internal/app decides.
			more = !s.Alone && time.Since(began) < tickEvery && r.More && !r.Throttled && !r.Failed && r.Deletions+r.Looks+r.Published > 0
			time.Sleep(nextTick)
		}
	}
	for range tickHours * int(time.Hour/tickEvery) {
		time.Sleep(tickEvery)
		chains.Go(chain)
	}
	chains.Wait()
	f.r.Refused = f.window.refused
	return f.r, failed
}

// accept has all deletions accepted.
func accept(ctx context.Context, f *following, l deletion.Ledger) error {
	s := f.s
	f.s.Calls = 0
	service, err := follower(f, l, 0)
	if err != nil {
		return err
	}
	requests := make([]deletion.Request, s.Backups)
	for i := range requests {
		requests[i] = deletion.Request{ID: fmt.Sprintf("%08d", i), Source: "sqs", BackupID: fmt.Sprintf("%08d", i)}
	}
	for _, o := range service.Do(ctx, requests) {
		if o.Status != deletion.Accepted {
			return fmt.Errorf("backup %s is %s: %w", o.Request.BackupID, o.Status, o.Err)
		}
	}
	f.s = s
	return nil
}

// follower returns the service of a process that follows deletions.
func follower(f *following, l deletion.Ledger, rate float64) (*deletion.Service, error) {
	client, err := dds.New(dds.Options{
		Endpoints:   map[string]string{"r": "https://dds.example"},
		Credentials: dds.Credentials{AccessKey: secret.New("AK"), SecretKey: secret.New("SK")},
		Transport:   f, Rate: rate,
	})
	if err != nil {
		return nil, err
	}
	return &deletion.Service{
		Backups: client, Ledger: l, Durable: true, Sink: bus{}, Concurrency: 32, Log: slog.New(slog.DiscardHandler),
		Scope: deletion.Scope{Region: "r", ProjectID: "p"}, RequireManual: true, Follow: true, FollowAlarmAfter: 2 * time.Hour,
	}, nil
}
