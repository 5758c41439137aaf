package event

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// readEncoded reads the requests of a message whose body is the base64 in that member, less the
// prefix that trim removes. The message is a CloudEvent in binary mode if it has attributes of one.
func (d *Decoder) readEncoded(message strictjson.Object, member string, base deletion.Request, attributes map[string]string, trim func([]byte) []byte) body.Content {
	value, ok := message.Text(member)
	if !ok {
		return body.Invalid(base, member+": missing or not a string; expected a text in base64")
	}
	text, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return body.Invalid(base, fmt.Sprintf("%s: %d characters that are not base64", member, len(value)))
	}
	if len(attributes) == 0 {
		return d.reader().Read(trim(text), base)
	}
	return d.reader().ReadBinary(trim(text), base, attributes)
}

// headers are those of a message that matter: its trace context, and the attributes of a
// CloudEvent in binary mode. An attribute that cannot be read is still there, and empty.
type headers struct {
	traceParent string
	attributes  map[string]string
}

// add takes what it needs from some headers; a CloudEvents attribute begins with one of prefixes.
func (h *headers) add(members strictjson.Object, prefixes ...string) {
	for _, m := range members {
		name := string(m.Name)
		if name == "traceparent" {
			h.traceParent = headerText(m.Value)
			continue
		}
		for _, prefix := range prefixes {
			if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
				if h.attributes == nil {
					h.attributes = make(map[string]string)
				}
				h.attributes[strings.ToLower(name[len(prefix):])] = headerText(m.Value)
			}
		}
	}
}

// headerText returns the text of a header: a string, bytes as numbers, signed or not, or an
// object that holds those. It is empty for any other value, and for one too long to be an attribute.
func headerText(value strictjson.Value) string {
	const most = 8 * body.MaxID
	if len(value) > most {
		return ""
	}
	if text, ok := value.Text(); ok {
		return text
	}
	if value.Kind() == "object" {
		members, _ := value.Object()
		value, _ = members.Get("bytes")
	}
	var numbers []int16
	if json.Unmarshal(value, &numbers) != nil {
		return ""
	}
	text := make([]byte, len(numbers))
	for i, n := range numbers {
		text[i] = byte(n) //nolint:gosec // the two's complement is meant
	}
	return string(text)
}
