// Package strictjson reads JSON that somebody else wrote and that must not be misunderstood. The names
// of an object match exactly. None may be given twice, because readers differ in which of the two they
// believe: reading the members of an object refuses that. [Parse] checks the syntax of a text once; what
// it returns is then walked through.
//
// Its errors complete a sentence that begins with what was read, for example "the body is" or "Message is".
package strictjson

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxMembers bounds an object that is read.
	maxMembers = 10_000
	// MaxElements bounds an array that is read. A batch has 10,000 records at the most.
	MaxElements = 10_000
	// maxDepth bounds how deep values are nested, as encoding/json does.
	maxDepth = 10_000
)

// Value is one valid JSON value without space around it. Get one from [Parse], [ParseObject] or another
// Value, and do not convert a text. A nil Value, which stands for a member that is missing, is null.
type Value []byte

// Parse checks that a text is one JSON value in UTF-8. A byte order mark before it is ignored, as
// RFC 8259 allows.
func Parse(text []byte) (Value, error) {
	value, err := trim(text)
	if err == nil && skip(value, 0, maxDepth) != len(value) {
		return nil, malformed(text)
	}
	return value, err
}

// ParseObject is [Parse] and [Value.Object] in one pass. An array is no error, and has no members.
func ParseObject(text []byte) (Value, Object, error) {
	value, err := trim(text)
	if value.Kind() == "object" {
		members, end, err := value.appendTo(nil)
		if end != len(value) {
			return nil, nil, malformed(text)
		}
		return value, members, err
	}
	if err == nil {
		value, err = Parse(text)
	}
	if err == nil && value.Kind() != "array" {
		_, err = value.Object()
	}
	return value, nil, err
}

// trim returns a text without what may stand around a value.
func trim(text []byte) (Value, error) {
	text = TrimMark(text)
	value := bytes.Trim(text, " \t\r\n")
	switch {
	case len(value) == 0:
		return nil, errors.New(`empty; expected a JSON object, for example {"backup_id": "…"}`)
	case isUTF16(text):
		return nil, errors.New("text in UTF-16; expected UTF-8")
	case !utf8.Valid(text):
		return nil, fmt.Errorf("%d bytes that are not UTF-8; expected a JSON object", len(text))
	}
	return value, nil
}

// malformed says what is wrong with a text that is not valid JSON.
func malformed(text []byte) error {
	text = TrimMark(text)
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); !errors.As(err, &syntax) {
		return errors.New("malformed JSON")
	}
	if strings.Contains(syntax.Error(), "max depth") {
		return fmt.Errorf("nested too deep; expected %d levels at the most", maxDepth)
	}
	return fmt.Errorf("malformed JSON at byte %d of %d", syntax.Offset, len(text))
}

// TrimMark returns a text without the byte order mark before it, which means nothing in UTF-8.
func TrimMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }

// isUTF16 reports whether a text begins like one in UTF-16: with a byte order mark, or with a
// character of ASCII.
func isUTF16(text []byte) bool {
	if len(text) < 2 {
		return false
	}
	a, b := text[0], text[1]
	return a == 0xff && b == 0xfe || a == 0xfe && b == 0xff || (a == 0) != (b == 0)
}

// kinds are the kinds of values by their first byte. All others are numbers.
var kinds = [256]string{'{': "object", '[': "array", '"': "string", 't': "boolean", 'f': "boolean", 'n': "null", 0: "null"}

// Kind names the kind of a value: object, array, string, number, boolean or null.
func (v Value) Kind() string { return cmp.Or(kinds[byteAt(v, 0)], "number") }

// Bytes returns the text of a string, and false for another value. It may be a part of the value: do
// not change it.
func (v Value) Bytes() (text []byte, ok bool) {
	if byteAt(v, 0) != '"' {
		return nil, false
	}
	return unquote(v), true
}

