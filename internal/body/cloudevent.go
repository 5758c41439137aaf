package body

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// cloudEvent is what matters here of a CloudEvent, in whatever mode it came.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
type cloudEvent struct {
	specVersion, id, source, eventType, traceParent string
	time                                            string // when it happened
	authType, authID                                string // who caused it, as its sender says
	expiry                                          string // when it expires
	expires                                         bool   // it has an expiry, be it one that cannot be read
	data                                            strictjson.Value
	fault                                           string // why there is no data to read; empty if there is
}

// structured reads an event in the JSON format.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
func structured(members strictjson.Object) cloudEvent {
	e := attributesOf(func(name string) (string, bool) {
		value, _ := members.Get(name)
		text, _ := value.Text()
		return text, value.Kind() != "null"
	})
	data, hasData := members.Get("data")
	encoded, hasBase64 := members.Get("data_base64")
	text, isText := encoded.Text()
	decoded, err := base64.StdEncoding.DecodeString(text)
	switch {
	case hasData && hasBase64:
		e.fault = "data and data_base64: both given; expected one of them"
	case hasData:
		e.data = data
	case !hasBase64:
		e.fault = "data: missing; expected a JSON object"
	case !isText:
		e.fault = "data_base64: a JSON " + encoded.Kind() + "; expected a string"
	case err != nil:
		e.fault = fmt.Sprintf("data_base64: %d characters that are not base64", len(text))
	default:
		e.parseData(decoded)
	}
	return e
}

// ReadBinary reads the requests of a CloudEvent in binary mode: its attributes, readable or not, came
// beside the text, for example as headers.
func (r Reader) ReadBinary(text []byte, base deletion.Request, attributes map[string]string) Content {
	e := attributesOf(func(name string) (string, bool) { text, given := attributes[name]; return text, given })
	e.parseData(text)
	var members strictjson.Object
	if e.fault == "" {
		members, _ = e.data.Object() // another value has no members
	}
	if e.eventType == TickType {
		return r.ReadTick(members, base)
	}
	c := dropOwnEvents(r.ofCloudEvent(e, base), text, members)
	if c.OwnEventReason == "" && isOutcomeType(e.eventType) {
		c = Content{OwnEventReason: c.Requests[0].Err.Message}
	}
	return c
}

// attributesOf returns an event without data. The function get returns an attribute and whether it is there.
// The last three are those of the extensions "Expiry Time" and "Auth Context".
// https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/expirytime.md
func attributesOf(get func(name string) (text string, given bool)) cloudEvent {
	text := func(name string) string { text, _ := get(name); return text }
	e := cloudEvent{
		specVersion: text("specversion"), id: text("id"), source: text("source"), eventType: text("type"), traceParent: text("traceparent"),
		time: text("time"), authType: text("authtype"), authID: text("authid"),
	}
	e.expiry, e.expires = get("expirytime")
	return e
}

func (e *cloudEvent) parseData(text []byte) {
	var err error
	if e.data, err = strictjson.Parse(text); err != nil {
		e.fault = "data: " + err.Error()
	}
}

// ofCloudEvent reads the requests of a CloudEvent, if that asks for a deletion. Only its type says so:
// it may be an event that others can see, too.
func (r Reader) ofCloudEvent(e cloudEvent, base deletion.Request) Content {
	if IsID(e.id) && IsID(e.source) {
		base.ID, base.Origin = e.id, e.source
	}
	base.TraceParent = cmp.Or(TraceParent(e.traceParent), base.TraceParent)
	noteSent(&base, e.time)
	if by := Principal(e.authType, e.authID); by != nil && (base.By == nil || base.By.Claimed) {
		by.Claimed = true
		base.By = by
	}
	expiry, isTime := ParseTime(e.expiry)
	base.ExpiresAt = earlier(base.ExpiresAt, expiry)
	switch {
	case e.eventType != r.requestType():
		return Invalid(base, fmt.Sprintf("it is a CloudEvent of type %q; expected %q", strictjson.Shorten(e.eventType), r.requestType()))
	case e.specVersion != "1.0":
		return Invalid(base, fmt.Sprintf("specversion: %q; expected \"1.0\"", strictjson.Shorten(e.specVersion)))
	case !IsID(e.id):
		return Invalid(base, fmt.Sprintf("id: %d characters; expected 1 to %d, and no control characters", utf8.RuneCountInString(e.id), MaxID))
	case !IsID(e.source):
		return Invalid(base, fmt.Sprintf("source: %d characters; expected 1 to %d, and no control characters", utf8.RuneCountInString(e.source), MaxID))
	case e.expires && !isTime: // its sender counts on it
		return Invalid(base, fmt.Sprintf("expirytime: %q; %s", strictjson.Shorten(e.expiry), ExpectedTime))
	case e.fault != "":
		return Invalid(base, e.fault)
	}
	members, err := e.data.Object()
	if err != nil {
		return Invalid(base, "data: "+err.Error())
	}
	return ofPlain(members, base)
}
