package sink_test

import (
	"bytes"
	"errors"
	"testing"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink"
)

func TestStdoutWritesALineAnEvent(t *testing.T) {
	var out bytes.Buffer
	events := []deletion.Event{{JSON: []byte(`{"id":"id-0"}`)}, {JSON: []byte(`{"id":"id-1"}`)}}
	for _, err := range sink.NewStdout(&out).Publish(t.Context(), events) {
		if err != nil {
			t.Error(err)
		}
	}
	if got, want := out.String(), "{\"id\":\"id-0\"}\n{\"id\":\"id-1\"}\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestStdoutThatCannotBeWritten(t *testing.T) {
	for i, err := range sink.NewStdout(brokenPipe{}).Publish(t.Context(), someEvents(2)) {
		if err == nil {
			t.Errorf("event %d counts as published", i)
		}
	}
}
