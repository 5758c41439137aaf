package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/contracttest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/host"
)

// call sends one request through the host to h.
func call(t *testing.T, h host.Handler, method, path, body string) (status int, header http.Header, answer string) {
	t.Helper()
	server := httptest.NewServer(host.HTTP(h))
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Traceparent", "00-trace")
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
	var got events.APIGatewayV2HTTPRequest
	status, header, body := call(t, func(_ context.Context, in event.Invocation, payload []byte) ([]byte, error) {
		if err := json.Unmarshal(payload, &got); err != nil {
			return nil, err
		}
		if in.ID == "" || got.RequestContext.RequestID != in.ID {
			t.Errorf("invocation %q, request %q", in.ID, got.RequestContext.RequestID)
		}
		return []byte(`{"statusCode":409,"headers":{"Retry-After":"7"},"body":"{}"}`), nil
	}, http.MethodDelete, "/backups/a%2Fb", "{\"x\":\"\xff\"}")

	if got.Version != "2.0" || got.RawPath != "/backups/a%2Fb" || got.RequestContext.HTTP.Method != http.MethodDelete ||
		got.Headers["traceparent"] != "00-trace" || !got.IsBase64Encoded || got.Body != "eyJ4Ijoi/yJ9" {
		t.Errorf("payload %+v", got)
	}
	if status != http.StatusConflict || header.Get("Retry-After") != "7" || body != "{}" {
		t.Errorf("status %d, header %v, body %q", status, header, body)
	}
}

func TestHTTPFailures(t *testing.T) {
	fail := func(context.Context, event.Invocation, []byte) ([]byte, error) {
		return nil, errors.New("secret detail")
	}
	garbage := func(context.Context, event.Invocation, []byte) ([]byte, error) { return []byte("<"), nil }
	for name, handler := range map[string]host.Handler{"the handler fails": fail, "no reply": garbage} {
		t.Run(name, func(t *testing.T) {
			status, header, body := call(t, handler, http.MethodPost, "/deletions", "")
			contracttest.Response(t, http.MethodPost, "/deletions", status, header.Get("Content-Type"), map[string]string{"Retry-After": header.Get("Retry-After")}, []byte(body))
			if status != http.StatusInternalServerError || strings.Contains(body, "secret") {
				t.Errorf("status %d, body %q", status, body)
			}
		})
	}
}

// A body of any size costs no more memory than the handler needs to refuse it.
func TestHTTPBodyIsBounded(t *testing.T) {
	status, header, _ := call(t, func(_ context.Context, in event.Invocation, payload []byte) ([]byte, error) {
		batch, err := new(event.Decoder).Decode(payload, in)
		if err != nil {
			return nil, err
		}
		return batch.Reply(nil)
	}, http.MethodPost, "/deletions", strings.Repeat(" ", event.MaxHTTPBody+100))
	if status != http.StatusRequestEntityTooLarge || header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, header %v", status, header)
	}
}

// Health checks and queries reach the decoder as they do behind an API.
func TestHTTPQueriesAndHealth(t *testing.T) {
	dryRun := false
	handle := func(_ context.Context, in event.Invocation, payload []byte) ([]byte, error) {
		batch, err := (&event.Decoder{BasePath: "/dds"}).Decode(payload, in)
		if err != nil {
			return nil, err
		}
		outcomes := make([]deletion.Outcome, len(batch.Requests))
		for i, r := range batch.Requests {
			dryRun = r.DryRun
			outcomes[i] = deletion.Outcome{Request: r, Status: deletion.Simulated}
		}
		return batch.Reply(outcomes)
	}
	for _, tc := range []struct {
		method, path string
		status       int
		body         string
	}{
		{http.MethodGet, "/healthz", 200, `{"status":"ok"}`},
		{http.MethodHead, "/dds/healthz?x=y", 200, ""},
		{http.MethodDelete, "/dds/backups/a?dry_run=true&X-Amz-Date=1", 200, `{"request_id"`},
		{http.MethodDelete, "/backups/%61", 200, `{"request_id"`},
	} {
		dryRun = false
		status, _, body := call(t, handle, tc.method, tc.path, "")
		if status != tc.status || !strings.HasPrefix(body, tc.body) || dryRun != strings.Contains(tc.path, "dry_run") {
			t.Errorf("%s %s: status %d, body %s, dry run %t", tc.method, tc.path, status, body, dryRun)
		}
	}
}
