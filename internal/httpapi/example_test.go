package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
)

// A server serves the handler directly. Work gets each call and answers it with the outcomes of its requests.
func ExampleHandler() {
	h := &httpapi.Handler{Work: func(_ context.Context, read func() *httpapi.Call) (*httpapi.Response, error) {
		call := read()
		outcomes := make([]deletion.Outcome, len(call.Requests))
		for i, r := range call.Requests {
			fmt.Println("delete", r.BackupID)
			outcomes[i] = deletion.Outcome{Request: r, Status: deletion.Accepted, JobID: "3711e2ad-5787-49bc-a47f-3f0b066af9f5"}
		}
		return call.Answer(outcomes), nil
	}}
	for _, r := range []*http.Request{
		httptest.NewRequestWithContext(context.Background(), http.MethodDelete, "/backups/8d9586c40b33449a815518d4635a2cd9br02", http.NoBody),
		httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/healthz", http.NoBody),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("Content-Type"))
	}
	// Output:
	// delete 8d9586c40b33449a815518d4635a2cd9br02
	// 202 application/json
	// 200 application/json
}
