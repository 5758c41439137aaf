package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
)

// written returns the values of each metric, by its dimensions, and checks the lines against the
// specification of the format.
func written(t *testing.T, text string) map[string]any {
	t.Helper()
	got := make(map[string]any)
	for line := range strings.Lines(text) {
		var members map[string]json.RawMessage
		var meta struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		}
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(members["_aws"], &meta); err != nil || meta.Timestamp != 1795467600000 {
			t.Fatalf("line %s: %v", line, err)
		}
		for _, directive := range meta.CloudWatchMetrics {
			if directive.Namespace != Namespace || len(directive.Metrics) == 0 || len(directive.Metrics) > 100 {
				t.Errorf("line %s", line)
			}
			for _, set := range directive.Dimensions {
				var name []string
				for _, dimension := range set {
					var value string
					if err := json.Unmarshal(members[dimension], &value); err != nil || value == "" {
						t.Errorf("dimension %s: %v in %s", dimension, err, line)
					}
					name = append(name, value)
				}
				for _, m := range directive.Metrics {
					var value any
					if err := json.Unmarshal(members[m.Name], &value); err != nil {
						t.Errorf("metric %s: %v in %s", m.Name, err, line)
					}
					if list, ok := value.([]any); ok {
						if len(list) > 100 || m.Unit != "Milliseconds" {
							t.Errorf("%d values of %s in %s", len(list), m.Name, m.Unit)
						}
						value = float64(len(list))
					}
					key := strings.Join(append(slices.Clone(name), m.Name), " ")
					total, _ := got[key].(float64)
					number, _ := value.(float64)
					got[key] = total + number
				}
			}
		}
	}
	return got
}

func recorder(w *bytes.Buffer) *Recorder {
	r := New(w, "f")
	r.now = func() time.Time { return time.UnixMilli(1795467600000) }
	return r
}

func TestFlush(t *testing.T) {
	var out bytes.Buffer
	r := recorder(&out)
	r.Call(20*time.Millisecond, "")
	r.Call(1500*time.Microsecond, deletion.ClassThrottled)
	r.Call(time.Second, deletion.ClassUnavailable)
	r.ColdStart()
	undelivered := &deletion.Error{Class: deletion.ClassUndelivered}
	r.Outcomes("sqs", []deletion.Outcome{
		{Status: deletion.Accepted}, {Status: deletion.Accepted, Replayed: true}, {Status: deletion.Unconfirmed}, {Status: deletion.NotFound},
		{Status: deletion.Rejected}, {Status: deletion.Simulated},
		{Status: deletion.Retry, Err: undelivered, Unpublished: true}, {Status: deletion.Retry, Err: undelivered, LedgerFailed: true}, {Status: deletion.Retry, LedgerFailed: true},
	})
	r.Outcomes("kafka", []deletion.Outcome{{Status: deletion.Accepted}})
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"f ColdStarts": 1.0, "f DDSThrottles": 1.0, "f PublishFailures": 1.0, "f LedgerFailures": 2.0, "f DDSLatency": 3.0,
		"f DDSErrors": 2.0, "f throttled DDSErrors": 1.0, "f unavailable DDSErrors": 1.0,
		"f kafka Accepted": 1.0, "f Accepted": 3.0,
	}
	for name, n := range map[string]float64{
		"Accepted": 2, "Replayed": 1, "Unconfirmed": 1, "NotFound": 1, "Rejected": 1, "Simulated": 1, "Retried": 3,
	} {
		want["f sqs "+name] = n
		if name != "Accepted" {
			want["f "+name] = n
		}
	}
	if diff := cmp.Diff(want, written(t, out.String())); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}

	out.Reset() // nothing is written twice, and a process starts once
	if err := r.Flush(); err != nil || out.Len() != 0 {
		t.Errorf("error %v, then %s", err, out.String())
	}
}

// A tick is counted even if nothing was due, so that an alarm can tell when ticks stop. What did not happen is not written.
func TestAgenda(t *testing.T) {
	for name, tc := range map[string]struct {
		record func(*Recorder)
		want   map[string]any
	}{
		"nothing due": {func(r *Recorder) { r.Agenda(nil, 0) }, map[string]any{"f Ticks": 1.0}},
		"everything": {
			func(r *Recorder) {
				r.Agenda(map[deletion.Status]int{deletion.Completed: 3, deletion.Failed: 1, deletion.Closed: 2, deletion.Abandoned: 1, deletion.Accepted: 4, deletion.NotFound: 0}, 5)
				r.Agenda(map[deletion.Status]int{deletion.Completed: 1}, 1)
			},
			map[string]any{"f Ticks": 2.0, "f Completed": 4.0, "f Failed": 1.0, "f Closed": 2.0, "f Abandoned": 1.0, "f Accepted": 4.0, "f FollowOverdue": 6.0},
		},
		"abandoned by a queue": {
			func(r *Recorder) { r.Outcomes("sqs", []deletion.Outcome{{Status: deletion.Abandoned}}) },
			map[string]any{"f Abandoned": 1.0, "f sqs Abandoned": 1.0},
		},
		"parked": {
			func(r *Recorder) { r.Parked("sns", 2); r.Parked("sns", 1); r.Parked("sqs", 0) },
			map[string]any{"f Parked": 3.0, "f sns Parked": 3.0},
		},
	} {
		var out bytes.Buffer
		r := recorder(&out)
		tc.record(r)
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, written(t, out.String())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A member of a line holds a hundred values. The others go on further lines.
func TestManyCalls(t *testing.T) {
	var out bytes.Buffer
	r := recorder(&out)
	for range 250 {
		r.Call(time.Millisecond, "")
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	got := written(t, out.String())
	if got["f DDSLatency"] != 250.0 || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("metrics %v in %d lines", slices.Collect(maps.Keys(got)), strings.Count(out.String(), "\n"))
	}
}

// Every status has a metric, so that no outcome is uncounted.
func TestEveryStatusIsCounted(t *testing.T) {
	for _, status := range []deletion.Status{
		deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated, deletion.Retry,
		deletion.Abandoned, deletion.Completed, deletion.Failed, deletion.Closed,
	} {
		if names[status] == "" {
			t.Errorf("%s has no metric", status)
		}
	}
}

func TestNoRecorder(t *testing.T) {
	var r *Recorder
	r.Call(time.Second, "")
	r.ColdStart()
	r.Agenda(nil, 1)
	r.Parked("sns", 1)
	r.Outcomes("sqs", []deletion.Outcome{{}})
	if err := r.Flush(); err != nil {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestABrokenWriter(t *testing.T) {
	r := New(broken{}, "f")
	r.ColdStart()
	if err := r.Flush(); err == nil {
		t.Error("no error")
	}
}
