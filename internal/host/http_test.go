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
	status, header, body := call(t, func(_ context.Context, id string, payload []byte) ([]byte, error) {
		if err := json.Unmarshal(payload, &got); err != nil {
			return nil, err
		}
		if id == "" || got.RequestContext.RequestID != id {
			t.Errorf("invocation %q, request %q", id, got.RequestContext.RequestID)
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
	fail := func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("secret detail") }
	garbage := func(context.Context, string, []byte) ([]byte, error) { return []byte("<"), nil }
	for name, tc := range map[string]struct {
		handler host.Handler
		body    string
		status  int
	}{
		"the handler fails": {fail, "", 500},
		"no reply":          {garbage, "", 500},
		"too large":         {fail, strings.Repeat("x", 6<<20+1), 413},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, body := call(t, tc.handler, http.MethodPost, "/deletions", tc.body)
			if status != tc.status || strings.Contains(body, "secret") {
				t.Errorf("status %d, body %q, want %d", status, body, tc.status)
			}
		})
	}
}
