package dds

import (
	"net/http"
	"time"

	"dds-backup-delete/internal/deletion"
)

// handler is one link of the chain that a call passes.
type handler func(*call) (*response, error)

// call is a request on its way through the chain.
type call struct {
	*http.Request
	credentials Credentials
	maybeSent   bool // a try may have done its work although no answer confirmed it
	last        facts
}

// facts are what the handlers of the chain need to know about the last try.
type facts struct {
	stale bool      // a kept-alive connection turned out to be dead
	date  time.Time // of the answer, by the server's clock; zero if there was none
	limit rateLimit // that a throttled answer reported; zero if there was none
}

// response is a complete answer.
type response struct {
	status int
	header http.Header
	body   []byte
}

// rateLimit is a limit that a throttled answer reported: calls in a window of time.
type rateLimit struct {
	calls  int // 0 if the answer reported no limit
	window time.Duration
}

// unavailable returns an error without a verdict. The text of its cause is made [printable],
// because a proxy or the source of the credentials may repeat what was sent to it.
func unavailable(message string, cause error) *deletion.Error {
	return &deletion.Error{Class: deletion.ClassUnavailable, Message: message + ": " + printable(cause.Error())}
}
