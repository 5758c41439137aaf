package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/contracttest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
)

// A call for the state of a backup names it as a DELETE does, and gets what Work found out.
func TestStatus(t *testing.T) {
	at := time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)
	whole := &deletion.State{
		ProjectID: "p", BackupID: "a", Region: "cn-north-4", State: deletion.PhaseWaiting, Attempt: 2, JobID: "j", Since: at, NextAt: at.Add(time.Minute), Waiting: 1,
		Class: deletion.ClassConflict, Code: "DBS.201319", End: &deletion.StateEnd{Status: deletion.Failed, Attempt: 1, At: at},
	}
	for name, tc := range map[string]struct {
		path   string
		want   deletion.Target // zero if the ledger must not be asked
		state  *deletion.State
		err    *deletion.Error
		status int
		body   string
	}{
		"known": {
			"/backups/a", deletion.Target{BackupID: "a"}, whole, nil, 200,
			`{"project_id":"p","backup_id":"a","region":"cn-north-4","state":"waiting","attempt":2,"job_id":"j","since":"2026-11-23T21:00:00Z","next_at":"2026-11-23T21:01:00Z",` +
				`"waiting":1,"class":"conflict","code":"DBS.201319","end":{"status":"failed","attempt":1,"at":"2026-11-23T21:00:00Z"}}`,
		},
		"little known":   {"/v3/p/backups/a/", deletion.Target{ProjectID: "p", BackupID: "a"}, &deletion.State{ProjectID: "p", BackupID: "a", State: deletion.PhaseRefused}, nil, 200, `{"project_id":"p","backup_id":"a","state":"refused"}`},
		"a query":        {"/backups/a?project_id=p&region=r", deletion.Target{Region: "r", ProjectID: "p", BackupID: "a"}, nil, nil, 404, "the ledger knows nothing of this backup"},
		"not in scope":   {"/backups/a?project_id=p", deletion.Target{ProjectID: "p", BackupID: "a"}, nil, &deletion.Error{Class: deletion.ClassInvalid, Message: "project_id: not ours"}, 400, "project_id: not ours"},
		"no ledger":      {"/backups/a", deletion.Target{BackupID: "a"}, nil, &deletion.Error{Class: deletion.ClassUnavailable, Message: "down", RetryAfter: time.Second}, 503, `"detail":"down"`},
		"an odd query":   {"/backups/a?dry_run=true", deletion.Target{}, nil, nil, 400, `the query: \"dry_run\" is unknown; expected project_id or region`},
		"a second value": {"/v3/p/backups/a?project_id=p", deletion.Target{}, nil, nil, 400, "project_id: both in the query and in the path"},
		"no project":     {"/v3//backups/a", deletion.Target{}, nil, nil, 400, "project_id: empty in the path"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked *httpapi.Status
			h := &httpapi.Handler{Work: func(_ context.Context, read func() *httpapi.Call) (*httpapi.Response, error) {
				c := read()
				if asked = c.Status; asked != nil {
					asked.State, asked.Err = tc.state, tc.err
				}
				if len(c.Requests) != 0 {
					t.Errorf("requests %+v", c.Requests)
				}
				return c.Answer(nil), nil
			}}
			path, _, _ := strings.Cut(tc.path, "?")
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				status, header, body := call(t, h, method, tc.path, "")
				if status != tc.status || method == http.MethodGet && !strings.Contains(body, tc.body) || method == http.MethodHead && body != "" {
					t.Errorf("%s: status %d, body %s", method, status, body)
				}
				var got deletion.Target
				if asked != nil {
					got = asked.Backup
				}
				if got != tc.want {
					t.Errorf("%s: asked for %+v, want %+v", method, got, tc.want)
				}
				if name != "no project" { // which no path of the contract is
					contracttest.Response(t, method, path, status, header.Get("Content-Type"), map[string]string{"Retry-After": header.Get("Retry-After")}, []byte(body))
				}
			}
		})
	}
}

// The reply to a DELETE is the contract's, with a Location that leads to the state, also of a replay.
func TestLocationLeadsToTheState(t *testing.T) {
	for _, replayed := range []bool{false, true} {
		w := worker{outcome: deletion.Outcome{Status: deletion.Accepted, JobID: "j", Replayed: replayed}}
		status, header, body := call(t, &httpapi.Handler{BasePath: "/dds", Work: w.work}, http.MethodDelete, "/dds/v3/p/backups/a?region=r", "")
		contracttest.Response(t, http.MethodDelete, "/v3/p/backups/a", status, header.Get("Content-Type"), map[string]string{"Location": header.Get("Location")}, []byte(body))
		if got := header.Get("Location"); got != "/dds/backups/a?project_id=p&region=r" || strings.Contains(body, `"replayed":true`) != replayed {
			t.Errorf("Location %q, body %s", got, body)
		}
		var named deletion.Target
		h := &httpapi.Handler{BasePath: "/dds", Work: func(_ context.Context, read func() *httpapi.Call) (*httpapi.Response, error) {
			c := read()
			named = c.Status.Backup
			return c.Answer(nil), nil
		}}
		if call(t, h, http.MethodGet, header.Get("Location"), ""); named != (deletion.Target{Region: "r", ProjectID: "p", BackupID: "a"}) {
			t.Errorf("it leads to %+v", named)
		}
	}
	// A replayed refusal says so, too.
	w := worker{outcome: deletion.Outcome{Status: deletion.NotFound, Replayed: true, Err: &deletion.Error{Class: deletion.ClassNotFound, Message: "gone"}}}
	status, header, body := call(t, &httpapi.Handler{Work: w.work}, http.MethodDelete, "/backups/a", "")
	contracttest.Response(t, http.MethodDelete, "/backups/a", status, header.Get("Content-Type"), nil, []byte(body))
	if !strings.Contains(body, `"replayed":true`) || header.Get("Location") != "" {
		t.Errorf("header %v, body %s", header, body)
	}
}

// Events about ends and abandoned requests that come back are not taken for requests.
func TestOwnEventsOverHTTP(t *testing.T) {
	for _, status := range []deletion.Status{deletion.Abandoned, deletion.Completed, deletion.Failed} {
		var w worker
		body := `{"specversion":"1.0","id":"i","source":"s","type":"` + deletion.EventType(status) + `","data":{"request_id":"r","project_id":"p","backup_id":"a","status":"` + string(status) + `"}}`
		if code, _, text := call(t, &httpapi.Handler{Work: w.work}, http.MethodPost, "/deletions", body); code != http.StatusBadRequest || len(w.asked) != 0 {
			t.Errorf("%s: status %d, requests %+v: %s", status, code, w.asked, text)
		}
	}
}
