package tools_test

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`^#{1,6} (.*)`)
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
)

// anchors returns the anchors of the headings in a page, as GitHub makes them.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	for line := range strings.Lines(fence.ReplaceAllString(text, "")) {
		title := heading.FindStringSubmatch(strings.TrimSpace(line))
		if title == nil {
			continue
		}
		plain := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(title[1], "$1")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mn, r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, plain)
		for n, unique := 1, anchor; ; n++ {
			if !found[unique] {
				found[unique] = true
				break
			}
			unique = fmt.Sprint(anchor, "-", n)
		}
	}
	return found
}

// Each link from one page to another leads to a file and a heading that are there.
func TestLinks(t *testing.T) {
	list, err := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard", "..").Output()
	if err != nil {
		t.Skip("no git, or no repository")
	}
	tracked := make(map[string]bool)
	for name := range strings.FieldsSeq(string(list)) {
		tracked[name] = true
		for dir := path.Dir(name); dir != "." && dir != ".."; dir = path.Dir(dir) {
			tracked[dir] = true
		}
	}
	checked := 0
	for name := range tracked {
		if !strings.HasSuffix(name, ".md") || name == "../bench/tried.md" { // which becomes a part of docs/benchmarks.md
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			checked++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if !tracked[target] {
				t.Errorf("%s: %s: no such file", name, m[1])
				continue
			}
			if anchor == "" || !strings.HasSuffix(target, ".md") {
				continue
			}
			page, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			if !anchors(string(page))[anchor] {
				t.Errorf("%s: %s: no such heading", name, m[1])
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links", checked)
	}
}
