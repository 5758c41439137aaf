package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// envelope is an object of the payload that an HTTP front makes of a call. Names match exactly, and
// none may come twice. The first problem is kept in err, which all objects of a payload share.
type envelope struct {
	where   string // the place in the payload, for messages, for example "requestContext."
	members object
	err     *error
}

func newEnvelope(members object) envelope { return envelope{members: members, err: new(error)} }

// pair is a name with its text: a header, a query parameter, or a path parameter.
type pair struct{ name, value string }

func (e envelope) fail(name, problem string) {
	if *e.err == nil {
		*e.err = fmt.Errorf("%s%s: %s", e.where, shorten(name), problem)
	}
}

// given returns the value of a member, and false where it is missing or null.
func (e envelope) given(name string) (json.RawMessage, bool) {
	value, ok := e.members.get(name)
	return value, ok && kind(value) != "null"
}

// object returns the object of that name, which has no members where it is missing.
func (e envelope) object(name string) envelope {
	value, ok := e.given(name)
	if !ok {
		return envelope{err: e.err}
	}
	members, err := objectOf(value)
	if err != nil {
		e.fail(name, err.Error())
	}
	return envelope{where: e.where + name + ".", members: members, err: e.err}
}

// text returns a text; empty where it is missing. A number or a boolean is its text: some fronts and
// test tools write headers so.
func (e envelope) text(name string) string {
	if value, ok := e.given(name); ok {
		return e.textOf(name, value)
	}
	return ""
}

func (e envelope) textOf(name string, value json.RawMessage) string {
	switch kind(value) {
	case "string":
		return string(unquote(value))
	case "number", "boolean":
		return string(value)
	default:
		e.fail(name, "a JSON "+kind(value)+"; expected a string")
		return ""
	}
}

// body returns the body of the call. It must be a string: a front never writes another value.
func (e envelope) body() string {
	if value, ok := e.given("body"); ok && kind(value) != "string" {
		e.fail("body", "a JSON "+kind(value)+"; expected a string")
	}
	return e.text("body")
}

// boolean returns a boolean; false where it is missing.
func (e envelope) boolean(name string) bool {
	value, ok := e.given(name)
	if ok && kind(value) != "boolean" {
		e.fail(name, "a JSON "+kind(value)+"; expected true or false")
	}
	return string(value) == "true"
}

// texts returns the members of an object of texts in their order, without those that are null.
func (e envelope) texts(name string) []pair {
	inner := e.object(name)
	if len(inner.members) == 0 {
		return nil
	}
	pairs := make([]pair, 0, len(inner.members))
	for _, m := range inner.members {
		if kind(m.value) != "null" {
			name := string(m.name)
			pairs = append(pairs, pair{name, inner.textOf(name, m.value)})
		}
	}
	return pairs
}

// lists returns the elements of an object of lists of texts, in their order.
func (e envelope) lists(name string) []pair {
	inner := e.object(name)
	var pairs []pair
	for _, m := range inner.members {
		if kind(m.value) == "null" {
			continue
		}
		name := string(m.name)
		elements, err := arrayOf(m.value)
		if err != nil {
			inner.fail(name, err.Error())
		}
		for _, element := range elements {
			pairs = append(pairs, pair{name, inner.textOf(name, element)})
		}
	}
	return pairs
}

// multi returns the pairs of an object of texts and those of its form with lists. A front that has
// both repeats values of the lists in the texts, so that a text is left out where it is in its list.
func (e envelope) multi(single, multiple string) []pair {
	pairs := e.lists(multiple)
	for _, p := range e.texts(single) {
		if !slices.Contains(pairs, p) {
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// query returns the pairs of a query. A parameter without a value is there all the same, and empty: it
// must not be dropped, since it may be dry_run.
func (e envelope) query(single, multiple string) []pair {
	pairs := e.multi(single, multiple)
	for _, name := range []string{single, multiple} {
		for _, m := range e.object(name).members {
			if kind(m.value) == "null" || (kind(m.value) == "array" && m.value[skipSpace(m.value, 1)] == ']') {
				pairs = append(pairs, pair{name: string(m.name)})
			}
		}
	}
	return pairs
}

// joinedQuery returns the query of payload format 2.0, which has it twice: as it was sent, and decoded
// with the values of a repeated name joined by commas.
func (e envelope) joinedQuery() []pair {
	raw, joined := e.text("rawQueryString"), e.texts("queryStringParameters")
	if raw == "" {
		var pairs []pair
		for _, p := range e.query("queryStringParameters", "multiValueQueryStringParameters") {
			for value := range strings.SplitSeq(p.value, ",") {
				pairs = append(pairs, pair{p.name, value})
			}
		}
		return pairs
	}
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part != "" {
			name, value, _ := strings.Cut(part, "=")
			pairs = append(pairs, pair{name, value})
		}
	}
	pairs = e.decoded("rawQueryString", pairs)
	if len(joined) > 0 && !sameQuery(pairs, joined) {
		e.fail("queryStringParameters", "not what rawQueryString says")
	}
	return pairs
}

// sameQuery reports whether joined has the parameters of a query, apart from those of a signature.
func sameQuery(query, joined []pair) bool {
	values := make(map[string]string)
	for _, p := range query {
		if isSignature(p.name) {
			continue
		}
		if before, again := values[p.name]; again {
			p.value = before + "," + p.value
		}
		values[p.name] = p.value
	}
	for _, p := range joined {
		if isSignature(p.name) {
			continue
		}
		if value, ok := values[p.name]; !ok || value != p.value {
			return false
		}
		delete(values, p.name)
	}
	return len(values) == 0
}

// decoded returns a query with names and values decoded.
func (e envelope) decoded(where string, query []pair) []pair {
	for i, p := range query {
		name, err1 := url.QueryUnescape(p.name)
		value, err2 := url.QueryUnescape(p.value)
		if errors.Join(err1, err2) != nil && !isSignature(p.name) {
			e.fail(where, fmt.Sprintf("%q is not URL-encoded", shorten(p.name)))
		}
		query[i] = pair{name, value}
	}
	return query
}

// call returns what the fronts write in the same way. Its path is up to the caller.
func (e envelope) call(method, id string, headers, query []pair, in Invocation) *httpRequest {
	r := newHTTPRequest(method, headers)
	r.query = query
	r.setBody(e.body(), e.boolean("isBase64Encoded"))
	if r.id = id; !isID(id) {
		r.id = in.ID
	}
	return r
}
