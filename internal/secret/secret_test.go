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
		Key  secret.String
		Keys []secret.String
	}{plain, []secret.String{plain}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		fmt.Fprintf(&out, verb+"\n", holder)
		fmt.Fprintf(&out, verb+"\n", secret.String(plain))
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
	if got := holder.Key.Reveal(); got != plain {
		t.Errorf("Reveal() = %q", got)
	}
}
