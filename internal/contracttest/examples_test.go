package contracttest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every example matches the schema next to it, and every content with a schema has an example.
func TestExamplesOfOpenAPI(t *testing.T) {
	document, err := openAPIDocument()
	if err != nil {
		t.Fatal(err)
	}
	media := 0
	walk(document, nil, func(place []string, members map[string]any) {
		if members["schema"] == nil {
			return
		}
		inContent := len(place) > 1 && place[len(place)-2] == "content"
		if inContent {
			media++
		}
		examples := object(members["examples"])
		if example, ok := members["example"]; ok {
			check(t, openAPI, join(place, "schema"), join(place, "example"), example)
		} else if inContent && len(examples) == 0 {
			t.Errorf("%s: no example", strings.Join(place, " "))
		}
		for name := range examples {
			_, example := resolve(document, join(place, "examples", name))
			check(t, openAPI, join(place, "schema"), join(place, "examples", name), example["value"])
		}
	})
	if media < 15 {
		t.Errorf("%d contents with a schema were found", media)
	}
	for name := range object(at(document, []string{"components", "examples"})) {
		if !refers(document, "#/components/examples/"+name) {
			t.Errorf("example %s: not used", name)
		}
	}
}

// refers reports whether a document contains a reference.
func refers(document any, ref string) (found bool) {
	walk(document, nil, func(_ []string, members map[string]any) { found = found || members["$ref"] == ref })
	return found
}

// The same holds for messages. Their headers may come from a trait.
func TestExamplesOfAsyncAPI(t *testing.T) {
	const asyncAPI = base + "asyncapi.yaml"
	document, err := loader{}.Load(asyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	messages := object(at(document, []string{"components", "messages"}))
	if len(messages) != 10 {
		t.Errorf("messages %q", slices.Sorted(maps.Keys(messages)))
	}
	for name, value := range messages {
		place, message := []string{"components", "messages", name}, object(value)
		headers := join(place, "headers")
		if traits, ok := message["traits"].([]any); ok {
			trait := strings.TrimPrefix(object(traits[0])["$ref"].(string), "#/") //nolint:forcetypeassert // a test
			headers = strings.Split(trait+"/headers", "/")
		}
		examples, _ := message["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("%s: no example", name)
		}
		for i, value := range examples {
			example := object(value)
			check(t, asyncAPI, join(place, "payload"), join(place, "examples", strconv.Itoa(i)), example["payload"])
			if h, ok := example["headers"]; ok {
				check(t, asyncAPI, headers, join(place, "examples", strconv.Itoa(i)), h)
			}
		}
	}
}

func check(t *testing.T, file string, schema, place []string, example any) {
	t.Helper()
	if example == nil {
		t.Errorf("%s: nothing there", strings.Join(place, " "))
	} else if err := validValue(file+pointer(schema), example); err != nil {
		t.Errorf("%s: %v", strings.Join(place, " "), err)
	}
}

// walk calls visit for every object of a document, outermost first.
func walk(value any, place []string, visit func(place []string, members map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		visit(place, value)
		for name, inner := range value {
			walk(inner, join(place, name), visit)
		}
	case []any:
		for i, inner := range value {
			walk(inner, join(place, strconv.Itoa(i)), visit)
		}
	}
}
