package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/ledger/dynamodbtest"
)

// restoring is the backup of the samples whose instance is being restored.
const restoring = "d2e3f4a5b6c74d8e9f0a1b2c3d4e5f10br02"

// agenda is the ledger of an environment that follows deletions.
type agenda struct{ *ddbledger.Ledger }

// newAgenda lets the environment have a ledger that lasts.
func newAgenda(t *testing.T) agenda {
	t.Helper()
	server := httptest.NewServer(new(dynamodbtest.Tables))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"LEDGER": "dynamodb://outcomes", "AWS_ENDPOINT_URL_DYNAMODB": server.URL, "AWS_REGION": "eu-central-1",
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "FOLLOW": "true",
	} {
		t.Setenv(name, value)
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
	})
	return agenda{ddbledger.New(client, "outcomes", nil)}
}

// pass makes all that the ledger knows of a backup that much older.
func (a agenda) pass(t *testing.T, backupID string, d time.Duration) {
	t.Helper()
	item, err := a.Get(t.Context(), deletion.Key{ProjectID: ddstest.ProjectID, BackupID: backupID})
	if err != nil || item == nil {
		t.Fatalf("%v, error %v", item, err)
	}
	older := item.Clone()
	p := &older.Plan
	for _, at := range []*time.Time{&p.Since, &p.OwedAt, &older.Answer.At} {
		if !at.IsZero() {
			*at = at.Add(-d)
		}
	}
	if c := p.Check; c != nil {
		c.Next = c.Next.Add(-d)
		if !c.Absent.IsZero() {
			c.Absent = c.Absent.Add(-d)
		}
	}
	for key, w := range p.Waiting {
		w.Since, w.Next = w.Since.Add(-d), w.Next.Add(-d)
		p.Waiting[key] = w
	}
	if other, err := a.Swap(t.Context(), item, older); other != nil || err != nil {
		t.Fatalf("%v, error %v", other, err)
	}
}

// park has the environment's app take a request that it can only keep: of a topic, for a backup that is in use.
func park(t *testing.T) {
	t.Helper()
	payload, err := os.ReadFile("../../events/sns.json")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sns.json")
	text := strings.Replace(string(payload), "84c4b86785374368a58909ccb2b41622br02", restoring, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := runReally(t, file)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "backup "+restoring, "the ledger keeps the request, and a tick retries it")
}

// A whole life by hand: the deletion is accepted and followed, and ticks find its end.
func TestRealTickFollowsADeletion(t *testing.T) {
	server := realDDS(t)
	a := newAgenda(t)
	out, code := runReally(t, manual)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "FOLLOW: the ends of the deletions are published later", "local -real -tick")
	if out, code := runReally(t, "-tick"); code != 0 || out != "Nothing is due in dynamodb://outcomes.\n" {
		t.Errorf("exit code %d:\n%s", code, out)
	}

	a.pass(t, manual, 2*time.Minute)
	calls := len(server.Calls())
	var asked strings.Builder
	err := run(t.Context(), []string{"-real", "-tick"}, strings.NewReader("no\n"), &asked)
	if exitCode(err) != 1 || len(server.Calls()) != calls {
		t.Errorf("error %v, calls %+v", err, server.Calls()[calls:])
	}
	says(t, asked.String(), "About to do what is due in dynamodb://outcomes", server.URL(), "backups to check, or to publish events for: 1\n",
		"Events are published to stdout.", "so its consumers never get it", "Type yes")
	asked.Reset()
	if err := run(t.Context(), []string{"-real", "-tick"}, strings.NewReader("yes\n"), &asked); err != nil {
		t.Error(err)
	}
	says(t, asked.String(), "Requests that waited: 0. DDS: none. Backups checked: 1. Events published: 0. Ends: none. Overdue: 0.")

	a.pass(t, manual, 3*time.Hour)
	out, code = runReally(t, "-tick")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, `"type":"dds.backup.deletion.completed.v1"`,
		"  backup "+manual+"\n    completed     job "+server.Jobs()[0].ID+"\n    published     to stdout\n",
		"Backups checked: 1. Events published: 1. Ends: 1 completed.")
	if out, code := runReally(t, "-tick"); code != 0 || !strings.HasPrefix(out, "Nothing is due") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// A request that waits is tried again, unless the environment sends no DELETE.
func TestRealTickDeletesWhatWaits(t *testing.T) {
	server := realDDS(t)
	a := newAgenda(t)
	park(t)
	a.pass(t, restoring, time.Hour)
	for _, name := range []string{"DRY_RUN", "STOP_DELETIONS"} {
		t.Setenv(name, "true")
		out, code := runReally(t, "-tick")
		if code != 0 || deletes(server) != 0 {
			t.Errorf("%s: exit code %d, calls %+v", name, code, server.Calls())
		}
		says(t, out, "not deleted although requests for them wait", "Requests that waited: 0.")
		t.Setenv(name, "")
	}

	out, code := runReally(t, "-tick")
	if code != 1 || deletes(server) != 0 {
		t.Errorf("exit code %d, calls %+v", code, server.Calls())
	}
	says(t, out, "backups to delete FOR REAL, because requests for them wait: 1\n    \""+restoring+`" of project "`+ddstest.ProjectID+`"`,
		"not deleted   REQUIRE_MANUAL: ", "requests that still wait: 1")

	free, _ := server.Backup(restoring)
	free.Restoring = false
	server.Add(free)
	a.pass(t, restoring, time.Hour)
	out, code = runReally(t, "-tick")
	if code != 0 || len(server.Jobs()) != 1 {
		t.Fatalf("exit code %d, jobs %+v:\n%s", code, server.Jobs(), out)
	}
	says(t, out, "accepted      job "+server.Jobs()[0].ID, "Requests that waited: 1. DDS: 1 accepted. Backups checked: 0. Events published: 1.")
}

// What a tick could not do is named, and the exit code says so.
func TestRealTickFails(t *testing.T) {
	server := realDDS(t)
	a := newAgenda(t)
	if _, code := runReally(t, manual); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	a.pass(t, manual, time.Hour)
	server.Inject(ddstest.Answer(http.StatusForbidden, "DBS.280063", "Policy does not allow it.").On(http.MethodGet).Repeat(-1))
	out, code := runReally(t, "-tick")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "  backup "+manual+"\n    tick: an item is left for later (look-up): DBS.280063", "failures, see above: 1")
	server.Heal()

	a.pass(t, manual, time.Hour)
	server.Inject(ddstest.Throttle().Repeat(-1))
	out, code = runReally(t, "-tick")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "DDS throttles calls", "the rest stays due")
	server.Heal()

	for range 2 { // two looks that show it gone
		a.pass(t, manual, time.Hour)
		sink := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(sink.Close)
		t.Setenv("OUTCOME_SINK", sink.URL)
		out, code = runReally(t, "-tick")
	}
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "  backup "+manual+"\n    tick: an item is left for later (publish): ", "Events published: 0.")

	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
	out, code = runReally(t, "-tick")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "LEDGER: the agenda of dynamodb://outcomes could not be read")
}

func TestRealTickNeedsALedgerThatLasts(t *testing.T) {
	server := realDDS(t)
	out, code := runReally(t, "-tick")
	if code != 1 || len(server.Calls()) != 0 {
		t.Errorf("exit code %d, calls %+v", code, server.Calls())
	}
	says(t, out, "LEDGER: memory has no agenda, ", "for example dynamodb://dds-backup-delete")
}
