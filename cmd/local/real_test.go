package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/lambdatest"
)

// The backups of the samples that the tests use.
const (
	manual = "8d9586c40b33449a815518d4635a2cd9br02"
	other  = "2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02"
	auto   = "13f4a5b6c7d84e9f8a0b1c2d3e4f5a11br02"
	none   = "ffffffffffffffffffffffffffffffffbr02"
)

// runReally runs the program with -real -yes and returns its output and exit code.
func runReally(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	var b strings.Builder
	err := run(t.Context(), append([]string{"-real", "-yes"}, args...), strings.NewReader(""), &b)
	if err != nil {
		b.WriteString("local: " + err.Error() + "\n")
	}
	return b.String(), exitCode(err)
}

// says fails the test unless the output holds every text.
func says(t *testing.T, out string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%q is not in the output:\n%s", text, out)
		}
	}
}

func TestRealReportsEachVerdict(t *testing.T) {
	server := realDDS(t)
	out, code := runReally(t, manual, none, auto)
	if code != 1 || len(server.Jobs()) != 1 {
		t.Errorf("exit code %d, %d jobs", code, len(server.Jobs()))
	}
	says(t, out,
		"DDS started job "+server.Jobs()[0].ID+" for backup "+manual,
		"accepted      job "+server.Jobs()[0].ID,
		`"type":"dds.backup.deletion.accepted.v1"`,
		"DDS does not list it",
		"not found ",
		"refused       REQUIRE_MANUAL: ",
		"Requests: 3. DDS: 1 accepted, 1 not found, 1 refused. Outcomes: 3 published, 0 not published.",
		"of 3 requests: 2 not deleted",
	)
}

// What was deleted and could not be published is both: deleted, and not published.
func TestRealNotPublished(t *testing.T) {
	server := realDDS(t)
	sink := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(sink.Close)
	t.Setenv("OUTCOME_SINK", sink.URL+"/events?key=do-not-show")
	out, code := runReally(t, manual, none)
	if code != 1 || len(server.Jobs()) != 1 {
		t.Fatalf("exit code %d, %d jobs", code, len(server.Jobs()))
	}
	says(t, out,
		"Outcomes are published to "+sink.URL+".",
		"accepted      job "+server.Jobs()[0].ID,
		"NOT PUBLISHED ",
		"Keep the job id "+server.Jobs()[0].ID,
		"not found ",
		"Requests: 2. DDS: 1 accepted, 1 not found. Outcomes: 0 published, 2 not published.",
		"of 2 requests: 1 not deleted, 2 not published",
	)
	if strings.Contains(out, "do-not-show") {
		t.Errorf("the query of the sink is shown:\n%s", out)
	}
}

// A topic of SMN takes the outcomes here, too.
func TestRealPublishesToATopic(t *testing.T) {
	server := realDDS(t)
	const topic = "urn:smn:" + ddstest.Region + ":" + ddstest.ProjectID + ":outcomes"
	t.Setenv("OUTCOME_SINK", topic)
	t.Setenv("SMN_ENDPOINT", server.URL())
	out, code := runReally(t, manual)
	if code != 0 || len(server.Messages()) != 1 {
		t.Errorf("exit code %d, %d messages", code, len(server.Messages()))
	}
	says(t, out, "Outcomes are published to "+topic+".", "Outcomes: 1 published, 0 not published.")
}

// An answer that was lost is not called a deletion, and not called none.
func TestRealMaybeDeleted(t *testing.T) {
	server := realDDS(t)
	server.Inject(ddstest.Answer(http.StatusBadGateway, "", "").On(http.MethodDelete).Repeat(-1))
	out, code := runReally(t, manual)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "maybe deleted DDS may have started the deletion", "1 maybe deleted. Outcomes: 0 published, 1 not published.")
}

func TestRealRefusedByDDS(t *testing.T) {
	server := realDDS(t)
	server.Inject(ddstest.Answer(http.StatusForbidden, "DBS.280063", "Policy does not allow it.").On(http.MethodDelete).Repeat(-1))
	out, code := runReally(t, manual)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "not deleted   DBS.280063: the deletion needs the permission dds:backup:delete: Policy does not allow it.", "not published ")
}

// Without the ledger DDS is not asked, and the report does not claim an answer.
func TestRealWithoutItsLedger(t *testing.T) {
	server := realDDS(t)
	for name, value := range map[string]string{
		"LEDGER": "dynamodb://outcomes", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1", "AWS_REGION": "eu-central-1",
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret",
	} {
		t.Setenv(name, value)
	}
	out, code := runReally(t, manual)
	if code != 1 || deletes(server) != 0 {
		t.Errorf("exit code %d, calls %+v", code, server.Calls())
	}
	says(t, out, "LEDGER=dynamodb://outcomes", "not deleted   DDS was not asked to delete it: ")
}

