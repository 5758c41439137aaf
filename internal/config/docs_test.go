package config_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"dds-backup-delete/internal/config"
)

// name is a variable in a document.
var name = regexp.MustCompile("`([A-Z_]+)`")

// variables returns the cells of each row of a document's tables by the variables in the first cell.
func variables(t *testing.T, file string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	inTable := false
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") {
			inTable = false
			continue
		}
		inTable = inTable || strings.Contains(cells[0], "variable") || strings.Contains(cells[0], "变量")
		for _, found := range name.FindAllStringSubmatch(cells[0], -1) {
			if inTable {
				rows[found[1]] = cells
			}
		}
	}
	return rows
}

// The READMEs name variables that the program reads, and their defaults. TestConfigurationPage is about the page
// that has all of them.
func TestDocumentedVariables(t *testing.T) {
	read := config.Variables()
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		documented := variables(t, file)
		if len(documented) < 10 {
			t.Errorf("%s: variables %v", file, documented)
		}
		for name, cells := range documented {
			def, exists := read[name]
			if !exists {
				t.Errorf("%s: %s is not read", file, name)
			}
			if def != "" && !strings.Contains(cells[2], "`"+def+"`") {
				t.Errorf("%s: %s: default %s, but it is %s", file, name, cells[2], def)
			}
		}
	}
}

// word is what looks like a variable in a text.
var word = regexp.MustCompile(`\b[A-Z]+(?:_[A-Z0-9]+)+\b`)

// The guides name no variable that the program does not read.
func TestVariablesOfTheGuides(t *testing.T) {
	read := config.Variables()
	read["KEYS_ONLY"], read["CGO_ENABLED"], read["REDISCLI_AUTH"] = "", "", "" // of DynamoDB, Go and redis-cli
	for _, file := range []string{"docs/functiongraph.md", "docs/zh/functiongraph.md"} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		names := word.FindAllString(string(text), -1)
		if len(names) < 20 {
			t.Errorf("%s: variables %v", file, names)
		}
		for _, name := range names {
			if _, exists := read[name]; !exists {
				t.Errorf("%s: %s is not read", file, name)
			}
		}
	}
}

// Each example in docs/configuration.md is a value that the program takes.
func TestDocumentedExamples(t *testing.T) {
	for _, group := range reference {
		for _, r := range group.rows {
			if strings.HasSuffix(r.example, ".pem") { // there is no such file
				continue
			}
			for _, name := range strings.Fields(r.names) {
				env := valid(map[string]string{
					"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "ALLOW_STDOUT": "true",
					"LEDGER": "dynamodb://table", "REQUIRE_MANUAL": "true", // which others need
				})
				env[strings.ReplaceAll(name, "<REGION>", "CN_NORTH_4")] = strings.ReplaceAll(r.example, "…", "")
				setenv(t, env)
				if _, err := config.Load(); err != nil {
					t.Errorf("%s: example %q: %v", name, r.example, err)
				}
			}
		}
	}
}
