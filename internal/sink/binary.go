package sink

import (
	"fmt"
	"net/http"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// binaryHeader returns the header of an event in binary mode, which holds its attributes. The body is
// its data.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode
func binaryHeader(e *deletion.Event) http.Header {
	header := http.Header{"Content-Type": {"application/json"}, "Ce-Specversion": {"1.0"}}
	for name, value := range map[string]string{
		"Ce-Id": e.ID, "Ce-Source": e.Source, "Ce-Type": e.Type, "Ce-Subject": e.Subject, "Ce-Traceparent": e.TraceParent,
	} {
		if value != "" {
			header.Set(name, headerValue(value))
		}
	}
	return header
}

// headerValue percent-encodes what a header cannot hold: space, quote, percent and everything that is
// not printable ASCII.
func headerValue(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
