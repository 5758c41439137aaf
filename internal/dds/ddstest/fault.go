package ddstest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is something that goes wrong with a request. Its parts come in the order of the fields
// below: a delay, then a drop or an answer; without either of these, the normal answer.
//
// After DropBefore or DropAfter, Go's own [http.Transport] repeats a GET on a connection that
// it used before, but never a DELETE.
type Fault struct {
	Method   string // only requests of this method; any, if empty
	BackupID string // only requests for this backup, in path or query; any, if empty
	Times    int    // how many requests it meets; 0 is once, less than 0 for ever

	// Delay is a wait before any work. If the client goes away or the server is closed
	// meanwhile, the work is not done.
	Delay time.Duration

	DropBefore bool // the connection is closed, without any work done
	DropAfter  bool // the work is done, and then the connection is closed

	// AfterWork has the work done before the answer below replaces its own; a refusal of the
	// work is still answered as it is.
	AfterWork bool

	Status      int // of the answer; 0 leaves the normal one
	Header      http.Header
	ContentType string // JSON by default
	Body        string

	code, message string // of the error that is the body, if Body is empty
}

// Slow holds a request up before any work; see [Fault].
func Slow(d time.Duration) Fault { return Fault{Delay: d} }

// DropBefore closes the connection before any work.
func DropBefore() Fault { return Fault{DropBefore: true} }

// DropAfter does the work, as deleting the backup, and closes the connection unanswered.
func DropAfter() Fault { return Fault{DropAfter: true} }

// Throttle answers 429 as the gateway does, with a limit of 200 calls in five minutes.
func Throttle() Fault {
	return Answer(http.StatusTooManyRequests, "APIGW.0308", throttleText(200, 5*time.Minute))
}

// Answer answers with an error in the form of DDS or, for the codes APIGW.* and APIG.*, in
// that of the gateway.
func Answer(status int, code, message string) Fault {
	return Fault{Status: status, code: code, message: message}
}

// RawAnswer answers with just this, such as the page of a proxy.
func RawAnswer(status int, contentType, body string) Fault {
	return Fault{Status: status, ContentType: contentType, Body: body}
}

// AnswerAfter does the work and then answers with just this.
func AnswerAfter(status int, contentType, body string) Fault {
	f := RawAnswer(status, contentType, body)
	f.AfterWork = true
	return f
}

// NoJobID deletes the backup and answers 200, but tells no job.
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
	f.Header = f.Header.Clone()
	if f.Header == nil {
		f.Header = make(http.Header)
	}
	f.Header.Set("Retry-After", value)
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

// Inject adds faults to the end of the queue. Each request suffers the first of those that
// match it, and uses it up by one. A request that the gateway refuses (no such API, not
// authentic, too many calls) uses none.
func (s *Server) Inject(faults ...Fault) { s.faults.add(faults) }

// Heal takes all faults back.
func (s *Server) Heal() { s.faults.clear() }

// faults is a queue.
type faults struct {
	mu    sync.Mutex
	queue []Fault
}

func (q *faults) add(faults []Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		f.Header = f.Header.Clone()
		q.queue = append(q.queue, f)
	}
}

func (q *faults) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = nil
}

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

// suffer answers a request as the fault has it.
func (s *Server) suffer(ctx context.Context, f Fault, r *request, work func(*request) *answer) *answer {
	dropped := &answer{fault: f.String()}
	if !s.wait(ctx, f.Delay) || f.DropBefore {
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

// wait waits for d, and tells whether there is still a client and a server then.
func (s *Server) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-s.closing:
		return false
	}
}