func TestRealLooksEachBackupUp(t *testing.T) {
	server := realDDS(t)
	for value, want := range map[string]int{"": 0, "true": 0, "false": 1} {
		t.Setenv("REQUIRE_MANUAL", value)
		before := deletes(server)
		out, _ := runReally(t, auto)
		if n := deletes(server) - before; n != want {
			t.Errorf("REQUIRE_MANUAL=%q: %d DELETE calls for an automated backup", value, n)
		}
		says(t, out, "REQUIRE_MANUAL", `Auto, COMPLETED, name "backup-20260118", instance "dds-orders"`)
	}
}

// The question can only name the project when IAM was asked before it.
func TestRealResolvesTheProjectFirst(t *testing.T) {
	server := realDDS(t)
	t.Setenv("HUAWEICLOUD_SDK_PROJECT_ID", "")
	t.Setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.URL())
	var out strings.Builder
	if err := run(t.Context(), []string{"-real", manual}, strings.NewReader("yes\n"), &out); err != nil {
		t.Fatal(err)
	}
	before, _, asked := strings.Cut(out.String(), "Type yes")
	if !asked || !strings.Contains(before, `project "`+ddstest.ProjectID+`"`) {
		t.Errorf("it does not name the project before it asks:\n%s", out.String())
	}
	server.SetProjects(nil)
	out.Reset()
	err := run(t.Context(), []string{"-real", other}, strings.NewReader("yes\n"), &out)
	if exitCode(err) != 1 || !strings.Contains(err.Error(), "HUAWEICLOUD_SDK_PROJECT_ID") || out.Len() > 0 || len(server.Jobs()) != 1 {
		t.Errorf("a project that is not there: error %v, output:\n%s", err, out.String())
	}
}

func TestRealDryRun(t *testing.T) {
	server := realDDS(t)
	t.Setenv("DRY_RUN", "true")
	out, code := runReally(t, manual)
	if code != 0 || deletes(server) != 0 {
		t.Errorf("exit code %d, calls %+v", code, server.Calls())
	}
	says(t, out, "Dry run: nothing will be deleted.", "simulated     dry run: nothing was deleted", "published     to stdout")
	if strings.Contains(out, "FOR REAL") {
		t.Errorf("it claims to delete:\n%s", out)
	}
}

// Nothing of a command is done that holds something else than requests.
func TestRealRefusesWhatIsNotARequest(t *testing.T) {
	inProject(t)
	server := realDDS(t)
	for _, file := range []string{"events/foreign-s3.json", "events/sqs-own-outcome.json", "events/sqs-batch.json"} {
		out, code := runReally(t, manual, file)
		if code != 1 || len(server.Calls()) != 0 {
			t.Errorf("%s: exit code %d, calls %+v", file, code, server.Calls())
		}
		says(t, out, file+": ", "nothing was deleted")
	}
}

