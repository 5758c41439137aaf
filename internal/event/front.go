package event

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
	"dds-backup-delete/internal/strictjson"
)

// call is an HTTP call that a front received.
type call struct {
	method, path   string // the path is neither decoded nor cleaned
	headers, query []httpapi.Parameter
	parameters     map[string]string // those of the path that the front found
	prefix         string            // that the front took off the path; empty for none
	requestID      string            // empty if the front gives it none
	encoded        bool              // the body is base64 although the front does not say so
	sentAt         time.Time         // when the front received it; zero if it does not say
	by             *deletion.Principal
}

// batch returns the batch of a call. Its reply is what encode makes of the response and its body, in
// JSON, and has no more bytes than maxReply. It reads the envelope last,
// because the first problem in it is kept in e.err until then.
func (d *Decoder) batch(c call, e envelope, in Invocation, maxReply int, encode func(response *httpapi.Response, body string) any) *Batch {
	r := c.request(e, in, maxReply)
	read := d.API().Read(r)
	write := func(response *httpapi.Response) ([]byte, error) {
		return json.Marshal(encode(response, string(response.Body())))
	}
	return &Batch{Limit: httpapi.MaxTime, Requests: read.Requests, Status: read.Status, reply: func(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
		response := read.Answer(outcomes)
		text, err := write(response)
		if err == nil && len(text) > maxReply {
			return write(response.Short())
		}
		return text, err
	}}
}

// request returns a call as the HTTP API reads it.
func (c call) request(e envelope, in Invocation, maxReply int) *http.Request {
	front := httpapi.Front{
		RequestID: c.requestID, Parameters: c.parameters, Prefix: c.prefix, SentAt: c.sentAt, By: c.by, MaxResponse: maxReply,
	}
	if !body.IsID(front.RequestID) {
		front.RequestID = in.ID
	}
	text := e.body()
	if e.boolean("isBase64Encoded") || c.encoded {
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			front.BodyFault = fmt.Sprintf("isBase64Encoded is true, and the body is %d characters that are not base64", len(text))
		}
		// If nothing was decoded, the text is kept: it may be line ends alone, which base64 ignores and
		// which a DELETE must refuse as a body.
		if len(decoded) > 0 {
			text = string(decoded)
		}
	}
	if *e.err != nil {
		front.Fault = (*e.err).Error()
	}
	r := &http.Request{Method: c.method, URL: &url.URL{Path: httpapi.Unescape(c.path), RawPath: c.path, RawQuery: encodeQuery(c.query)}, Header: header(c.headers)}
	if len(text) > 0 {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
	return r.WithContext(httpapi.WithFront(context.Background(), front))
}

// header returns headers by their canonical names. One allocation holds all values.
func header(headers []httpapi.Parameter) http.Header {
	all := make(http.Header, len(headers))
	values := make([]string, len(headers))
	for i, h := range headers {
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		if before := all[name]; before != nil {
			all[name] = append(before, h.Value)
			continue
		}
		values[i] = h.Value
		all[name] = values[i : i+1 : i+1]
	}
	return all
}

// envelope is an object of the payload that an HTTP front makes of a call. Names match exactly, and
// none may come twice. The first problem is kept in err, which all objects of a payload share.
type envelope struct {
	where   string // the place in the payload, for messages, for example "requestContext."
	members strictjson.Object
	err     *error
}

func newEnvelope(members strictjson.Object) envelope {
	return envelope{members: members, err: new(error)}
}

func (e envelope) fail(name, problem string) {
	if *e.err == nil {
		*e.err = fmt.Errorf("%s%s: %s", e.where, strictjson.Shorten(name), problem)
	}
}

// value returns the value of a member that must be of a kind; nil if it is missing or null, or fails.
func (e envelope) value(name, kind, expected string) strictjson.Value {
	value, _ := e.members.Get(name)
	switch value.Kind() {
	case kind:
		return value
	case "null":
	default:
		e.fail(name, "a JSON "+value.Kind()+"; expected "+expected)
	}
	return nil
}

// object returns the object of that name, which has no members if it is missing.
func (e envelope) object(name string) envelope {
	value := e.value(name, "object", "a JSON object")
	if value == nil {
		return envelope{err: e.err}
	}
	members, err := value.Object()
	if err != nil {
		e.fail(name, err.Error())
	}
	return envelope{where: e.where + name + ".", members: members, err: e.err}
}

// text returns a text; empty if it is missing. A number or a boolean is its text: some fronts and
// test tools write headers so.
func (e envelope) text(name string) string {
	value, _ := e.members.Get(name)
	if value.Kind() == "null" {
		return ""
	}
	return e.textOf(name, value)
}

