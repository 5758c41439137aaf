package secret_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"dds-backup-delete/internal/secret"
)

func TestRedact(t *testing.T) {
	const text = `a/canary+"secret"=1`
	s := secret.New(text)
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, spelled := range map[string]string{
		"as it stands": text,
		"in a query":   url.QueryEscape(text),
		"in a path":    url.PathEscape(text),
		"in JSON":      string(quoted),
		"twice":        text + " and " + text,
	} {
		t.Run(name, func(t *testing.T) {
			got := secret.Redact("before " + spelled + " after")
			if strings.Contains(got, "canary") || !strings.Contains(got, secret.Redacted) {
				t.Errorf("got %q", got)
			}
			if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
				t.Errorf("got %q, want the text around it", got)
			}
		})
	}
	if got := secret.Redact("nothing to hide"); got != "nothing to hide" {
		t.Errorf("got %q", got)
	}
	if s.Reveal() != text {
		t.Error("the secret itself changed")
	}
}

// A secret that begins as another is replaced whole.
func TestRedactTheLongest(t *testing.T) {
	secret.New("canary-prefix")
	secret.New("canary-prefix-and-more")
	if got := secret.Redact("x canary-prefix-and-more y"); got != "x "+secret.Redacted+" y" {
		t.Errorf("got %q", got)
	}
}
