// Package examples_test holds the recipes of this folder to the code: what each of them sends is a
// request to the real decoder, and the error names and types they match are those of the program.
package examples_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
)

// backup is one of the sample backups.
const backup = "8d9586c40b33449a815518d4635a2cd9br02"

// newHandler returns the whole function over a simulated DDS that has the sample backups.
func newHandler(t *testing.T) (*app.App, *ddstest.Server) {
	t.Helper()
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	server.Add(ddstest.SampleBackups()...)
	return handlerOver(t, server), server
}

// handlerOver returns the whole function over that DDS.
func handlerOver(t *testing.T, server *ddstest.Server) *app.App {
	t.Helper()
	h, err := app.New(t.Context(), &config.Config{
		Credentials: config.Credentials{Keys: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)}},
		ProjectID:   ddstest.ProjectID,
		Region:      ddstest.Region,
		Endpoints:   map[string]string{ddstest.Region: server.URL()},
		Concurrency: 8,
		Sink:        config.Sink{Kind: config.Stdout},
		Ledger:      config.Ledger{Kind: config.Memory},
	}, slog.New(slog.DiscardHandler), new(bytes.Buffer), app.Links{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// checkMessage fails the test unless the body of a message asks for the deletion of [backup], and
// is answered by it.
func checkMessage(t *testing.T, body string) {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"messageId": "m", "receiptHandle": "r", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:requests", "body": body,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := new(event.Decoder).Decode(payload, event.Invocation{ID: "invocation"})
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Requests) != 1 || batch.Requests[0].Err != nil || batch.Requests[0].BackupID != backup {
		t.Fatalf("body %s: requests %+v", body, batch.Requests)
	}
	h, server := newHandler(t)
	reply, err := h.Handle(t.Context(), event.Invocation{ID: "invocation"}, payload)
	if _, there := server.Backup(backup); there || err != nil || string(reply) != `{"batchItemFailures":[]}` {
		t.Errorf("reply %s, error %v; the backup is there: %v", reply, err, there)
	}
}

// runWithAWS runs a script with an aws command that answers with what the script asks for and
// writes down the arguments of each call. It returns those of the last one, by option.
func runWithAWS(t *testing.T, script string, args ...string) (command string, options map[string]string) {
	t.Helper()
	dir := t.TempDir()
	// One argument a line, and an empty line behind each call: no argument of ours is empty.
	fake := `#!/bin/sh
for argument in "$@"; do printf '%s\0' "$argument"; done >"` + dir + `/call"
case "$*" in *OutputKey==\'*)
  printf 'arn:aws:x:eu-central-1:123456789012:%s\n' "$(printf '%s' "$*" | sed "s/.*OutputKey=='\([A-Za-z]*\)'.*/\1/")"
esac
`
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), script, args...)
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	call, err := os.ReadFile(filepath.Join(dir, "call"))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(strings.TrimSuffix(string(call), "\x00"), "\x00")
	options = make(map[string]string)
	for i := 2; i+1 < len(words); i += 2 {
		options[words[i]] = words[i+1]
	}
	return strings.Join(words[:2], " "), options
}

func TestQueueCommand(t *testing.T) {
	command, options := runWithAWS(t, "queue-command/delete-backup", "https://sqs.eu-central-1.amazonaws.com/123456789012/requests", backup)
	if command != "sqs send-message" {
		t.Errorf("aws %s", command)
	}
	checkMessage(t, options["--message-body"])
}

