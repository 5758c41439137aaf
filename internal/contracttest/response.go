package contracttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Response fails the test if api/openapi.yaml does not allow an HTTP reply to a call, and says why.
// The path is the caller's, without the prefix of a stage. Response checks the status, the content
// type, the required headers and the body.
//
// An unknown path must get 404, and an unknown method 405.
func Response(tb testing.TB, method, path string, status int, contentType string, header map[string]string, body []byte) {
	tb.Helper()
	if err := checkResponse(method, path, status, contentType, header, body); err != nil {
		tb.Errorf("%s %s, reply %d: %v\nbody: %s", method, path, status, err, body)
	}
}

const openAPI = base + "openapi.yaml"

// openAPIDocument is the decoded api/openapi.yaml.
var openAPIDocument = sync.OnceValues(func() (any, error) { return loader{}.Load(openAPI) })

func checkResponse(method, path string, status int, contentType string, header map[string]string, body []byte) error {
	document, err := openAPIDocument()
	if err != nil {
		return err
	}
	place, err := responsePlace(document, method, path, strconv.Itoa(status))
	if err != nil {
		return err
	}
	place, response := resolve(document, place)
	if err := checkHeaders(document, place, response, header); err != nil {
		return err
	}
	if method == http.MethodHead { // whose replies have no body
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("content type %q: %w", contentType, err)
	}
	content := object(response["content"])
	if _, ok := content[media]; !ok {
		return fmt.Errorf("content type %q, want one of %q", contentType, slices.Sorted(maps.Keys(content)))
	}
	return validJSON(openAPI+pointer(join(place, "content", media, "schema")), body)
}

// responsePlace finds the response to a call in the contract. It may be a reference.
func responsePlace(document any, method, path, status string) ([]string, error) {
	template, item := findPath(document, path)
	want := ""
	operation := strings.ToLower(method)
	switch {
	case item == nil:
		if status != "404" {
			return nil, errors.New("the path is unknown, want 404")
		}
		return []string{"components", "responses", "NotFound"}, nil
	case item[operation] == nil: // every method of the path describes the same 405
		want = "405"
		for name := range item {
			if at(item, []string{name, "responses"}) != nil {
				operation = name
			}
		}
	}
	place := []string{"paths", template, operation, "responses"}
	responses := object(at(document, place))
	if responses[status] == nil || want != "" && status != want {
		if want == "" {
			want = strings.Join(slices.Sorted(maps.Keys(responses)), ", ")
		}
		return nil, fmt.Errorf("the status is not in the contract, want %s", want)
	}
	return join(place, status), nil
}

// findPath finds the path of the contract that matches the path of a call.
func findPath(document any, path string) (template string, item map[string]any) {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	segments := strings.Split(path, "/")
	for template, item := range object(at(document, []string{"paths"})) {
		fits := func(want, got string) bool { return want == got || strings.HasPrefix(want, "{") && got != "" }
		if slices.EqualFunc(strings.Split(template, "/"), segments, fits) {
			return template, object(item)
		}
	}
	return "", nil
}

// checkHeaders returns an error for a header that is missing or wrong. It ignores other headers.
func checkHeaders(document any, place []string, response map[string]any, header map[string]string) error {
	for name := range object(response["headers"]) {
		place, declared := resolve(document, join(place, "headers", name))
		value, given := "", false
		for key, v := range header {
			if strings.EqualFold(key, name) {
				value, given = v, true
			}
		}
		if !given {
			if declared["required"] == true {
				return fmt.Errorf("header %s: missing", name)
			}
			continue
		}
		var typed any = value
		if object(declared["schema"])["type"] == "integer" {
			if _, err := strconv.ParseUint(value, 10, 63); err == nil {
				typed = json.Number(value)
			}
		}
		if err := validValue(openAPI+pointer(join(place, "schema")), typed); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	return nil
}

// resolve follows the reference at a place, if there is one.
func resolve(document any, place []string) ([]string, map[string]any) {
	value := object(at(document, place))
	if ref, ok := value["$ref"].(string); ok {
		place = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		value = object(at(document, place))
	}
	return place, value
}

// at returns the value at a place in a document, or nil.
func at(document any, place []string) any {
	for _, name := range place {
		document = object(document)[name]
	}
	return document
}

// object returns the members of an object, or nil for any other value.
func object(value any) map[string]any {
	members, _ := value.(map[string]any)
	return members
}

// join returns a place below another one. The two never share memory.
func join(place []string, names ...string) []string {
	return slices.Concat(place, names)
}
