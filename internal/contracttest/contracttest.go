// Package contracttest checks what tests see against the published contracts in api/: the JSON
// Schemas and the HTTP API in OpenAPI. It is for tests only.
package contracttest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Check fails the test if a JSON document does not match a schema, and says why. It takes the same
// schema names as [Valid].
func Check(tb testing.TB, schema string, document []byte) {
	tb.Helper()
	if err := Valid(schema, document); err != nil {
		tb.Errorf("%v\ndocument: %s", err, document)
	}
}

// Valid returns why a JSON document does not match a schema, or nil if it does. The schema is a file
// of api/schemas, for example "outcome.json", or a part of one, for example
// "outcome.json#/$defs/accepted".
//
// It panics if there is no such schema, because a test that expects an error would pass.
func Valid(schema string, document []byte) error {
	return validJSON(schemas+schema, document)
}

// base is the URL of the folder api/. It is not the folder's path, so that error messages are the
// same on every machine.
const (
	base    = "api:///"
	schemas = base + "schemas/"
)

// contracts compiles each schema once. All tests of a process share it.
var contracts struct {
	sync.Mutex

	compiler *jsonschema.Compiler
}

// validJSON is [Valid] for the URL of a schema.
func validJSON(schema string, document []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return validValue(schema, value)
}

// validValue is [validJSON] for a decoded document.
func validValue(schema string, value any) error {
	return compile(schema).Validate(value)
}

func compile(schema string) *jsonschema.Schema {
	contracts.Lock()
	defer contracts.Unlock()
	if contracts.compiler == nil {
		contracts.compiler = jsonschema.NewCompiler()
		contracts.compiler.UseLoader(loader{})
	}
	compiled, err := contracts.compiler.Compile(schema)
	if err != nil {
		panic(err)
	}
	return compiled
}

// loader reads the files of api/, JSON and YAML.
type loader struct{}

// Load implements [jsonschema.URLLoader].
func (loader) Load(address string) (any, error) {
	name, ok := strings.CutPrefix(address, base)
	if !ok {
		return nil, fmt.Errorf("%s is outside of api/", address)
	}
	folder, err := apiFolder()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name))) //nolint:gosec // a test names it
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".yaml") {
		if text, err = yaml.YAMLToJSON(text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

// apiFolder finds api/ in the root of the module, because a test runs in the folder of its package.
func apiFolder() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return filepath.Join(folder, "api"), nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("no go.mod in this folder or above it")
		}
		folder = parent
	}
}

// pointer returns the URL fragment for a place in a document, given the names on the way to it.
func pointer(names []string) string {
	var fragment strings.Builder
	for _, name := range names {
		name = strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		fragment.WriteString("/" + url.PathEscape(name))
	}
	return "#" + fragment.String()
}
