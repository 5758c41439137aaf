package ddstest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Fault is something that goes wrong with a request. Its parts come in the order of the fields
// below: a delay, then a drop or an answer; without either, the normal answer.
//
// After DropBefore or DropAfter, Go's own [http.Transport] repeats a GET on a connection that
// it used before, but never a DELETE.
type Fault struct {
	Method   string // only requests of this method; any, if empty
	BackupID string // only requests for this backup, in path or query; any, if empty
	Times    int    // how many requests get it; 0 is once, less than 0 for ever

	// Delay is a wait before any work. If the client goes away or the server is closed
	// meanwhile, the work is not done.
	Delay time.Duration

	DropBefore bool // the connection is closed, without any work done
	DropAfter  bool // the work is done, and then the connection is closed

	// AfterWork does the work before the answer below replaces its own. If the work refuses the
	// request, that refusal is the answer.
	AfterWork bool

	Status      int // of the answer; 0 leaves the normal one
	Header      http.Header
	ContentType string // JSON by default
	Body        string

	code, message string // of the error that is the body, if Body is empty
}

// Slow delays a request before any work; see [Fault].
func Slow(d time.Duration) Fault { return Fault{Delay: d} }

// DropBefore closes the connection before any work.
func DropBefore() Fault { return Fault{DropBefore: true} }

// DropAfter does the work, for example deletes the backup, and closes the connection without an answer.
func DropAfter() Fault { return Fault{DropAfter: true} }

// Throttle answers 429 as the gateway does, with a limit of 200 calls in five minutes.
func Throttle() Fault {
	return Answer(http.StatusTooManyRequests, "APIGW.0308", throttleText(200, 5*time.Minute))
}

// Answer answers with an error in the form of DDS or, for the codes APIGW.*, APIG.* and SMN.*, in that of
// the gateway or of SMN.
func Answer(status int, code, message string) Fault {
	return Fault{Status: status, code: code, message: message}
}

// RawAnswer answers with just this, for example the page of a proxy.
func RawAnswer(status int, contentType, body string) Fault {
	return Fault{Status: status, ContentType: contentType, Body: body}
}

// AnswerAfter does the work and then answers with just this.
func AnswerAfter(status int, contentType, body string) Fault {
	return Fault{AfterWork: true, Status: status, ContentType: contentType, Body: body}
}

// NoJobID deletes the backup and answers 200, but names no job.
func NoJobID() Fault {
	return AnswerAfter(http.StatusOK, jsonType, "{}").On(http.MethodDelete)
}

// For returns the fault for requests for one backup only.
func (f Fault) For(backupID string) Fault {
	f.BackupID = backupID
	return f
}

// On returns the fault for requests of one method only.
func (f Fault) On(method string) Fault {
	f.Method = method
	return f
}

// Repeat returns the fault for the next n requests that it matches, or for all of them if n is
// less than 0.
func (f Fault) Repeat(n int) Fault {
	f.Times = n
	return f
}

// RetryAfter returns the fault with a Retry-After header, seconds or a date, in its answer.
func (f Fault) RetryAfter(value string) Fault {
	h := make(http.Header)
	maps.Copy(h, f.Header)
	h.Set("Retry-After", value)
	f.Header = h
	return f
}

// String describes the fault in a few words.
func (f Fault) String() string {
	var parts []string
	if f.Delay > 0 {
		parts = append(parts, "slow "+f.Delay.String())
	}
	switch {
	case f.DropBefore:
		parts = append(parts, "drop before")
	case f.DropAfter:
		parts = append(parts, "drop after")
	case f.Status != 0 && f.AfterWork:
		parts = append(parts, fmt.Sprintf("answer %d after work", f.Status))
	case f.Status != 0:
		parts = append(parts, fmt.Sprintf("answer %d", f.Status))
	}
	return strings.Join(parts, ", ")
}

// faults is a queue.
type faults struct {
	closing chan struct{} // closed when the server is
	delayed atomic.Int64  // requests that wait now

	mu    sync.Mutex
	queue []Fault
}

// Inject adds faults to the end of the queue. A request gets the first of those that match it, and
// uses it up by one. A request that the gateway refuses (no such API, not authentic, too many
// calls) uses none.
func (q *faults) Inject(faults ...Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range faults {
		f.Times = cmp.Or(f.Times, 1)
		f.Header = f.Header.Clone()
		q.queue = append(q.queue, f)
	}
}

// Heal removes all faults.
func (q *faults) Heal() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = nil
}

// Delayed returns how many requests wait now because of a fault.
func (q *faults) Delayed() int { return int(q.delayed.Load()) }

// take uses the first fault that matches.
func (q *faults) take(method, backupID string) (Fault, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.queue, func(f Fault) bool {
		return (f.Method == "" || f.Method == method) && (f.BackupID == "" || f.BackupID == backupID)
	})
	if i < 0 {
		return Fault{}, false
	}
	f := q.queue[i]
	switch {
	case f.Times == 1:
		q.queue = slices.Delete(q.queue, i, i+1)
	case f.Times > 1:
		q.queue[i].Times--
	}
	return f, true
}

// apply answers a request with a fault, if one matches, and otherwise does the work.
func (q *faults) apply(r *request, work func(*request) *answer) *answer {
	f, ok := q.take(r.Method, r.backupID)
	if !ok {
		return work(r)
	}
	dropped := &answer{fault: f.String()}
	if !q.wait(r.Context(), f.Delay) || f.DropBefore {
		return dropped
	}
	if f.Status != 0 && !f.DropAfter && !f.AfterWork {
		return f.answer("")
	}
	done := work(r)
	switch {
	case f.DropAfter:
		dropped.jobID = done.jobID
		return dropped
	case f.Status != 0 && done.code == "":
		return f.answer(done.jobID)
	default:
		done.fault = f.String()
		return done
	}
}

// answer is the answer that the fault gives.
func (f Fault) answer(jobID string) *answer {
	a := &answer{
		status: f.Status, header: f.Header, contentType: f.ContentType,
		code: f.code, message: f.message, jobID: jobID, fault: f.String(),
	}
	if f.Body != "" {
		a.body = []byte(f.Body)
	}
	return a
}

// wait waits for d, and reports whether the client and the server are still there.
func (q *faults) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	q.delayed.Add(1)
	defer q.delayed.Add(-1)
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	case <-q.closing:
		return false
	}
}