func TestRealFromStdin(t *testing.T) {
	server := realDDS(t)
	for _, text := range []string{manual + "\r\n\n" + other + "\n", `{"backup_id":"5b6d3c90e1f24a77b0c98d21f4a3e602br02"}`} {
		if err := run(t.Context(), []string{"-real", "-yes", "-"}, strings.NewReader(text), io.Discard); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if len(server.Jobs()) != 3 {
		t.Errorf("%d jobs, want 3", len(server.Jobs()))
	}
}

// Ctrl-C at the question ends the program without a deletion.
func TestRealInterruptedAtTheQuestion(t *testing.T) {
	server := realDDS(t)
	ctx, cancel := context.WithCancel(t.Context())
	in, silent := io.Pipe() // nobody types anything
	defer func() { _ = silent.Close() }()
	err := run(ctx, []string{"-real", manual}, in, writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "Type yes") {
			cancel()
		}
		return len(p), nil
	}))
	if exitCode(err) != 1 || deletes(server) != 0 {
		t.Errorf("error %v, calls %+v", err, server.Calls())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestInputs(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"event.json", other} {
		if err := os.WriteFile(name, []byte(`{"backup_id":"in-a-file"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ arg, stdin, want string }{
		{"event.json", "", `{"backup_id":"in-a-file"}`},
		{manual, "", `{"backup_id":"` + manual + `"}`},
		{"./" + other, "", `{"backup_id":"in-a-file"}`},
		{other, "", ""}, // a file and an id
		{strings.ToUpper(manual), "", ""},
		{"none.json", "", ""},
		{".", "", ""},
		{"", "", ""},
		{"-", "\ufeff" + manual + "\n", `{"backup_ids":["` + manual + `"]}`},
		{"-", manual + "\nsomething\n", manual + "\nsomething\n"},
		{"-", `{"backup_id":"a"}`, `{"backup_id":"a"}`},
	} {
		got, err := readAll([]string{tc.arg}, strings.NewReader(tc.stdin))
		if tc.want == "" && tc.arg != "-" {
			if exitCode(err) != 2 {
				t.Errorf("%q: %q, error %v, want one of usage", tc.arg, got, err)
			}
			continue
		}
		if err != nil || string(got[0].payload) != tc.want {
			t.Errorf("%q: %q, error %v", tc.arg, got, err)
		}
	}
}

// The exit codes that -h documents, of the program itself.
func TestExitCodes(t *testing.T) {
	server := realDDS(t)
	program := filepath.Join(t.TempDir(), "local")
	if err := lambdatest.Build(t.Context(), "../..", "./cmd/local", program); err != nil {
		t.Fatal(err)
	}
	inProject(t)
	for _, tc := range []struct {
		args, stdin string
		want        int
	}{
		{"-h", "", 0},
		{"", "", 0}, // the samples, some of which are not requests
		{"events/sqs.json", "", 0},
		{"events/direct-tick.json", "", 0},
		{"events/apigateway-http-status.json", "", 0},
		{"events/foreign-s3.json", "", 1},
		{"events/sqs-own-outcome.json", "", 1},
		{"events/sqs.json events/sqs-batch.json", "", 1},
		{"-", "{}", 1},
		{"-", "", 1},
		{"-", manual, 0},
		{"-nonsense", "", 2},
		{"events/none.json", "", 2},
		{"-real", "", 2},
		{"-real -tick " + manual, "", 2},
		{"-real -tick", "", 1}, // LEDGER=memory
		{"-real -list", "", 0},
		{"-real -check", "", 0},
		{"-list", "", 2},
		{"-real events/direct-tick.json", "yes\n", 1},
		{"-real " + manual, "", 1},
		{"-real " + manual, "y\n", 1},
		{"-real events/foreign-s3.json", "yes\n", 1},
		{"-real " + none, "yes\n", 1},
		{"-real " + manual, "yes\n", 0},
		{"-real -yes " + other, "", 0},
	} {
		command := exec.CommandContext(t.Context(), program, strings.Fields(tc.args)...)
		command.Stdin = strings.NewReader(tc.stdin)
		var complaints strings.Builder
		command.Stderr = &complaints
		err := command.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if code := command.ProcessState.ExitCode(); code != tc.want {
			t.Errorf("local %s <<< %q: exit code %d, want %d: %s", tc.args, tc.stdin, code, tc.want, complaints.String())
		}
		if (complaints.Len() > 0) != (tc.want > 0) {
			t.Errorf("local %s <<< %q: standard error %q", tc.args, tc.stdin, complaints.String())
		}
	}
	if len(server.Jobs()) != 2 {
		t.Errorf("%d jobs, want 2", len(server.Jobs()))
	}
}

// What a repeat can do about an outcome that was not published depends on where it is recorded.
func TestAdvice(t *testing.T) {
	for _, tc := range []struct {
		ledger       config.LedgerKind
		kind         verdict
		ledgerFailed bool
		jobID, want  string
	}{
		{config.Memory, accepted, false, "job-1", "Keep the job id job-1"},
		{config.Memory, notFound, false, "", "A repeat asks DDS again"},
		{config.DynamoDB, accepted, false, "job-1", "a repeat publishes it and does not ask DDS"},
		{config.DynamoDB, accepted, true, "job-1", "Keep the job id job-1"},
		{config.DynamoDB, notFound, false, "", "a repeat publishes it and does not ask DDS"},
		{config.DynamoDB, simulated, false, "", "A repeat publishes again"},
	} {
		r := &report{config: &config.Config{Ledger: config.Ledger{Kind: tc.ledger}}}
		o := &deletion.Outcome{Status: deletion.Retry, JobID: tc.jobID, LedgerFailed: tc.ledgerFailed}
		if got := r.advice(tc.kind, o); !strings.Contains(got, tc.want) {
			t.Errorf("%+v: %q", tc, got)
		}
	}
}