func TestExpireAfterDays(t *testing.T) {
	before := time.Now().Add(30 * 24 * time.Hour)
	command, options := runWithAWS(t, "expire-after-days/expire", "backup-expiry", backup, "30")
	at, err := time.Parse("at(2006-01-02T15:04:05)", options["--schedule-expression"])
	if err != nil || at.Before(before.Add(-time.Minute)) || at.After(before.Add(time.Minute)) {
		t.Errorf("at %v (%v), want %v", at, err, before)
	}
	if command != "scheduler create-schedule" || options["--action-after-completion"] != "DELETE" || options["--name"] != backup ||
		options["--group-name"] != "backup-expiry" || options["--flexible-time-window"] != "Mode=OFF" || options["--schedule-expression-timezone"] != "UTC" {
		t.Errorf("aws %s %q", command, options)
	}
	var target struct {
		Arn, RoleArn, Input string
		DeadLetterConfig    struct{ Arn string }
	}
	if err := json.Unmarshal([]byte(options["--target"]), &target); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(target.Arn, ":RequestQueueArn") || !strings.HasSuffix(target.RoleArn, ":RoleArn") || !strings.HasSuffix(target.DeadLetterConfig.Arn, ":DeadLetterQueueArn") {
		t.Errorf("target %+v", target)
	}
	checkMessage(t, target.Input)

	outputs, ok := document(t, "expire-after-days/template.yaml")["Outputs"].(map[string]any)
	for _, name := range []string{"RequestQueueArn", "DeadLetterQueueArn", "RoleArn"} {
		if _, there := outputs[name]; !ok || !there {
			t.Errorf("the template has no output %s", name)
		}
	}
}

func TestDynamoDBCommand(t *testing.T) {
	text, err := os.ReadFile("dynamodb-command/record.json")
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	template := document(t, "dynamodb-command/template.yaml")
	pattern := map[string]any{}
	if err := json.Unmarshal([]byte(at[string](t, template, "Resources.Pipe.Properties.SourceParameters.FilterCriteria.Filters.0.Pattern")), &pattern); err != nil {
		t.Fatal(err)
	}
	if !matches(pattern, record) {
		t.Error("the filter does not let the sample pass")
	}
	for _, other := range []string{
		strings.Replace(string(text), "INSERT", "MODIFY", 1),
		strings.Replace(string(text), `"delete_backup"`, `"keep_backup"`, 1),
		strings.Replace(string(text), `"backup_id"`, `"backup"`, 1),
	} {
		var record map[string]any
		if err := json.Unmarshal([]byte(other), &record); err != nil {
			t.Fatal(err)
		}
		if matches(pattern, record) {
			t.Errorf("the filter lets pass: %s", other)
		}
	}
	input := at[string](t, template, "Resources.Pipe.Properties.TargetParameters.InputTemplate")
	checkMessage(t, variable.ReplaceAllStringFunc(input, func(v string) string {
		return at[string](t, record, strings.TrimPrefix(v[1:len(v)-1], "$."))
	}))
}

// variable is a path in the input template of a pipe.
var variable = regexp.MustCompile(`<\$\.[A-Za-z_.]+>`)

// matches is what a filter of a pipe does, as far as the example needs it: values by equality, and
// whether something exists. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-filtering.html
func matches(pattern map[string]any, value any) bool {
	object, _ := value.(map[string]any)
	for name, want := range pattern {
		have, there := object[name]
		switch want := want.(type) {
		case map[string]any:
			if !matches(want, have) {
				return false
			}
		case []any:
			if !slices.ContainsFunc(want, func(one any) bool {
				if rule, ok := one.(map[string]any); ok {
					return rule["exists"] == there
				}
				return there && one == have
			}) {
				return false
			}
		}
	}
	return true
}

// document reads a YAML file whose tags, as those of CloudFormation, are left aside.
func document(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var parsed map[string]any
	if err := yaml.Unmarshal(tag.ReplaceAll(text, []byte("$1")), &parsed); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return parsed
}

var tag = regexp.MustCompile(`([ \[])![A-Z][A-Za-z]+ `)

// at returns what is at a path of names and indices.
func at[T any](t *testing.T, value any, path string) T {
	t.Helper()
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(v) {
				t.Fatalf("no %s in %s", name, path)
			}
			value = v[i]
		default:
			t.Fatalf("no %s in %s", name, path)
		}
	}
	found, ok := value.(T)
	if !ok {
		t.Fatalf("%s is a %T", path, value)
	}
	return found
}