// Text returns the text of a string, and false for another value.
func (v Value) Text() (text string, ok bool) {
	plain, ok := v.Bytes()
	return string(plain), ok
}

// Array returns the elements of an array.
func (v Value) Array() (elements []Value, err error) {
	if v.Kind() != "array" {
		return nil, fmt.Errorf("a JSON %s; expected an array", v.Kind())
	}
	const usual, most = 64, 10 // bytes of an element; elements to take memory for in advance
	elements = make([]Value, 0, min(most, len(v)/usual))
	walk(v, 0, maxDepth, func(_, element []byte) {
		if len(elements) == MaxElements {
			err = fmt.Errorf("an array of more than %d elements", MaxElements)
			return
		}
		elements = append(elements, element)
	})
	return elements, err
}

// IsEmptyArray reports whether a value is an array without elements.
func (v Value) IsEmptyArray() bool { return byteAt(v, 0) == '[' && v[skipSpace(v, 1)] == ']' }

// Object returns the members of an object.
func (v Value) Object() (Object, error) { return v.AppendTo(nil) }

// AppendTo is [Value.Object], and uses the memory of an empty Object.
func (v Value) AppendTo(members Object) (Object, error) {
	if v.Kind() != "object" {
		return nil, fmt.Errorf("a JSON %s; expected a JSON object", v.Kind())
	}
	members, _, err := v.appendTo(members)
	return members, err
}

// appendTo also returns the place after the object, or -1 if that is not valid JSON.
func (v Value) appendTo(members Object) (_ Object, end int, err error) {
	const (
		usual = 12 // bytes of a member, at the least
		most  = 10 // members of a record of a queue
		small = 32 // members that are looked through for one that comes twice
	)
	if members == nil {
		members = make(Object, 0, min(most, len(v)/usual))
	}
	var seen map[string]bool // the names of an object that is not small
	end = walk(v, 0, maxDepth, func(quoted, value []byte) {
		if err != nil {
			return
		}
		if len(members) == maxMembers {
			err = fmt.Errorf("an object of more than %d members", maxMembers)
			return
		}
		name := unquote(quoted)
		if len(members) == small {
			seen = make(map[string]bool, 2*small)
			for _, m := range members {
				seen[string(m.Name)] = true
			}
		}
		if seen[string(name)] || (seen == nil && members.Has(string(name))) {
			err = fmt.Errorf("an object in which %q is given twice", Shorten(string(name)))
			return
		}
		if seen != nil {
			seen[string(name)] = true
		}
		members = append(members, Member{name, value})
	})
	if err != nil {
		return nil, end, err
	}
	return members, end, nil
}

// Member is one member of an object: its name, and its value as it stands.
type Member struct {
	Name  []byte
	Value Value
}

// Object is the members of a JSON object in their order. Names match exactly, which those of
// encoding/json do not.
type Object []Member

// Get returns the value of the member of that name; nil and false if there is none.
func (o Object) Get(name string) (Value, bool) {
	for _, m := range o {
		if string(m.Name) == name {
			return m.Value, true
		}
	}
	return nil, false
}

// Has reports whether there is a member of that name.
func (o Object) Has(name string) bool {
	_, ok := o.Get(name)
	return ok
}

// Text returns the text of a member: "" and false if it is missing or not a string.
func (o Object) Text(name string) (text string, ok bool) {
	value, _ := o.Get(name)
	return value.Text()
}

// Object returns the members of a member: nil if it is missing or not an object.
func (o Object) Object(name string) Object {
	value, _ := o.Get(name)
	if value == nil { // an error costs more than this
		return nil
	}
	members, _ := value.Object()
	return members
}

// FirstObject returns the first element of a member that is an array, if that element is an object.
func (o Object) FirstObject(name string) (first Object, ok bool) {
	list, _ := o.Get(name)
	if list.Kind() != "array" || list.IsEmptyArray() {
		return nil, false
	}
	at := skipSpace(list, 1)
	first, err := list[at:skip(list, at, maxDepth)].Object()
	return first, err == nil
}

