package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/laptop.md shows what the program prints, apart from what differs between runs.
func TestLaptopPage(t *testing.T) {
	const page = "docs/laptop.md"
	text, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	same := func(line string) string {
		for _, form := range []string{`127\.0\.0\.1:\d+`, `\d+ [dh] +`, `\([0-9a-f]{32}br02\)`, `job [0-9a-f-]{36}`, `^\{"specversion".*`, `: \d+, together .*`} {
			line = regexp.MustCompile(form).ReplaceAllString(line, "*")
		}
		return line
	}
	runs := regexp.MustCompile("(?s)```console\n\\$ go run ./cmd/local ([^\n]*)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(runs) != 3 {
		t.Errorf("%s: %d runs", page, len(runs))
	}
	for _, shown := range runs {
		t.Run(shown[1], func(t *testing.T) {
			realDDS(t)
			var out strings.Builder
			if err := run(t.Context(), strings.Fields(shown[1]), strings.NewReader("yes\n"), &out); err != nil {
				t.Fatal(err)
			}
			// What a person types ends the line.
			printed := strings.ReplaceAll(out.String(), "Type yes to continue: ", "Type yes to continue: yes\n")
			rest := strings.Split(printed, "\n")
			for line := range strings.Lines(shown[2]) {
				line = strings.TrimSuffix(line, "\n")
				if line == "…" {
					continue
				}
				for len(rest) > 0 && same(rest[0]) != same(line) {
					rest = rest[1:]
				}
				if len(rest) == 0 {
					t.Fatalf("%s: %q is not printed in this place by\n%s", page, line, printed)
				}
			}
		})
	}
}
