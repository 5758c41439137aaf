package sink

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// binary takes an event apart for the binary mode: the attributes as headers, the data as the body.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode
func binary(event []byte) (http.Header, []byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(event, &members); err != nil {
		return nil, nil, fmt.Errorf("the event: %w", err)
	}
	header := make(http.Header, len(members))
	var data []byte
	for name, raw := range members {
		if name == "data" {
			data = raw
			continue
		}
		var value string
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, nil, fmt.Errorf("the event's attribute %s: %w", name, err)
		}
		if name == "datacontenttype" {
			header.Set("Content-Type", value)
			continue
		}
		header.Set("Ce-"+name, headerValue(value))
	}
	return header, data, nil
}

// headerValue encodes what a header cannot hold: space, quote, percent and all that is not
// printable ASCII.
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
