package main_test

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/functiongraphtest"
)

// guides are the documents for the users of FunctionGraph.
var guides = []string{"../../docs/functiongraph.md", "../../docs/zh/functiongraph.md"}

// A quoted message, in the first cell of a row.
var quoted = regexp.MustCompile("(?m)^\\| `([^`]{11,} [^`]+)` \\|")

// A block of code.
var block = regexp.MustCompile("(?ms)^ *```(json|sh|)\n(.*?)^ *```$")

// translated is what differs between the documents in a block of code: comments and placeholders.
var translated = regexp.MustCompile(`(?m)\s+# .*$|<[^<>\s][^<>]*>`)

// jobID is what differs each time in an answer.
var jobID = regexp.MustCompile(`"job_id":"[^"]+"`)

// pattern returns what matches a quotation, in which … stands for anything. Space and job ids do not count.
func pattern(quotation string) *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(squeeze(quotation)), "…", ".*"))
}

func squeeze(s string) string {
	return jobID.ReplaceAllString(strings.Join(strings.Fields(s), ""), `"job_id":"…"`)
}

// The messages and answers that the documents quote are those of the program, and both documents have the same ones.
func TestGuides(t *testing.T) {
	t.Parallel()
	var said []string
	for line := range strings.Lines(strings.ReplaceAll(everythingSaid(t), `\"`, `"`)) {
		said = append(said, squeeze(line))
	}
	var messages, blocks [][]string
	for _, name := range guides {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var found, answers, code []string
		for _, row := range quoted.FindAllStringSubmatch(string(text), -1) {
			found = append(found, row[1])
		}
		for _, b := range block.FindAllStringSubmatch(string(text), -1) {
			code = append(code, squeeze(translated.ReplaceAllString(b[2], "")))
			switch {
			case b[1] == "" && strings.Contains(b[2], `"level"`):
				answers = append(answers, strings.Split(strings.TrimSpace(b[2]), "\n")...)
			case strings.Contains(b[2], `"status":`) || strings.Contains(b[2], `"errorMessage":`):
				answers = append(answers, b[2])
			}
		}
		if len(found) < 20 || len(answers) < 5 {
			t.Errorf("%s: %d messages, %d answers", name, len(found), len(answers))
		}
		for _, quotation := range slices.Concat(found, answers) {
			if !slices.ContainsFunc(said, pattern(quotation).MatchString) {
				t.Errorf("%s: the program does not say %s", name, quotation)
			}
		}
		messages, blocks = append(messages, found), append(blocks, code)
	}
	if !slices.Equal(messages[0], messages[1]) || !slices.Equal(blocks[0], blocks[1]) {
		t.Errorf("the documents quote different messages or code:\n%q\n%q\n%q\n%q", messages[0], messages[1], blocks[0], blocks[1])
	}
}

