// Package metrics counts what an operator wants to see over time, and writes it as lines in
// CloudWatch's embedded metric format. It knows sources only by name.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
package metrics

import (
	"encoding/json"
	"io"
	"slices"
	"sync"
	"time"

	"dds-backup-delete/internal/deletion"
)

// Namespace is the CloudWatch namespace of all metrics.
const Namespace = "dds-backup-delete"

// maxValues is how many values one member of a line may hold.
const maxValues = 100

// The metrics that no status has. CloudWatch alarms and dashboards name all metrics.
const (
	errorCount    = "DDSErrors"
	throttleCount = "DDSThrottles"
	latency       = "DDSLatency"
	unpublished   = "PublishFailures"
	ledgerFailure = "LedgerFailures"
	coldStart     = "ColdStarts"
	replayed      = "Replayed"
	parked        = "Parked"
	ticks         = "Ticks"
	followOverdue = "FollowOverdue"
)

// names are the metrics of the statuses.
var names = map[deletion.Status]string{
	deletion.Accepted: "Accepted", deletion.Unconfirmed: "Unconfirmed", deletion.NotFound: "NotFound",
	deletion.Rejected: "Rejected", deletion.Simulated: "Simulated", deletion.Retry: "Retried",
	deletion.Abandoned: "Abandoned", deletion.Completed: "Completed", deletion.Failed: "Failed", deletion.Closed: "Closed",
}

// The names of the dimensions. There are few sources and classes, so there are few metrics.
const (
	byFunction = "function_name"
	bySource   = "source"
	byClass    = "class"
)

// dimension is the second dimension of a metric, after the function; zero for a metric that has none.
type dimension struct{ name, value string }

// Recorder collects measurements and writes them on Flush. It is safe for concurrent use. A nil
// Recorder does nothing.
type Recorder struct {
	w        io.Writer
	function string
	now      func() time.Time

	mu        sync.Mutex
	counts    map[dimension]map[string]int // by metric
	latencies []float64                    // milliseconds
}

// New returns a recorder that writes to w for the function with that name.
func New(w io.Writer, function string) *Recorder {
	return &Recorder{w: w, function: function, now: time.Now, counts: make(map[dimension]map[string]int)}
}

// locked calls f under the lock, unless the recorder is nil.
func (r *Recorder) locked(f func()) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// count adds one to a metric. The caller holds the lock.
func (r *Recorder) count(d dimension, metric string) { r.add(d, metric, 1) }

// add adds n to a metric; nothing if n is 0. The caller holds the lock.
func (r *Recorder) add(d dimension, metric string, n int) {
	if n == 0 {
		return
	}
	if r.counts[d] == nil {
		r.counts[d] = make(map[string]int)
	}
	r.counts[d][metric] += n
}

// countError adds one to the errors of a class. The caller holds the lock.
func (r *Recorder) countError(class deletion.Class) {
	r.count(dimension{byClass, string(class)}, errorCount)
	if class == deletion.ClassThrottled {
		r.count(dimension{}, throttleCount)
	}
}

// Call records the duration of a call to DDS, and the class of its error; empty if it succeeded.
func (r *Recorder) Call(duration time.Duration, class deletion.Class) {
	r.locked(func() {
		r.latencies = append(r.latencies, float64(duration.Microseconds())/1000)
		if class != "" {
			r.countError(class)
		}
	})
}

// LookupFailed records that credentials or a project could not be looked up. It counts as an error of the class.
func (r *Recorder) LookupFailed(class deletion.Class) {
	r.locked(func() { r.countError(class) })
}

// Outcomes records the outcomes of the requests in one payload.
func (r *Recorder) Outcomes(source deletion.Source, outcomes []deletion.Outcome) {
	r.locked(func() {
		for i := range outcomes {
			o := &outcomes[i]
			r.count(dimension{bySource, string(source)}, names[o.Status])
			if o.Replayed {
				r.count(dimension{bySource, string(source)}, replayed)
			}
			if o.Unpublished {
				r.count(dimension{}, unpublished)
			}
			if o.LedgerFailed {
				r.count(dimension{}, ledgerFailure)
			}
		}
	})
}

// Parked records how many requests of one payload the ledger keeps, so that their source got a success although
// there is no verdict yet.
func (r *Recorder) Parked(source deletion.Source, n int) {
	r.locked(func() { r.add(dimension{bySource, string(source)}, parked, n) })
}

// Agenda records a tick: what it came to, by status, and how many deletions it saw that take longer than they should.
func (r *Recorder) Agenda(counts map[deletion.Status]int, overdue int) {
	r.locked(func() {
		r.count(dimension{}, ticks)
		for status, n := range counts {
			r.add(dimension{}, names[status], n)
		}
		r.add(dimension{}, followOverdue, overdue)
	})
}

// ColdStart records that a process handles its first payload.
func (r *Recorder) ColdStart() {
	r.locked(func() { r.count(dimension{}, coldStart) })
}

// Flush writes everything recorded since the last Flush, each line in one call of the writer. It
// returns the first error of the writer.
func (r *Recorder) Flush() (err error) {
	r.locked(func() {
		for _, members := range r.lines() {
			var text []byte
			text, err = json.Marshal(members)
			if err == nil {
				_, err = r.w.Write(append(text, '\n'))
			}
			if err != nil {
				return
			}
		}
	})
	return err
}

// lines returns the members of each line and forgets what was recorded.
func (r *Recorder) lines() (lines []map[string]any) {
	undivided := r.counts[dimension{}]
	delete(r.counts, dimension{})
	for values := range slices.Chunk(r.latencies, maxValues) {
		lines = append(lines, r.line(dimension{}, undivided, values))
		undivided = nil
	}
	if undivided != nil {
		lines = append(lines, r.line(dimension{}, undivided, nil))
	}
	for d, counts := range r.counts {
		lines = append(lines, r.line(d, counts, nil))
	}
	clear(r.counts)
	r.latencies = nil
	return lines
}

// line returns the members of one line: metrics with the same dimensions.
func (r *Recorder) line(d dimension, counts map[string]int, latencies []float64) map[string]any {
	type metric struct{ Name, Unit string }
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	written := directive{Namespace: Namespace, Dimensions: [][]string{{byFunction}}}
	members := map[string]any{byFunction: r.function}
	if d.name != "" {
		members[d.name] = d.value
		written.Dimensions = append(written.Dimensions, []string{byFunction, d.name})
	}
	for name, n := range counts {
		members[name] = n
		written.Metrics = append(written.Metrics, metric{name, "Count"})
	}
	if len(latencies) > 0 {
		members[latency] = latencies
		written.Metrics = append(written.Metrics, metric{latency, "Milliseconds"})
	}
	members["_aws"] = struct {
		Timestamp         int64
		CloudWatchMetrics []directive
	}{r.now().UnixMilli(), []directive{written}}
	return members
}
