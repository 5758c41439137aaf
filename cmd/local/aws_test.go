package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dds-backup-delete/internal/sink/sinktest"
)

// A profile is enough on a laptop: no key needs to be in the environment.
func TestRealWithAProfile(t *testing.T) {
	inProject(t)
	server := realDDS(t)
	bus := sinktest.NewEventBridge(nil)
	t.Cleanup(bus.Close)
	dir := t.TempDir()
	profile := "[sandbox]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = secret\n"
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "sandbox", "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"), "AWS_CONFIG_FILE": filepath.Join(dir, "config"),
		"OUTCOME_SINK":                 "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes",
		"AWS_ENDPOINT_URL_EVENTBRIDGE": bus.URL,
	} {
		t.Setenv(name, value)
	}
	if err := run(t.Context(), []string{"-real", "-yes", "events/sqs.json"}, nil, io.Discard); err != nil {
		t.Fatal(err)
	}
	if len(server.Jobs()) != 1 || len(bus.Taken()) != 1 {
		t.Errorf("%d jobs and %d events, want one each", len(server.Jobs()), len(bus.Taken()))
	}
	if keys := bus.Keys(); len(keys) != 1 || !strings.HasPrefix(keys[0], "AKIAPROFILE") {
		t.Errorf("calls signed with the keys %q", keys)
	}
}
