package ddstest

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds, in bytes, the body of a request. The real gateway takes 12 MB.
const maxBody = 1 << 20

// request is a request whose parts were read.
type request struct {
	*http.Request

	id       string // sent in X-Request-Id
	segments []string
	query    url.Values
	body     []byte

	iam, smn bool   // meant for IAM, for SMN
	backupID string // of the path, or else of the query

	accessKey string // of the signature; empty without one
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

// matches reports whether a filter of the query accepts a value. An absent filter does.
func (r *request) matches(filter, value string) bool {
	return r.query.Get(filter) == "" || r.query.Get(filter) == value
}

// only refuses parameters that are not simulated, which is better than to ignore them.
func (r *request) only(names ...string) *answer {
	for name := range r.query {
		if !slices.Contains(names, name) {
			return invalid(name + " is not simulated")
		}
	}
	return nil
}

// span reads two times of the query. Which code goes with which of them is inferred.
func (r *request) span(begin, end, layout string) (from, to time.Time, refusal *answer) {
	from, err := time.Parse(layout, r.query.Get(begin))
	if err != nil {
		return from, to, refuse(http.StatusBadRequest, "DBS.280067", "Invalid start time.")
	}
	to, err = time.Parse(layout, r.query.Get(end))
	if err != nil || to.Before(from) {
		return from, to, refuse(http.StatusBadRequest, "DBS.280068", "Invalid end time.")
	}
	return from, to, nil
}

// number reads a parameter that is a number; absent is its default.
func (r *request) number(name string, absent int) (n int, ok bool) {
	if !r.query.Has(name) {
		return absent, true
	}
	n, err := strconv.Atoi(r.query.Get(name))
	return n, err == nil
}

// page answers with a list, cut by offset (0) and limit (1 to 100, 100), and its whole length.
func page[T any](r *request, name string, list []T) *answer {
	limit, ok := r.number("limit", 100)
	if !ok || limit < 1 || limit > 100 {
		return refuse(http.StatusBadRequest, "DBS.280439", "Invalid query limit.")
	}
	offset, ok := r.number("offset", 0)
	if !ok || offset < 0 {
		return refuse(http.StatusBadRequest, "DBS.280440", "Invalid offset.")
	}
	from := min(offset, len(list))
	cut := append([]T{}, list[from:min(from+limit, len(list))]...) // not nil, which would be null in JSON
	return succeed(map[string]any{name: cut, "total_count": len(list)})
}

func invalid(problem string) *answer {
	return refuse(http.StatusBadRequest, "DBS.280001", "Parameter error: "+problem+".")
}

// newRequestID makes 32 hex digits.
func newRequestID() string { return strings.ReplaceAll(newUUID(), "-", "") }

// newUUID makes a UUID of version 4.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
