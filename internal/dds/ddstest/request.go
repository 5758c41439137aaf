package ddstest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxBody bounds, in bytes, the body of a request. The real gateway takes 12 MB.
const maxBody = 1 << 20

// request is a request, read.
type request struct {
	*http.Request

	id       string // told in X-Request-Id
	segments []string
	query    url.Values
	body     []byte

	iam      bool   // meant for IAM
	backupID string // of the path, or else of the query
}

// read reads all of the request, and so lets net/http see when the client goes away.
func (r *request) read() *answer {
	malformed := func(err error) *answer {
		return refuse(http.StatusBadRequest, "APIGW.0201", "Bad request: "+err.Error())
	}
	var err error
	if r.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1)); err != nil {
		return malformed(err)
	}
	if len(r.body) > maxBody {
		return refuse(http.StatusRequestEntityTooLarge, "APIGW.0201", "Request entity too large")
	}
	if r.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return malformed(err)
	}
	// Split before decoding: an encoded slash belongs to its segment.
	for segment := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/") {
		if segment, err = url.PathUnescape(segment); err != nil {
			return malformed(err)
		}
		r.segments = append(r.segments, segment)
	}
	r.backupID = r.query.Get("backup_id")
	return nil
}

// route returns what does the work of a request, or nil where there is no such API. A wrong
// method is no API either: the gateway tells them apart no more than this.
func (s *Server) route(r *request) func(*request) *answer {
	is := func(method string, pattern ...string) bool {
		return r.Method == method && slices.EqualFunc(r.segments, pattern, func(segment, want string) bool {
			return segment == want || want == "*" && segment != ""
		})
	}
	switch {
	case is(http.MethodGet, "v3", "projects"):
		r.iam = true
		return s.listProjects
	case is(http.MethodDelete, "v3", "*", "backups", "*"):
		r.backupID = r.segments[3]
		return s.ofProject(s.deleteBackup)
	case is(http.MethodGet, "v3", "*", "backups"):
		return s.ofProject(s.listBackups)
	case is(http.MethodGet, "v3", "*", "jobs"):
		return s.ofProject(s.showJob)
	case is(http.MethodGet, "v3.1", "*", "jobs"):
		return s.ofProject(s.listJobs)
	default:
		return nil
	}
}

// ofProject lets only requests for the server's own project pass. No page says what another's
// gets; DBS.200010, "the tenant does not match", is the nearest in the table.
func (s *Server) ofProject(work func(*request) *answer) func(*request) *answer {
	return func(r *request) *answer {
		if r.segments[1] != s.project {
			return refuse(http.StatusBadRequest, "DBS.200010", "The tenant does not match the project or instance.")
		}
		return work(r)
	}
}

// newRequestID makes 32 hex digits.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// newJobID makes a UUID of version 4.
func newJobID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
