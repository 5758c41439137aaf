package report

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var figure = regexp.MustCompile(`[0-9.]+ (ms|s)\b`)

// TestHeadline holds README's headline to that of docs/benchmarks.md, and its figures in the
// Chinese one.
func TestHeadline(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(text)), " ") // lines may break elsewhere
	}
	text, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), headlineTitle+"\n\n")
	if !found {
		t.Skip("docs/benchmarks.md is from before there was a headline; make bench writes one")
	}
	line, _, _ := strings.Cut(after, "\n")
	if readme := read("README.md"); !strings.Contains(readme, line) {
		t.Errorf("README.md lacks the headline of docs/benchmarks.md:\n%s", line)
	}
	chinese := read("README.zh-CN.md")
	results, _, _ := strings.Cut(line, "Conditions:")
	for _, f := range figure.FindAllStringSubmatch(results, -1) {
		want := strings.NewReplacer(" ms", " 毫秒", " s", " 秒").Replace(f[0])
		if !strings.Contains(chinese, want) {
			t.Errorf("README.zh-CN.md lacks %q of the headline", want)
		}
	}
}
