package event

import (
	"fmt"
	"slices"

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

// texts returns the members of an object of texts in their order. One that is null is left out, or is
// empty if blanks are wanted.
func (e envelope) texts(name string, blanks bool) []httpapi.Parameter {
	inner := e.object(name)
	if len(inner.members) == 0 {
		return nil
	}
	pairs := make([]httpapi.Parameter, 0, len(inner.members))
	for _, m := range inner.members {
		name := string(m.Name)
		if m.Value.Kind() != "null" {
			pairs = append(pairs, httpapi.Parameter{Name: name, Value: inner.textOf(name, m.Value)})
		} else if blanks {
			pairs = append(pairs, httpapi.Parameter{Name: name})
		}
	}
	return pairs
}

// lists returns the elements of an object of lists of texts, in their order. A list that is null or has
// no elements is left out, or is an empty text if blanks are wanted.
func (e envelope) lists(name string, blanks bool) []httpapi.Parameter {
	inner := e.object(name)
	var pairs []httpapi.Parameter
	for _, m := range inner.members {
		name := string(m.Name)
		if m.Value.Kind() == "null" || m.Value.IsEmptyArray() {
			if blanks {
				pairs = append(pairs, httpapi.Parameter{Name: name})
			}
			continue
		}
		elements, err := m.Value.Array()
		if err != nil {
			inner.fail(name, err.Error())
		}
		for _, element := range elements {
			pairs = append(pairs, httpapi.Parameter{Name: name, Value: inner.textOf(name, element)})
		}
	}
	return pairs
}

// multi returns the pairs of an object of texts and those of its form with lists. A front that has
// both repeats values of the lists in the texts, so a text is left out if it is in its list.
func (e envelope) multi(single, multiple string, blanks bool) []httpapi.Parameter {
	pairs := e.lists(multiple, blanks)
	for _, p := range e.texts(single, blanks) {
		if !slices.Contains(pairs, p) {
			pairs = append(pairs, p)
		}
	}
	return pairs
}
