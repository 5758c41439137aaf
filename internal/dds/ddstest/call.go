package ddstest

import (
	"slices"
	"sync"
)

// Call is a request that was answered, or dropped.
type Call struct {
	Method, Path string // as on the wire; without the query
	BackupID     string // of the path or of the query, if any
	Status       int    // 0 if the connection was dropped
	Code         string // of the error in the answer
	JobID        string // of the job that was started, even if the answer did not name it
	RequestID    string // as in X-Request-Id
	AccessKey    string // of the signature; empty without one
	Fault        string // the [Fault] that was injected, if any
}

// calls is a log.
type calls struct {
	mu  sync.Mutex
	all []Call
}

func (c *calls) logCall(call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, call)
}

// Calls returns every call so far, in the order of the answers.
func (c *calls) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}