// What the documents say of the Terraform module is there, and the policy to paste has its actions.
func TestGuidesAndTerraform(t *testing.T) {
	files := make(map[string]string)
	for _, name := range []string{"main.tf", "variables.tf", "outputs.tf"} {
		text, err := os.ReadFile("../../deploy/functiongraph/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	action := regexp.MustCompile(`"(?:dds|smn|vpc):\w+:\w+"`)
	actions := slices.Sorted(slices.Values(action.FindAllString(files["main.tf"], -1)))
	for _, name := range guides {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if pasted := slices.Sorted(slices.Values(action.FindAllString(string(text), -1))); !slices.Equal(pasted, actions) {
			t.Errorf("%s: the policy has %v, the module %v", name, pasted, actions)
		}
		_, section, _ := strings.Cut(string(text), "](../deploy/functiongraph)")
		if section == "" {
			_, section, _ = strings.Cut(string(text), "](../../deploy/functiongraph)")
		}
		section, _, _ = strings.Cut(section, "\n## ")
		names := regexp.MustCompile("(?m)(?:output |TF_VAR_|`|^)([a-z]+(?:_[a-z]+)*)(?:`| += |=|$)").FindAllStringSubmatch(section, -1)
		if len(names) < 10 {
			t.Errorf("%s: names %v", name, names)
		}
		for _, found := range names {
			if !strings.Contains(files["variables.tf"], `variable "`+found[1]+`"`) && !strings.Contains(files["outputs.tf"], `output "`+found[1]+`"`) && found[1] != "sh" {
				t.Errorf("%s: the module has no %s", name, found[1])
			}
		}
	}
}

// everythingSaid returns the log, the answers and the errors at start of functions that meet what the documents tell of.
func everythingSaid(t *testing.T) string {
	t.Helper()
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	server.Add(ddstest.SampleBackups()...)
	server.AddKeys(keys.Access, keys.Secret, keys.Token)
	server.Inject(
		ddstest.Answer(http.StatusForbidden, "DBS.280063", "Policy doesn't allow dds:backup:delete to be performed.").For(backup(1)).On(http.MethodDelete),
		ddstest.Answer(http.StatusForbidden, "SMN.0001", "No permission to request resources.").On(http.MethodPost),
	)

	// The refusals of Redis servers need one, and are tested in their package. The runtime API's failures are tested in
	// TestARuntimeAPIThatFails.
	source, err := os.ReadFile("../../internal/ledger/valkey/connection.go")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, _ := exec.CommandContext(t.Context(), binary).CombinedOutput()
	runtime, err := os.ReadFile("runtime.go")
	if err != nil {
		t.Fatal(err)
	}
	said := []string{string(source), string(elsewhere), string(runtime)}

	const bus, other = "arn:aws:sns:eu-central-1:123456789012:outcomes", "urn:smn:cn-north-4:1649b4a43100d4f32f51c01c2fe4acdb:outcomes"
	expired := functiongraphtest.Keys{Access: "HSTAEXPIREDKEY000001", Secret: "the-secret-key-that-is-expired-000000001", Token: keys.Token}.Headers()
	file := func(name string) []byte {
		text, err := os.ReadFile("../../events/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	missing := []byte(`{"backup_id":"` + strings.Repeat("0", 32) + `br02"}`)
	for _, run := range []struct {
		env   []string
		calls []functiongraphtest.Invocation
	}{
		{[]string{"DDS_REGION=", "DDS_ENDPOINT=", "LEDGER_ALLOW_VOLATILE=", "FOLLOW=true", "ALLOW_STDOUT="}, nil},
		{[]string{"OUTCOME_SINK=urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb"}, nil},
		{[]string{"OUTCOME_SINK=" + other}, nil},
		{[]string{"OUTCOME_SINK=" + bus}, nil},
		{bareTable(t), nil},
		{[]string{"DRY_RUN=true", "REQUIRE_MANUAL=true"}, []functiongraphtest.Invocation{{Payload: request(0)}, {Payload: missing}}},
		{[]string{"REQUIRE_MANUAL=true"}, []functiongraphtest.Invocation{{Payload: missing}, {Payload: request(0)}}},
		{nil, []functiongraphtest.Invocation{
			{Payload: request(1)},
			{Payload: request(1), Header: http.Header{}},
			{Payload: request(1), Header: expired},
			{Payload: request(1), Header: expired},
			{Payload: []byte(`{"key":"value"}`)},
			{Payload: file("functiongraph-foreign-cts")},
			{Payload: []byte(`{"version":"v1.0","time":"2026-11-24T05:00:00+08:00","trigger_type":"TIMER","trigger_name":"tick","user_event":"hello"}`)},
			{Payload: []byte(`{"backup_id":"` + backup(1) + `","dryrun":true}`)},
			{Payload: []byte(`{"backup_id":"` + backup(1) + `","project_id":"11111111111111111111111111111111"}`)},
			{Payload: make([]byte, 7<<20)},
		}},
		{[]string{"STOP_DELETIONS=true"}, []functiongraphtest.Invocation{{Payload: request(2)}}},
		{[]string{"DDS_ENDPOINT=http://127.0.0.1:1"}, []functiongraphtest.Invocation{{Payload: request(2)}}},
		{[]string{"LEDGER=redis://127.0.0.1:1"}, []functiongraphtest.Invocation{{Payload: request(2)}, {Payload: file("functiongraph-timer-tick")}}},
		{[]string{"SMN_ENDPOINT=" + server.URL(), "OUTCOME_SINK=urn:smn:cn-north-4:" + ddstest.ProjectID + ":outcomes"}, []functiongraphtest.Invocation{{Payload: request(3)}}},
	} {
		said = append(said, saidBy(t, settings(server, run.env...), run.calls)...)
	}
	return strings.Join(said, "\n")
}

// saidBy returns what a function with those settings says to calls, which have the test's keys if they have no headers.
func saidBy(t *testing.T, env []string, calls []functiongraphtest.Invocation) (said []string) {
	t.Helper()
	f, err := functiongraphtest.Start(limited(t), functiongraphtest.Options{Binary: binary, Env: env, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was killed
	if len(calls) == 0 {
		if err := f.Wait(limited(t)); err != nil {
			t.Fatalf("%v: %v", env, err)
		}
	}
	for i, in := range calls {
		if in.Header == nil {
			in.Header = keys.Headers()
		}
		in.RequestID = "c2c0f5f4-5e0e-4f0a-8f0b-00000000000" + string(rune('0'+i))
		r, err := f.Invoke(limited(t), in)
		if err != nil {
			t.Fatal(err)
		}
		if said = append(said, string(r.Payload)); r.Err != nil {
			said = append(said, r.Err.Type+": "+r.Err.Message)
		}
	}
	if err := f.Terminate(); err != nil {
		t.Fatal(err)
	}
	return append(said, f.Output())
}
