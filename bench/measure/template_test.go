package measure

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	variables = regexp.MustCompile(`(?ms)^      Environment:\n        Variables:\n(.*?)^      \w`)
	variable  = regexp.MustCompile(`(?m)^          ([A-Z_]+): (.*)$`)
)

// notHere are the variables of template.yaml that every row sets itself.
var notHere = []string{"HUAWEICLOUD_SECRET_ARN", "HUAWEICLOUD_SDK_PROJECT_ID", "DDS_REGION", "OUTCOME_SINK", "LEDGER", "REQUIRE_MANUAL", "FOLLOW"}

func TestTemplate(t *testing.T) {
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	block := variables.FindSubmatch(text)
	if block == nil {
		t.Fatal("template.yaml has no variables of a function")
	}
	ours := make(map[string]string)
	for _, v := range template {
		name, value, _ := strings.Cut(v, "=")
		ours[name] = value
	}
	for _, name := range notHere {
		ours[name] = ""
	}
	for _, v := range variable.FindAllStringSubmatch(string(block[1]), -1) {
		name, value := v[1], strings.Trim(v[2], `"'`)
		got, ok := ours[name]
		if parameter, found := strings.CutPrefix(value, "!Ref "); found {
			value = defaultOf(string(text), parameter)
		}
		switch {
		case !ok:
			t.Errorf("%s: template.yaml sets it, the rows do not", name)
		case got != "" && value != "" && !strings.HasPrefix(value, "!") && got != value:
			t.Errorf("%s: %q in the rows, %q in template.yaml", name, got, value)
		}
	}
}

// defaultOf is the default of a parameter; empty where there is none.
func defaultOf(template, parameter string) string {
	_, after, _ := strings.Cut(template, "\n  "+parameter+":\n")
	for line := range strings.Lines(after) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "Default: "); ok {
			return strings.Trim(value, `"`)
		}
		if !strings.HasPrefix(line, "    ") {
			break
		}
	}
	return ""
}
