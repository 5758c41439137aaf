package logline_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/logline"
)

// writes notes each call.
type writes []string

func (w *writes) Write(text []byte) (int, error) {
	*w = append(*w, string(text))
	return len(text), nil
}

func TestLinesTogether(t *testing.T) {
	var got writes
	out := logline.NewWriter(&got)
	line := func(text string) {
		if _, err := out.Write([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	line("at once\n")
	out.Together(func() {
		line("one\n")
		out.Together(func() { line("two\n") })
		line("three\n")
	})
	out.Together(func() {})
	func() {
		defer func() { _ = recover() }()
		out.Together(func() {
			line("before the panic\n")
			panic(errors.New("bug"))
		})
	}()
	line("at once again\n")
	if diff := cmp.Diff(writes{"at once\n", "one\ntwo\nthree\n", "before the panic\n", "at once again\n"}, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
