package event

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"dds-backup-delete/internal/deletion"
)

// SourceCloudEvents is a CloudEvent in structured mode that is the payload itself.
const SourceCloudEvents deletion.Source = "cloudevents"

// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
var cloudEventShape = shape{
	source: SourceCloudEvents,
	fits:   func(members object) bool { return members.has("specversion") },
	decode: decodeEvent,
}

// cloudEvent is what matters here of a CloudEvent, in whatever mode it came.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
type cloudEvent struct {
	specVersion, id, source, eventType, traceParent string
	data                                            []byte
	fault                                           string // why there is no data to read; empty where there is
}

// structured reads an event in the JSON format.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
func structured(members object) cloudEvent {
	e := attributesOf(func(name string) string {
		text, _ := members.text(name)
		return text
	})
	data, hasData := members.get("data")
	encoded, hasBase64 := members.get("data_base64")
	switch {
	case hasData && hasBase64:
		e.fault = "data and data_base64: both given; expected one of them"
	case hasData:
		e.data = data
	case !hasBase64:
		e.fault = "data: missing; expected a JSON object"
	case kind(encoded) != "string":
		e.fault = "data_base64: a JSON " + kind(encoded) + "; expected a string"
	default:
		text := unquote(encoded)
		decoded, err := base64.StdEncoding.DecodeString(string(text))
		if e.data = decoded; err != nil {
			e.fault = fmt.Sprintf("data_base64: %d characters that are not base64", len(text))
		}
	}
	return e
}

// binary reads an event in binary mode, whose attributes are headers.
func binary(attributes map[string]string, body []byte) cloudEvent {
	e := attributesOf(func(name string) string { return attributes[name] })
	e.data = body
	return e
}

// readBinary reads the requests of a body that is a CloudEvent in binary mode if there are any
// attributes of one, readable or not, and else speaks for itself.
func (d *Decoder) readBinary(body []byte, base deletion.Request, attributes map[string]string) content {
	if len(attributes) == 0 {
		return d.read(body, base)
	}
	e := binary(attributes, body)
	c := judge(d.openCloudEvent(e, base), body)
	if c.echo == "" && isOutcomeType(e.eventType) {
		c = content{echo: c.requests[0].Err.Message}
	}
	return c
}

func attributesOf(get func(name string) string) cloudEvent {
	return cloudEvent{
		specVersion: get("specversion"), id: get("id"), source: get("source"), eventType: get("type"), traceParent: get("traceparent"),
	}
}

// openCloudEvent reads the requests of a CloudEvent, if that asks for a deletion. Only its
// type says so: it may be an event that others can see, too.
func (d *Decoder) openCloudEvent(e cloudEvent, base deletion.Request) content {
	if isID(e.id) && isID(e.source) {
		base.ID, base.Origin = e.id, e.source
	}
	if trace := traceParent(e.traceParent); trace != "" {
		base.TraceParent = trace
	}
	switch {
	case e.eventType != d.requestType():
		return refuse(base, fmt.Sprintf("it is a CloudEvent of type %q; expected %q", shorten(e.eventType), d.requestType()))
	case e.specVersion != "1.0":
		return refuse(base, fmt.Sprintf("specversion: %q; expected \"1.0\"", shorten(e.specVersion)))
	case !isID(e.id):
		return refuse(base, fmt.Sprintf("id: %d characters; expected 1 to %d, and no control characters", utf8.RuneCountInString(e.id), maxID))
	case !isID(e.source):
		return refuse(base, fmt.Sprintf("source: %d characters; expected 1 to %d, and no control characters", utf8.RuneCountInString(e.source), maxID))
	case e.fault != "":
		return refuse(base, e.fault)
	}
	members, err := parseObject(e.data)
	if err != nil {
		return refuse(base, "data: "+err.Error())
	}
	return plain(members, base)
}

// decodeHeader returns the value of a CloudEvents attribute that travelled as an HTTP header.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values
func decodeHeader(value string) string {
	if !strings.Contains(value, "%") {
		return value
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}
