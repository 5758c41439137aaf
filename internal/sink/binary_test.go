package sink

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
)

func TestBinaryMode(t *testing.T) {
	want := http.Header{
		"Ce-Specversion": {"1.0"}, "Ce-Id": {"a%20b"}, "Ce-Source": {"%C3%BC%25"}, "Ce-Type": {"t"}, "Ce-Traceparent": {"00-1-2-01"}, "Content-Type": {"application/json"},
	}
	if diff := cmp.Diff(want, binaryHeader(&deletion.Event{ID: "a b", Source: "ü%", Type: "t", TraceParent: "00-1-2-01"})); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
