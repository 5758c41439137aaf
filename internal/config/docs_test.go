package config_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"dds-backup-delete/internal/config"
)

// name is a variable in a document.
var name = regexp.MustCompile("`([A-Za-z_]+(?:<REGION>)?)`")

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
			if _, twice := rows[found[1]]; inTable && !twice { // again in the table of aliases
				rows[found[1]] = cells
			}
		}
	}
	return rows
}

// The documents name the variables that the program reads, and their defaults. Only docs/configuration.md
// has all of them.
func TestDocumentedVariables(t *testing.T) {
	read := config.Variables()
	for _, file := range []string{"README.md", "README.zh-CN.md", "docs/configuration.md"} {
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
	all, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range read {
		if !strings.Contains(string(all), "`"+name+"`") {
			t.Errorf("docs/configuration.md: %s is missing", name)
		}
	}
}

// word is what looks like a variable in a text.
var word = regexp.MustCompile(`\b[A-Z]+(?:_[A-Z0-9]+)+\b`)

// The guides name no variable that the program does not read.
func TestVariablesOfTheGuides(t *testing.T) {
	read := config.Variables()
	read["KEYS_ONLY"], read["CGO_ENABLED"] = "", "" // of DynamoDB, and of Go
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
	for name, cells := range variables(t, "docs/configuration.md") {
		if strings.Contains(cells[len(cells)-1], ".pem") || len(cells) != 4 { // there is no such file; an alias
			continue
		}
		example := strings.Trim(strings.TrimSpace(cells[3]), "`")
		env := valid(map[string]string{
			"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "ALLOW_STDOUT": "true",
			"LEDGER": "dynamodb://table", "REQUIRE_MANUAL": "true", // which others need
		})
		env[strings.ReplaceAll(name, "<REGION>", "CN_NORTH_4")] = strings.ReplaceAll(example, "…", "")
		setenv(t, env)
		if _, err := config.Load(); err != nil {
			t.Errorf("%s: example %q: %v", name, example, err)
		}
	}
}
