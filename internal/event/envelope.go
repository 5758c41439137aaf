package event

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"dds-backup-delete/internal/httpapi"
	"dds-backup-delete/internal/strictjson"
)

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

// given returns the value of a member, and false if it is missing or null.
func (e envelope) given(name string) (strictjson.Value, bool) {
	value, ok := e.members.Get(name)
	return value, ok && value.Kind() != "null"
}

// object returns the object of that name, which has no members if it is missing.
func (e envelope) object(name string) envelope {
	value, ok := e.given(name)
	if !ok {
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
	if value, ok := e.given(name); ok {
		return e.textOf(name, value)
	}
	return ""
}

func (e envelope) textOf(name string, value strictjson.Value) string {
	if text, ok := value.Text(); ok {
		return text
	}
	if kind := value.Kind(); kind != "number" && kind != "boolean" {
		e.fail(name, "a JSON "+kind+"; expected a string")
		return ""
	}
	return string(value)
}

// body returns the body of the call. It must be a string: a front never writes another value.
func (e envelope) body() string {
	value, ok := e.given("body")
	if !ok {
		return ""
	}
	text, ok := value.Text()
	if !ok {
		e.fail("body", "a JSON "+value.Kind()+"; expected a string")
	}
	return text
}

// boolean returns a boolean; false if it is missing.
func (e envelope) boolean(name string) bool {
	value, ok := e.given(name)
	if ok && value.Kind() != "boolean" {
		e.fail(name, "a JSON "+value.Kind()+"; expected true or false")
	}
	return string(value) == "true"
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

// query returns the parameters of a query that the front decoded. A parameter without a value is still
// there, and empty: it must not be dropped, since it may be dry_run.
func (e envelope) query() []httpapi.Parameter {
	return e.pairs("queryStringParameters", "multiValueQueryStringParameters", true)
}

// encodedQuery returns the parameters of a query that the front left as they were sent.
func (e envelope) encodedQuery() []httpapi.Parameter {
	parameters := e.query()
	for i, p := range parameters {
		decoded, err := p.Decoded()
		if parameters[i] = decoded; err != nil {
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
	if len(joined) > 0 && !sameQuery(parameters, joined) {
		e.fail("queryStringParameters", "not what rawQueryString says")
	}
	return parameters
}

// sameQuery reports whether joined has the parameters of a query, apart from those of a signature.
func sameQuery(query, joined []httpapi.Parameter) bool {
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
	for _, p := range joined {
		if p.IsSignature() {
			continue
		}
		if value, ok := values[p.Name]; !ok || value != p.Value {
			return false
		}
		delete(values, p.Name)
	}
	return len(values) == 0
}

// joinQuery returns a query as it stands in a URL.
func joinQuery(parameters []httpapi.Parameter) string {
	var query strings.Builder
	for i, p := range parameters {
		if i > 0 {
			query.WriteByte('&')
		}
		query.WriteString(url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value))
	}
	return query.String()
}
