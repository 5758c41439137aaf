package secret_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
		"in base64":    base64.StdEncoding.EncodeToString([]byte(text)),
		"in hex":       hex.EncodeToString([]byte(text)),
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

// A secret that begins like another one is replaced as a whole.
func TestRedactTheLongest(t *testing.T) {
	secret.New("canary-prefix")
	secret.New("canary-prefix-and-more")
	if got := secret.Redact("x canary-prefix-and-more y"); got != "x "+secret.Redacted+" y" {
		t.Errorf("got %q", got)
	}
}

// Services and proxies shorten, wrap and fold what they repeat.
func TestRedactParts(t *testing.T) {
	const text = "MIIFuQYJKoZIhvcNAQcCoIIFqjCCBaYCAQExDTALBglghkgBZQMEAgEwggPHBgkq"
	secret.New(text)
	for name, spelled := range map[string]string{
		"cut off at the end":       text[:30],
		"cut off at the beginning": text[17:],
		"from the middle":          text[13:40],
		"in lower case":            strings.ToLower(text),
		"in lines":                 text[:20] + "\r\n" + text[20:41] + "\n " + text[41:],
		"escaped":                  text[:20] + `\` + text[20:],
	} {
		if got, want := secret.Redact("before "+spelled+" after"), "before "+secret.Redacted+" after"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, ordinary := range []string{"MIIFuQYJKoZ", "verify aksk signature fail", "é, ü and 一"} {
		if got := secret.Redact(ordinary); got != ordinary {
			t.Errorf("%q became %q", ordinary, got)
		}
	}
}

// A short secret is replaced as a word of its own. The same letters inside of an id stay.
func TestRedactShort(t *testing.T) {
	secret.New("8d95")
	if got := secret.Redact("user:8d95@host of 8d9586c40b33br02, 8d95"); got != "user:REDACTED@host of 8d9586c40b33br02, REDACTED" {
		t.Errorf("got %q", got)
	}
}

// However a secret was cut and encoded, nothing of it is left that is as long as a piece, and less than
// that only at its two ends.
func TestPartsOfSpellings(t *testing.T) {
	const text = "u5mE6uQa4+HeZF29GlUzscpGWDbi+rmE/4XjhCif"
	secret.New(text)
	for name, spelling := range map[string]string{"plain": text, "in a query": url.QueryEscape(text), "in a path": url.PathEscape(text)} {
		for from := range len(spelling) - 24 {
			for to := from + 24; to <= len(spelling); to++ {
				got := secret.Redact("<" + spelling[from:to] + ">")
				left, right, found := strings.Cut(got, secret.Redacted)
				if !found || len(left) > 12 || len(right) > 12 || strings.Contains(right, secret.Redacted) {
					t.Fatalf("%s, %d to %d: %q of %q", name, from, to, got, spelling[from:to])
				}
			}
		}
	}
	if got := secret.Redact("5mE6uQa4+HeZF29GlUzscpGWDbi+rmE/4XjhCif"); got != secret.Redacted {
		t.Errorf("without its first character: %q", got)
	}
}

// Temporary secrets come for ever. The last ones are redacted, and no lasting one is displaced.
func TestTemporarySecrets(t *testing.T) {
	lasting := "a-lasting-secret-of-the-process"
	secret.New(lasting)
	temporary := func(i int) string { return fmt.Sprintf("temporary-%x", sha256.Sum256(fmt.Append(nil, i))) }
	const reused = 0
	for i := range 1000 {
		secret.NewTemporary(temporary(i))
		secret.NewTemporary(temporary(reused))
	}
	for text, hidden := range map[string]bool{lasting: true, temporary(reused): true, temporary(999): true, temporary(960): true, temporary(500): false} {
		if got := secret.Redact("x " + text + " y"); (got == "x "+secret.Redacted+" y") != hidden {
			t.Errorf("%s became %s", text, got)
		}
	}
}
