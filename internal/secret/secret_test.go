package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"dds-backup-delete/internal/secret"
)

func TestNeverPrinted(t *testing.T) {
	const plain = "s3cr3t-value"
	holder := struct {
		Key    secret.String
		Keys   []secret.String
		hidden secret.String // no method of an unexported field is ever called
	}{secret.New(plain), []secret.String{secret.New(plain)}, secret.New(plain)}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%t", "%U"} {
		fmt.Fprintf(&out, verb+"\n", holder)
		fmt.Fprintf(&out, verb+"\n", secret.New(plain))
		fmt.Fprintf(&out, verb+"\n", &holder)
	}
	text, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "key", holder.Key, "holder", holder)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "key", holder.Key, "holder", holder)

	hex := fmt.Sprintf("%x", plain)
	if got := out.String(); strings.Contains(got, plain) || strings.Contains(strings.ToLower(got), hex) {
		t.Errorf("the secret was printed:\n%s", got)
	}
	if got := holder.hidden.Reveal(); got != plain {
		t.Errorf("Reveal() = %q", got)
	}
	var zero secret.String
	if zero.Reveal() != "" || !zero.IsZero() || secret.New("") != zero || secret.New(plain) != holder.Key {
		t.Error("equal texts are not equal, or the empty one is not zero")
	}
}
