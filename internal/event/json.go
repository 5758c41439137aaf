package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// member is one member of a JSON object: its name, and its value as it stands.
type member struct {
	name  string
	value json.RawMessage
}

// maxMembers bounds an object that is read; every lookup walks all of it.
const maxMembers = 256

// object is the members of a JSON object in their order, values not decoded. Names match
// exactly, which encoding/json's do not; what asks for a deletion must be spelled right.
type object []member

// parseObject reads the members of one JSON object and refuses a name that comes twice,
// since readers differ in which of the two they believe.
func parseObject(text []byte) (object, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%d bytes that are not UTF-8, want a JSON object", len(text))
	}
	if !json.Valid(text) {
		var syntax *json.SyntaxError
		if err := json.Unmarshal(text, new(json.RawMessage)); errors.As(err, &syntax) {
			return nil, fmt.Errorf("malformed JSON at byte %d of %d", syntax.Offset, len(text))
		}
		return nil, errors.New("malformed JSON")
	}
	at := skipSpace(text, 0)
	if text[at] != '{' {
		return nil, fmt.Errorf("a JSON %s, want a JSON object", kind(text))
	}
	var members object
	for at = skipSpace(text, at+1); text[at] != '}'; {
		end := skipString(text, at)
		var name string
		if err := json.Unmarshal(text[at:end], &name); err != nil {
			return nil, err
		}
		if len(members) == maxMembers {
			return nil, fmt.Errorf("an object of more than %d members", maxMembers)
		}
		if _, twice := members.get(name); twice {
			return nil, fmt.Errorf("the member %q comes twice", shorten(name))
		}
		at = skipSpace(text, skipSpace(text, end)+1) // over the colon
		end = skipValue(text, at)
		members = append(members, member{name, text[at:end]})
		if at = skipSpace(text, end); text[at] == ',' {
			at = skipSpace(text, at+1)
		}
	}
	return members, nil
}

// get returns the value of the member of that name.
func (o object) get(name string) (json.RawMessage, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// text returns the text of a member: "" and false where it is missing or no string.
func (o object) text(name string) (string, bool) {
	value, ok := o.get(name)
	if !ok || kind(value) != "string" {
		return "", false
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
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

// shorten makes a foreign name fit for a message.
func shorten(name string) string {
	const most = 40
	if len(name) > most {
		return name[:most] + "…"
	}
	return name
}
