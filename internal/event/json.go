package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// member is one member of a JSON object: its name, and its value as it stands.
type member struct {
	name  []byte
	value json.RawMessage
}

// maxMembers bounds an object, and maxElements an array, that is read. A batch has 10,000
// records at the most.
const (
	maxMembers  = 10_000
	maxElements = 10_000
)

// object is the members of a JSON object in their order, values not decoded. Names match
// exactly, which encoding/json's do not; what asks for a deletion must be spelled right.
type object []member

// maxDepth is how deep encoding/json lets values be nested.
const maxDepth = 10_000

// byteOrderMark may stand before a text in UTF-8, and means nothing there.
const byteOrderMark = "\ufeff"

// trimMark returns a text without a byte order mark. RFC 8259 allows a reader to ignore one.
func trimMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte(byteOrderMark)) }

// parse checks that a text without a byte order mark is one JSON value.
func parse(text []byte) error {
	switch {
	case skipSpace(text, 0) == len(text):
		return errors.New(`empty; expected a JSON object, for example {"backup_id": "…"}`)
	case isUTF16(text):
		return errors.New("text in UTF-16; expected UTF-8")
	case !utf8.Valid(text):
		return fmt.Errorf("%d bytes that are not UTF-8; expected a JSON object", len(text))
	case json.Valid(text):
		return nil
	case isTooDeep(text):
		return fmt.Errorf("nested too deep; expected %d levels at the most", maxDepth)
	}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); errors.As(err, &syntax) {
		return fmt.Errorf("malformed JSON at byte %d of %d", syntax.Offset, len(text))
	}
	return errors.New("malformed JSON")
}

// isUTF16 reports whether a text begins like one in UTF-16: with a byte order mark, or with a
// character of ASCII.
func isUTF16(text []byte) bool {
	if len(text) < 2 {
		return false
	}
	a, b := text[0], text[1]
	return a == 0xff && b == 0xfe || a == 0xfe && b == 0xff || (a == 0) != (b == 0)
}

// isTooDeep reports whether a text, which need not be valid, nests values deeper than maxDepth.
func isTooDeep(text []byte) bool {
	depth, quoted := 0, false
	for at := 0; at < len(text); at++ {
		switch c := text[at]; {
		case quoted && c == '\\':
			at++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// parseObject reads the members of a text that is one JSON object. A byte order mark before it is
// ignored.
func parseObject(text []byte) (object, error) {
	text = trimMark(text)
	if err := parse(text); err != nil {
		return nil, err
	}
	return objectOf(text)
}

// objectOf reads the members of a value that is valid JSON, as every part of a parsed text is.
// It refuses a name that comes twice, since readers differ in which of the two they believe.
func objectOf(value []byte) (object, error) {
	at := skipSpace(value, 0)
	if value[at] != '{' {
		return nil, fmt.Errorf("a JSON %s; expected a JSON object", kind(value))
	}
	members := make(object, 0, 10) // a record of a queue has no more, and none grows in small steps
	var names map[string]bool      // of a large object; a small one is looked through
	for at = skipSpace(value, at+1); value[at] != '}'; {
		end := skipString(value, at)
		name := unquote(value[at:end])
		if len(members) == maxMembers {
			return nil, fmt.Errorf("an object of more than %d members", maxMembers)
		}
		if names = members.index(names); names[string(name)] || (names == nil && members.has(string(name))) {
			return nil, fmt.Errorf("an object in which %q is given twice", shorten(string(name)))
		}
		if names != nil {
			names[string(name)] = true
		}
		at = skipSpace(value, skipSpace(value, end)+1) // over the colon
		end = skipValue(value, at)
		members = append(members, member{name, value[at:end]})
		if at = skipSpace(value, end); value[at] == ',' {
			at = skipSpace(value, at+1)
		}
	}
	return members, nil
}

// index returns the names of an object that has become large; nil of one that is small.
func (o object) index(names map[string]bool) map[string]bool {
	const small = 32
	if names != nil || len(o) < small {
		return names
	}
	names = make(map[string]bool, 2*small)
	for _, m := range o {
		names[string(m.name)] = true
	}
	return names
}

// arrayOf splits a value that is valid JSON into the elements of its array.
func arrayOf(value []byte) ([]json.RawMessage, error) {
	if kind(value) != "array" {
		return nil, fmt.Errorf("a JSON %s; expected an array", kind(value))
	}
	var elements []json.RawMessage
	for at := skipSpace(value, skipSpace(value, 0)+1); value[at] != ']'; {
		if len(elements) == maxElements {
			return nil, fmt.Errorf("an array of more than %d elements", maxElements)
		}
		end := skipValue(value, at)
		elements = append(elements, value[at:end])
		if at = skipSpace(value, end); value[at] == ',' {
			at = skipSpace(value, at+1)
		}
	}
	return elements, nil
}

// get returns the value of the member of that name.
func (o object) get(name string) (json.RawMessage, bool) {
	for _, m := range o {
		if string(m.name) == name {
			return m.value, true
		}
	}
	return nil, false
}

// has reports whether there is a member of that name.
func (o object) has(name string) bool {
	_, ok := o.get(name)
	return ok
}

// text returns the text of a member: "" and false where it is missing or no string.
func (o object) text(name string) (string, bool) {
	value, ok := o.get(name)
	if !ok || kind(value) != "string" {
		return "", false
	}
	return string(unquote(value)), true
}

// object returns the members of a member: none where it is missing or no object.
func (o object) object(name string) object {
	value, ok := o.get(name)
	if !ok {
		return nil
	}
	members, err := objectOf(value)
	if err != nil {
		return nil
	}
	return members
}

// integer returns the whole number that a member is: false where it is missing or another value.
func (o object) integer(name string) (int64, bool) {
	value, ok := o.get(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}

// boolean reports whether a member is there and true.
func (o object) boolean(name string) bool {
	value, _ := o.get(name)
	return string(value) == "true"
}

// unquote returns the text of a valid JSON string.
func unquote(quoted []byte) []byte {
	if plain := quoted[1 : len(quoted)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return plain
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil // it was parsed before
	}
	return []byte(s)
}

// kind names the kind of a valid JSON value.
func kind(value []byte) string {
	switch value[skipSpace(value, 0)] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	default:
		return "number"
	}
}

// The skip functions walk over valid JSON; each returns the place after what it skipped.

func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
		at++
	}
	return at
}

func skipString(text []byte, at int) int {
	for at++; text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at + 1
}

func skipValue(text []byte, at int) int {
	for depth := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			if at = skipString(text, at); depth == 0 {
				return at
			}
			at--
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			} else if depth < 0 {
				return at // the end of the object around a number or a literal
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}

// shorten makes a text of others fit for a message.
func shorten(name string) string {
	const most = 40
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "…" // the cut may be within a character
	}
	return name
}
