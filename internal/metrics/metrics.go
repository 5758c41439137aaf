// Package metrics counts what an operator wants to see over time, and writes it as lines in
// CloudWatch's embedded metric format. It knows nothing of sources but their names.
package metrics

import (
	"encoding/json"
	"io"
	"slices"
	"sync"
	"time"

	"dds-backup-delete/internal/deletion"
)

// Namespace is that of all metrics.
const Namespace = "dds-backup-delete"

// The dimensions. A source and a class are of a fixed few, so that there are not many metrics.
const (
	byFunction = "function_name"
	bySource   = "source"
	byClass    = "class"
)

// The metrics. CloudWatch alarms and dashboards name them.
const (
	errorCount    = "DDSErrors"
	throttleCount = "DDSThrottles"
	latency       = "DDSLatency"
	unpublished   = "PublishFailures"
	ledgerFailure = "LedgerFailures"
	coldStart     = "ColdStarts"
	replayed      = "Replayed"
)

// names are the metrics of the statuses.
var names = map[deletion.Status]string{
	deletion.Accepted: "Accepted", deletion.Unconfirmed: "Unconfirmed", deletion.NotFound: "NotFound",
	deletion.Rejected: "Rejected", deletion.Simulated: "Simulated", deletion.Retry: "Retried",
}

// Recorder collects measurements and writes them when it is told to. It is safe for use by many
// goroutines, and does nothing where it is nil.
type Recorder struct {
	w        io.Writer
	function string
	now      func() time.Time

	mu        sync.Mutex
	outcomes  map[deletion.Source]map[string]int // by name
	counts    map[string]int                     // of the function as a whole, by name
	latencies []float64                          // milliseconds
	errors    map[deletion.Class]int
}

// New returns a recorder that writes for the function of that name.
func New(w io.Writer, function string) *Recorder {
	r := &Recorder{w: w, function: function, now: time.Now}
	r.reset()
	return r
}

func (r *Recorder) reset() {
	r.outcomes, r.errors = make(map[deletion.Source]map[string]int), make(map[deletion.Class]int)
	r.counts, r.latencies = make(map[string]int), nil
}

// Call notes a call to DDS; it is a [dds.Observer].
func (r *Recorder) Call(took time.Duration, class deletion.Class) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latencies = append(r.latencies, float64(took.Microseconds())/1000)
	if class != "" {
		r.errors[class]++
	}
}

// LookupFailed notes that something which calls to DDS need could not be looked up, so that the
// alarm of the class goes off.
func (r *Recorder) LookupFailed(class deletion.Class) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors[class]++
}

// Outcomes notes what became of the requests of one payload.
func (r *Recorder) Outcomes(source deletion.Source, outcomes []deletion.Outcome) {
	if r == nil || len(outcomes) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.outcomes[source]
	if of == nil {
		of = make(map[string]int)
		r.outcomes[source] = of
	}
	for i := range outcomes {
		o := &outcomes[i]
		of[names[o.Status]]++
		if o.Replayed {
			of[replayed]++
		}
		if o.Unpublished {
			r.counts[unpublished]++
		}
		if o.LedgerFailed {
			r.counts[ledgerFailure]++
		}
	}
}

// ColdStart notes that a process works its first payload.
func (r *Recorder) ColdStart() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[coldStart]++
}

// maxValues is how many values one member of a line may hold.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
const maxValues = 100

// Flush writes what was noted since the last time, one line for most invocations. An error is
// that of the writer.
func (r *Recorder) Flush() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.reset()
	whole := r.line()
	whole.add(throttleCount, r.errors[deletion.ClassThrottled])
	for name, n := range r.counts {
		whole.add(name, n)
	}
	lines := []*line{whole}
	for values := range slices.Chunk(r.latencies, maxValues) {
		if whole.has(latency) {
			whole = r.line()
			lines = append(lines, whole)
		}
		whole.values(latency, "Milliseconds", values)
	}
	for source, of := range r.outcomes {
		l := r.line(bySource, string(source))
		for name, n := range of {
			l.add(name, n)
		}
		lines = append(lines, l)
	}
	for class, n := range r.errors {
		l := r.line(byClass, string(class))
		l.add(errorCount, n)
		lines = append(lines, l)
	}
	for _, l := range lines {
		if err := l.write(r.w); err != nil {
			return err
		}
	}
	return nil
}

// line is one line in the embedded metric format: metrics of the same dimensions.
type line struct {
	members    map[string]any
	dimensions [][]string
	metrics    []metric
	at         time.Time
}

type metric struct {
	Name string
	Unit string
}

// line returns an empty line for the function, and with a dimension for that, too.
func (r *Recorder) line(dimension ...string) *line {
	l := &line{at: r.now(), members: map[string]any{byFunction: r.function}, dimensions: [][]string{{byFunction}}}
	if len(dimension) == 2 {
		l.members[dimension[0]] = dimension[1]
		l.dimensions = append(l.dimensions, []string{byFunction, dimension[0]})
	}
	return l
}

// add adds a count, unless it is 0: what did not happen costs nothing.
func (l *line) add(name string, n int) {
	if n > 0 {
		l.values(name, "Count", n)
	}
}

func (l *line) values(name, unit string, value any) {
	l.members[name] = value
	l.metrics = append(l.metrics, metric{name, unit})
}

func (l *line) has(name string) bool {
	_, ok := l.members[name]
	return ok
}

// write writes the line, unless it has no metric.
func (l *line) write(w io.Writer) error {
	if len(l.metrics) == 0 {
		return nil
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	l.members["_aws"] = struct {
		Timestamp         int64
		CloudWatchMetrics []directive
	}{l.at.UnixMilli(), []directive{{Namespace, l.dimensions, l.metrics}}}
	text, err := json.Marshal(l.members)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
