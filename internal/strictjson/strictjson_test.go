package strictjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"dds-backup-delete/internal/strictjson"
)

func ExampleParse() {
	value, err := strictjson.Parse([]byte(`{"a": "text", "b": [1, {}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	members, err := value.Object()
	text, _ := members.Text("a")
	fmt.Println(text, members.Has("A"), err)
	value, _ = strictjson.Parse([]byte(`{"a": 1, "\u0061": 2}`))
	_, err = value.Object()
	fmt.Println(err)
	// Output:
	// text false <nil>
	// an object in which "a" is given twice
}

func TestWhatIsNotJSON(t *testing.T) {
	for text, says := range map[string]string{
		"":                         "empty; expected a JSON object",
		" \n":                      "empty; expected a JSON object",
		"\ufeff":                   "empty; expected a JSON object",
		"{\x00\"\x00":              "text in UTF-16",
		"\xff\xfe{\x00":            "text in UTF-16",
		"\"\xff\"":                 "3 bytes that are not UTF-8",
		`{"a":1`:                   "malformed JSON at byte 6 of 6",
		`{"a":1} {}`:               "malformed JSON at byte 9 of 10",
		strings.Repeat("[", 10001): "nested too deep; expected 10000 levels at the most",
		strings.Repeat("[", 10001) + strings.Repeat("]", 10001): "nested too deep; expected 10000 levels at the most",
	} {
		if _, err := strictjson.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.20q: error %v, want one that says %q", text, err, says)
		}
	}
}

// A name that comes twice is found in small objects and in large ones, and there is a limit to both
// objects and arrays.
func TestBounds(t *testing.T) {
	object := func(names int, more string) strictjson.Value {
		var text strings.Builder
		for i := range names {
			fmt.Fprintf(&text, `"n%d":%d,`, i, i)
		}
		value, err := strictjson.Parse([]byte("{" + strings.TrimSuffix(text.String()+more, ",") + "}"))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	for _, names := range []int{1, 31, 32, 33, 9999} {
		if _, err := object(names, `"n0":0`).Object(); err == nil || !strings.Contains(err.Error(), `"n0" is given twice`) {
			t.Errorf("%d names: error %v", names, err)
		}
		if members, err := object(names, `"x":0`).Object(); err != nil || len(members) != names+1 {
			t.Errorf("%d names: %d members, error %v", names, len(members), err)
		}
	}
	if _, err := object(10_001, "").Object(); err == nil || err.Error() != "an object of more than 10000 members" {
		t.Errorf("error %v", err)
	}
	list := strictjson.Value("[" + strings.Repeat("0,", 10_000) + "0]")
	if _, err := list.Array(); err == nil || err.Error() != "an array of more than 10000 elements" {
		t.Errorf("error %v", err)
	}
}

// FuzzParse holds the parts that are handed out against what encoding/json finds.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`{"a":[1,"\"]",{"b":null}], "c" : true}`, "\ufeff[ ]", ` [ -1e5 , "\u00e4\\" , {} ] `, `[0, 10, 01, -0.5E+3, tru, {"a":false,}]`, "[\"\t\"]", `"a"`, `{"\u0061":"\ud800"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		value, err := strictjson.Parse(text)
		if valid := json.Valid(bytes.Trim(strictjson.TrimMark(text), " \t\r\n")) && utf8.Valid(text); (err == nil) != valid {
			t.Fatalf("error %v, but JSON: %t", err, valid)
		}
		var members strictjson.Object
		if err == nil && value.Kind() != "array" {
			members, err = value.Object()
		}
		both, inOnePass, inOne := strictjson.ParseObject(text)
		if fmt.Sprint(err) != fmt.Sprint(inOne) || (err == nil && (!bytes.Equal(both, value) || !reflect.DeepEqual(members, inOnePass))) {
			t.Fatalf("in one pass %q, %v, error %v; want %q, %v, error %v", both, inOnePass, inOne, value, members, err)
		}
		if value != nil {
			compare(t, value)
		}
	})
}

func compare(t *testing.T, value strictjson.Value) {
	t.Helper()
	switch value.Kind() {
	case "object":
		members, err := value.Object()
		if err != nil {
			return // a name comes twice, or there are too many
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(value, &want); err != nil || len(want) != len(members) {
			t.Fatalf("%d members, want %d, error %v", len(members), len(want), err)
		}
		for _, m := range members {
			if !bytes.Equal(m.Value, want[string(m.Name)]) {
				t.Fatalf("%q is %q, want %q", m.Name, m.Value, want[string(m.Name)])
			}
			compare(t, m.Value)
		}
	case "array":
		elements, err := value.Array()
		if err != nil {
			return
		}
		var want []json.RawMessage
		if err := json.Unmarshal(value, &want); err != nil || len(want) != len(elements) || value.IsEmptyArray() != (len(want) == 0) {
			t.Fatalf("%d elements, want %d, error %v", len(elements), len(want), err)
		}
		for i, e := range elements {
			if !bytes.Equal(e, want[i]) {
				t.Fatalf("element %d is %q, want %q", i, e, want[i])
			}
			compare(t, e)
		}
	case "string":
		text, _ := value.Text()
		var want string
		if err := json.Unmarshal(value, &want); err != nil || text != want {
			t.Fatalf("text %q, want %q, error %v", text, want, err)
		}
	}
}
