package httpapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/contracttest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
)

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// worker works calls; it gives each request the same outcome and keeps what it was asked.
type worker struct {
	outcome deletion.Outcome
	asked   []deletion.Request
}

func (w *worker) work(_ context.Context, read func() *httpapi.Call) (*httpapi.Response, error) {
	call := read()
	w.asked = call.Requests
	outcomes := make([]deletion.Outcome, len(call.Requests))
	for i, r := range call.Requests {
		outcomes[i] = w.outcome
		outcomes[i].Request = r
		if r.Err != nil {
			outcomes[i].Status, outcomes[i].Err = deletion.Rejected, r.Err
		}
	}
	return call.Answer(outcomes), nil
}

// call sends one request through a server of h.
func call(t *testing.T, h *httpapi.Handler, method, path, body string) (status int, header http.Header, answer string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Traceparent", trace)
	r.Header.Set("Content-Type", "application/json")
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

func TestHTTPCarriesBothWays(t *testing.T) {
	w := worker{outcome: deletion.Outcome{Status: deletion.Retry, Err: &deletion.Error{Class: deletion.ClassConflict, RetryAfter: 7 * time.Second}}}
	status, header, body := call(t, &httpapi.Handler{Work: w.work}, http.MethodDelete, "/backups/a%2Fb", "")
	if len(w.asked) != 1 || w.asked[0].BackupID != "a/b" || w.asked[0].TraceParent != trace || w.asked[0].ID == "" || w.asked[0].Err != nil {
		t.Errorf("requests %+v", w.asked)
	}
	if status != http.StatusConflict || header.Get("Retry-After") != "7" || !strings.Contains(body, `"request_id":"`+w.asked[0].ID+`"`) {
		t.Errorf("status %d, header %v, body %q", status, header, body)
	}
	// No byte of a body is lost or changed.
	status, _, body = call(t, &httpapi.Handler{Work: w.work}, http.MethodPost, "/deletions", "{\"x\":\"\xff\"}")
	if status != http.StatusBadRequest || !strings.Contains(body, "the body is 9 bytes that are not UTF-8") {
		t.Errorf("status %d, body %q", status, body)
	}
}

func TestHTTPFailures(t *testing.T) {
	fail := func(context.Context, func() *httpapi.Call) (*httpapi.Response, error) {
		return nil, errors.New("secret detail")
	}
	status, header, body := call(t, &httpapi.Handler{Work: fail}, http.MethodPost, "/deletions", "")
	contracttest.Response(t, http.MethodPost, "/deletions", status, header.Get("Content-Type"), map[string]string{"Retry-After": header.Get("Retry-After")}, []byte(body))
	if status != http.StatusInternalServerError || strings.Contains(body, "secret") {
		t.Errorf("status %d, body %q", status, body)
	}
}

// A body of any size costs no more memory than it takes to refuse it.
func TestHTTPBodyIsBounded(t *testing.T) {
	var w worker
	status, header, _ := call(t, &httpapi.Handler{Work: w.work}, http.MethodPost, "/deletions", strings.Repeat(" ", httpapi.MaxBody+100))
	if status != http.StatusRequestEntityTooLarge || header.Get("Content-Type") != "application/problem+json" || len(w.asked) != 0 {
		t.Errorf("status %d, header %v, requests %+v", status, header, w.asked)
	}
}

// A body that ends too early asks for nothing.
func TestBodyThatBreaksOff(t *testing.T) {
	var w worker
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/deletions", io.MultiReader(strings.NewReader(`{"backup_id":"a"}`), broken{}))
	r.Header.Set("Content-Type", "application/json")
	got := httptest.NewRecorder()
	(&httpapi.Handler{Work: w.work}).ServeHTTP(got, r)
	if got.Code != http.StatusBadRequest || len(w.asked) != 0 || !strings.Contains(got.Body.String(), "cannot be read to its end") {
		t.Errorf("status %d, body %s, requests %+v", got.Code, got.Body, w.asked)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A client that hangs up does not cancel what DDS has been asked for, and no header names the request.
func TestWhatAClientCannotDo(t *testing.T) {
	var w worker
	w.outcome.Status = deletion.Accepted
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := httptest.NewRequestWithContext(ctx, http.MethodDelete, "/backups/a", http.NoBody)
	r.Header.Set("X-Request-Id", "mine")
	r.Header.Set("Request-Id", "mine")
	got := httptest.NewRecorder()
	h := httpapi.Handler{Work: func(ctx context.Context, read func() *httpapi.Call) (*httpapi.Response, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return w.work(ctx, read)
	}}
	h.ServeHTTP(got, r)
	if got.Code != http.StatusAccepted || w.asked[0].ID == "mine" || w.asked[0].ID == "" {
		t.Errorf("status %d, requests %+v", got.Code, w.asked)
	}
}

// Health checks and queries are answered as they are behind an API.
func TestHTTPQueriesAndHealth(t *testing.T) {
	w := worker{outcome: deletion.Outcome{Status: deletion.Simulated}}
	h := &httpapi.Handler{BasePath: "/dds", Work: w.work}
	for _, tc := range []struct {
		method, path string
		status       int
		body         string
	}{
		{http.MethodGet, "/healthz", 200, `{"status":"ok"}`},
		{http.MethodHead, "/dds/healthz?x=y", 200, ""},
		{http.MethodDelete, "/dds/backups/a?dry_run=true&X-Amz-Date=1", 200, `{"request_id"`},
		{http.MethodDelete, "/backups/%61", 200, `{"request_id"`},
		{http.MethodDelete, "/backups/a?dry_run=%zz", 400, `{"title":"Bad Request","status":400,"detail":"the query: \"dry_run\" is not URL-encoded"`},
		{http.MethodGet, "/healthz?%zz", 400, `{"title":"Bad Request","status":400,"detail":"the query: \"%zz\" is not URL-encoded"`},
		{http.MethodDelete, "//backups/a", 404, `{"title":"Not Found"`},
		{http.MethodDelete, "/x/../backups/a", 404, `{"title":"Not Found"`},
	} {
		status, _, body := call(t, h, tc.method, tc.path, "")
		dryRun := len(w.asked) == 1 && w.asked[0].DryRun
		if status != tc.status || !strings.HasPrefix(body, tc.body) || dryRun != strings.Contains(tc.path, "dry_run=true") {
			t.Errorf("%s %s: status %d, body %s, dry run %t", tc.method, tc.path, status, body, dryRun)
		}
	}
}

// A contradiction between the query and any part of the body refuses the whole call, also if that part
// is no request.
func TestAContradictionIsRefusedAsAWhole(t *testing.T) {
	const valid = `{"backup_id":"a"}`
	for _, part := range []string{`{"x":1,"dry_run":false}`, `{"backup_id":"b","dry_run":"true"}`, `{"backup_id":"b","dry_run":false}`} {
		w := worker{outcome: deletion.Outcome{Status: deletion.Accepted}}
		status, _, body := call(t, &httpapi.Handler{Work: w.work}, http.MethodPost, "/deletions?dry_run=false", "["+valid+","+part+"]")
		if status != http.StatusBadRequest || !strings.Contains(body, "dry_run: both in the query and in the body") || len(w.asked) != 1 {
			t.Errorf("%s: status %d, body %s, requests %+v", part, status, body, w.asked)
		}
	}
}

// A byte order mark is not part of the body that is measured.
func TestTheLargestBody(t *testing.T) {
	for padding, want := range map[int]int{0: http.StatusAccepted, 1: http.StatusRequestEntityTooLarge} {
		w := worker{outcome: deletion.Outcome{Status: deletion.Accepted, JobID: "job"}}
		const request = `{"backup_id":"a"}`
		body := "\ufeff" + request + strings.Repeat(" ", httpapi.MaxBody-len(request)+padding)
		if status, _, text := call(t, &httpapi.Handler{Work: w.work}, http.MethodPost, "/deletions", body); status != want {
			t.Errorf("%d bytes: status %d, want %d: %s", len(body), status, want, text)
		}
	}
}