func (e envelope) textOf(name string, value strictjson.Value) string {
	text, ok := value.Text()
	kind := value.Kind()
	switch {
	case ok:
		return text
	case kind == "number", kind == "boolean":
		return string(value)
	}
	e.fail(name, "a JSON "+kind+"; expected a string")
	return ""
}

// body returns the body of the call. It must be a string: a front never writes another value.
func (e envelope) body() string {
	text, _ := e.value("body", "string", "a string").Text()
	return text
}

// boolean returns a boolean; false if it is missing.
func (e envelope) boolean(name string) bool {
	return string(e.value(name, "boolean", "true or false")) == "true"
}

// pairs returns the members of an object of texts, and of its form with lists if it has one. A front
// that sends both repeats values of the lists in the texts, so a text that is in its list is left out.
// A value that is null or an empty list is left out, or is an empty text if blanks are wanted.
func (e envelope) pairs(single, multiple string, blanks bool) []httpapi.Parameter {
	texts, lists := e.object(single), envelope{}
	if multiple != "" {
		lists = e.object(multiple)
	}
	pairs := make([]httpapi.Parameter, 0, len(texts.members)+len(lists.members))
	for _, m := range lists.members {
		name := string(m.Name)
		if m.Value.Kind() == "null" || m.Value.IsEmptyArray() {
			if blanks {
				pairs = append(pairs, httpapi.Parameter{Name: name})
			}
			continue
		}
		elements, err := m.Value.Array()
		if err != nil {
			lists.fail(name, err.Error())
		}
		for _, element := range elements {
			pairs = append(pairs, httpapi.Parameter{Name: name, Value: lists.textOf(name, element)})
		}
	}
	for _, m := range texts.members {
		p := httpapi.Parameter{Name: string(m.Name)}
		if m.Value.Kind() != "null" {
			p.Value = texts.textOf(p.Name, m.Value)
		} else if !blanks {
			continue
		}
		if !slices.Contains(pairs, p) {
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// pathParameters returns the parameters that the front found in the path.
func (e envelope) pathParameters() map[string]string {
	found := make(map[string]string)
	for _, p := range e.pairs("pathParameters", "", false) {
		found[p.Name] = p.Value
	}
	return found
}

// query returns the parameters of a query that the front decoded. A parameter without a value is still
// there, and empty: it must not be dropped, since it may be dry_run.
func (e envelope) query() []httpapi.Parameter {
	return e.pairs("queryStringParameters", "multiValueQueryStringParameters", true)
}

// encodedQuery returns the parameters of a query that the front left as they were sent.
func (e envelope) encodedQuery() []httpapi.Parameter {
	parameters := e.query()
	for i, p := range parameters {
		var err error
		if parameters[i], err = p.Decoded(); err != nil {
			e.fail("queryStringParameters", err.Error())
		}
	}
	return parameters
}

// joinedQuery returns the query of payload format 2.0, which has it twice: as it was sent, and decoded
// with the values of a repeated name joined by commas.
func (e envelope) joinedQuery() []httpapi.Parameter {
	raw, joined := e.text("rawQueryString"), e.pairs("queryStringParameters", "", false)
	if raw == "" {
		var parameters []httpapi.Parameter
		for _, p := range e.query() {
			for value := range strings.SplitSeq(p.Value, ",") {
				parameters = append(parameters, httpapi.Parameter{Name: p.Name, Value: value})
			}
		}
		return parameters
	}
	parameters, err := httpapi.SplitQuery(raw)
	if err != nil {
		e.fail("rawQueryString", err.Error())
	}
	if len(joined) > 0 && !maps.Equal(joinValues(parameters), joinValues(joined)) {
		e.fail("queryStringParameters", "not what rawQueryString says")
	}
	return parameters
}

// joinValues returns the values of a query by their names, apart from those of a signature. Those of a
// repeated name are joined by commas.
func joinValues(query []httpapi.Parameter) map[string]string {
	values := make(map[string]string)
	for _, p := range query {
		if p.IsSignature() {
			continue
		}
		if before, again := values[p.Name]; again {
			p.Value = before + "," + p.Value
		}
		values[p.Name] = p.Value
	}
	return values
}

// encodeQuery returns a query as it stands in a URL.
func encodeQuery(parameters []httpapi.Parameter) string {
	var query strings.Builder
	for i, p := range parameters {
		if i > 0 {
			query.WriteByte('&')
		}
		query.WriteString(url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value))
	}
	return query.String()
}
