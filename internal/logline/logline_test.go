package logline_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"dds-backup-delete/internal/logline"
	"dds-backup-delete/internal/secret"
)

// most is how long a line of CloudWatch Logs can be, in bytes.
const most = 256<<10 - 26

// write writes one line and returns its members.
func write(t *testing.T, log func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(slog.New(logline.Bounded(slog.NewJSONHandler(&out, nil))))
	if out.Len() > most {
		t.Errorf("the line has %d bytes", out.Len())
	}
	var members map[string]any
	if err := json.Unmarshal(out.Bytes(), &members); err != nil || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
		t.Fatalf("error %v: no line of JSON: %.200q", err, out.String())
	}
	return members
}

// However long the values are and whatever they contain, the line stays short, is JSON, and keeps its
// last value.
func TestALineStaysShort(t *testing.T) {
	for name, unit := range map[string]string{
		"letters": "a", "quotes": `"`, "control characters": "\x01", "line ends": "\n", "four bytes": "\U0001F5D1", "three": "世", "separators": "\u2028",
		"no text": "\xff", "replacements": "\uFFFD", "a mixture": "a\"\x00\xff世<&>",
	} {
		t.Run(name, func(t *testing.T) {
			long := strings.Repeat(unit, 400_000/len(unit))
			list, job := []string{long, long}, strings.Repeat("j", 512)
			members := write(t, func(l *slog.Logger) {
				l.With("with", long, "group", slog.GroupValue(slog.String("a", long), slog.Any("b", list))).Error(long,
					"a", long, "b", long, "c", list, "d", errors.New(long), "e", json.RawMessage(`{"m":"x"}`), "f", slog.StringValue(long),
					"g", long, "h", long, "i", long, "j", long, "k", long, "m", long, "n", long, "o", long, "job_id", job)
			})
			if members["job_id"] != job {
				t.Errorf("job_id %v", members["job_id"])
			}
			if a, _ := members["a"].(string); len(a) < 1000 || !utf8.ValidString(a) || !strings.Contains(a, "bytes cut)") {
				t.Errorf("a is %d bytes: %.100q", len(a), a)
			}
		})
	}
}

// Short values are not changed.
func TestShortValuesStay(t *testing.T) {
	id := strings.Repeat("\U0001F5D1", 1024) // the longest id that a request may have
	members := write(t, func(l *slog.Logger) {
		l.With("request_id", id).WithGroup("g").Info("m", "n", 7, "list", []string{"a"}, "metadata", json.RawMessage(`{"a":[1,"2"]}`), "error", errors.New("e"))
	})
	g, _ := members["g"].(map[string]any)
	metadata, err := json.Marshal(g["metadata"])
	if members["request_id"] != id || members["msg"] != "m" || g["n"] != 7.0 || g["error"] != "e" || err != nil || string(metadata) != `{"a":[1,"2"]}` {
		t.Errorf("members %v", members)
	}
}

// A note says how much is missing, and the cut is at the end of a character.
func TestTheCutIsNamed(t *testing.T) {
	members := write(t, func(l *slog.Logger) { l.Info("m", "a", strings.Repeat("世", 10_000)) })
	text, _ := members["a"].(string)
	kept, note, _ := strings.Cut(text, "…")
	if want := len("世") * (10_000 - utf8.RuneCountInString(kept)); note != fmt.Sprintf(" (%d bytes cut)", want) {
		t.Errorf("%d kept, note %q", len(kept), note)
	}
}

// A secret is replaced everywhere, even where the cut would go through it.
func TestNoSecretInALine(t *testing.T) {
	const canary = "canary-in-the-log"
	secret.New(canary)
	members := write(t, func(l *slog.Logger) {
		l.Info(canary, "a", "x"+canary, "b", strings.Repeat("x", 16<<10-40)+canary+strings.Repeat("x", 100), "c", []string{canary}, "d", errors.New(canary))
	})
	for key, value := range members {
		text, err := json.Marshal(value)
		if err != nil || strings.Contains(string(text), "canary") {
			t.Errorf("%s: %.200s", key, text)
		}
	}
}

func BenchmarkHandle(b *testing.B) {
	secret.New("AKIAIOSFODNN7EXAMPLE")
	secret.New("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	for name, h := range map[string]slog.Handler{
		"plain":   slog.NewJSONHandler(new(bytes.Buffer), nil),
		"bounded": logline.Bounded(slog.NewJSONHandler(new(bytes.Buffer), nil)),
	} {
		b.Run(name, func(b *testing.B) {
			l := slog.New(h)
			for b.Loop() {
				l.Info("outcome", "request_id", "4fce6432-6221-41a2-86dc-c5557e824cf3", "project_id", "0549b4a43100d4f32f51c01c2fe4acdb",
					"backup_id", "8d9586c40b33449a815518d4635a2cd9br02", "job_id", "3711e2ad-5787-49bc-a47f-3f0b066af9f5", "status", "accepted", "dds_ms", 12)
			}
		})
	}
}