// Integer returns the whole number that a member is: false if it is missing or another value.
func (o Object) Integer(name string) (n int64, ok bool) {
	value, _ := o.Get(name)
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}

// unquote returns the text of a string.
func unquote(quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	at := bytes.IndexByte(text, '\\')
	if at < 0 {
		return text
	}
	plain := make([]byte, 0, len(text))
	for ; at >= 0; at = bytes.IndexByte(text, '\\') {
		escaped := strings.IndexByte(`"\/bfnrt`, text[at+1])
		if escaped < 0 { // \u
			var decoded string
			_ = json.Unmarshal(quoted, &decoded) // it is valid
			return []byte(decoded)
		}
		plain = append(append(plain, text[:at]...), "\"\\/\b\f\n\r\t"[escaped])
		text = text[at+2:]
	}
	return append(plain, text...)
}

// The skip functions return the place after what they skip, or -1 if that is not valid JSON.

// skip skips a value of no more levels than depth.
func skip(text []byte, at, depth int) int {
	opening := byteAt(text, at)
	if opening == '"' {
		return skipString(text, at)
	}
	if opening != '{' && opening != '[' {
		return skipScalar(text, at)
	}
	return walk(text, at, depth, nil)
}

// walk skips an object or an array, and calls part with each member or element if it is not nil. An
// element has no name.
func walk(text []byte, at, depth int, part func(quoted, value []byte)) int {
	if depth == 0 {
		return -1
	}
	opening := text[at]
	closing := opening + 2 // in ASCII
	at = skipSpace(text, at+1)
	if byteAt(text, at) == closing {
		return at + 1
	}
	for {
		var quoted []byte
		if opening == '{' {
			end := skipString(text, at)
			if end < 0 {
				return -1
			}
			quoted = text[at:end]
			at = skipSpace(text, end)
			if byteAt(text, at) != ':' {
				return -1
			}
			at = skipSpace(text, at+1)
		}
		end := skip(text, at, depth-1)
		if end < 0 {
			return -1
		}
		if part != nil {
			part(quoted, text[at:end])
		}
		at = skipSpace(text, end)
		switch byteAt(text, at) {
		case closing:
			return at + 1
		case ',':
			at = skipSpace(text, at+1)
		default:
			return -1
		}
	}
}

func skipString(text []byte, at int) int {
	if byteAt(text, at) != '"' {
		return -1
	}
	for at++; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			return at + 1
		case c < ' ':
			return -1
		case c == '\\':
			at++
			switch byteAt(text, at) {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					at++
					if c := byteAt(text, at); (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
						return -1
					}
				}
			default:
				return -1
			}
		}
	}
	return -1
}

// skipScalar skips a number, true, false or null.
func skipScalar(text []byte, at int) int {
	end := at
	for c := byteAt(text, end); '0' <= c && c <= '9'; c = byteAt(text, end) {
		end++
	}
	if c := byteAt(text, end); end > at && (text[at] != '0' || end == at+1) && c != '.' && c|0x20 != 'e' {
		return end // a whole number, which lists of bytes are full of
	}
	for end < len(text) && strings.IndexByte(",]}: \t\r\n", text[end]) < 0 {
		end++
	}
	if json.Valid(text[at:end]) {
		return end
	}
	return -1
}

// byteAt returns the byte at a place, and 0, which is in no valid JSON, at -1 and past the end.
func byteAt(text []byte, at int) byte {
	if uint(at) < uint(len(text)) {
		return text[at]
	}
	return 0
}

func skipSpace(text []byte, at int) int {
	for c := byteAt(text, at); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = byteAt(text, at) {
		at++
	}
	return at
}

// Shorten cuts a text of others so that it fits into a message.
func Shorten(text string) string {
	const most = 40 // bytes
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…" // the cut may be within a character
	}
	return text
}
