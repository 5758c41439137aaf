// Package contracttest holds what tests see to the published contracts below api/: the JSON
// Schemas, and the HTTP API in OpenAPI. It is for tests only.
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

// Check fails the test where a JSON document does not fit a schema, and says why. The schema is
// named as in [Valid].
func Check(tb testing.TB, schema string, document []byte) {
	tb.Helper()
	if err := Valid(schema, document); err != nil {
		tb.Errorf("%v\ndocument: %s", err, document)
	}
}

// Valid returns why a JSON document does not fit a schema, or nil where it does. The schema is a
// file of api/schemas, as "outcome.json", or a part of one, as "outcome.json#/$defs/accepted".
//
// It panics where there is no such schema: a test that wants a document refused would pass.
func Valid(schema string, document []byte) error {
	return validJSON(schemas+schema, document)
}

// base is the URL of the folder api/. It is not the folder's path, so that what is said of a
// document is the same on every machine.
const (
	base    = "api:///"
	schemas = base + "schemas/"
)

// contracts compiles schemas, each once. It is shared by all tests of a process.
var contracts struct {
	sync.Mutex

	compiler *jsonschema.Compiler
}

// validJSON is [Valid] with the URL of the schema.
func validJSON(schema string, document []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	return validValue(schema, value)
}

// validValue is [validJSON] for a document that is decoded already.
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

// apiFolder finds api/ in the root of the module: a test runs in the folder of its package.
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
			return "", errors.New("no go.mod here or above")
		}
		folder = parent
	}
}

// pointer returns the URL fragment of the place in a document that the names lead to.
func pointer(names []string) string {
	var fragment strings.Builder
	for _, name := range names {
		name = strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		fragment.WriteString("/" + url.PathEscape(name))
	}
	return "#" + fragment.String()
}
