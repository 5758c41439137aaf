package dds_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

const backup = "8d9586c40b33449a815518d4635a2cd9br02"

// quick retries at once, so that a test waits for the server and not for a clock.
func quick(try int, err *deletion.Error) (time.Duration, bool) {
	_, again := dds.DefaultRetryPolicy(try, err)
	return 0, again && err.RetryAfter == 0
}

// serve starts a simulated DDS with the sample backups.
func serve(t *testing.T, o ddstest.Options) *ddstest.Server {
	t.Helper()
	server := ddstest.NewServer(o)
	t.Cleanup(server.Close)
	server.Add(ddstest.SampleBackups()...)
	return server
}

// connect returns a client of the server.
func connect(t *testing.T, server *ddstest.Server, change func(*dds.Options)) *dds.Client {
	t.Helper()
	o := dds.Options{
		Endpoints:   map[string]string{ddstest.Region: server.URL()},
		Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)},
		RetryPolicy: quick,
	}
	if change != nil {
		change(&o)
	}
	client, err := dds.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func target(backupID string) deletion.Target {
	return deletion.Target{Region: ddstest.Region, ProjectID: ddstest.ProjectID, BackupID: backupID}
}

// limited returns a context with a deadline that no test reaches unless something hangs.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// asError returns err as the error type of the client.
func asError(t *testing.T, err error) *deletion.Error {
	t.Helper()
	var e *deletion.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T), want a *deletion.Error", err, err)
	}
	return e
}

// deletes counts the DELETE calls that the server saw.
func deletes(server *ddstest.Server) int {
	n := 0
	for _, c := range server.Calls() {
		if c.Method == http.MethodDelete {
			n++
		}
	}
	return n
}

func TestDelete(t *testing.T) {
	server := serve(t, ddstest.Options{SecurityToken: "temporary"})
	client := connect(t, server, func(o *dds.Options) { o.Credentials.SecurityToken = secret.New("temporary") })
	got, err := client.DeleteBackup(limited(t), target(backup), false)
	if err != nil {
		t.Fatal(err)
	}
	if jobs := server.Jobs(); len(jobs) != 1 || jobs[0].ID != got.JobID || jobs[0].BackupID != backup {
		t.Errorf("deletion %+v, jobs %+v", got, jobs)
	}
	_, err = client.DeleteBackup(limited(t), target(backup), false)
	e := asError(t, err)
	if e.Class != deletion.ClassNotFound || e.Code != "DBS.201214" || e.HTTPStatus != 400 || e.DDSRequestID == "" || e.MaybeSent {
		t.Errorf("error of a second deletion: %+v", e)
	}
}

func TestDeleteWithAToken(t *testing.T) {
	server := serve(t, ddstest.Options{Token: "iam-token"})
	client := connect(t, server, func(o *dds.Options) { o.Credentials = dds.Credentials{Token: secret.New("iam-token")} })
	if got, err := client.DeleteBackup(limited(t), target(backup), false); err != nil || got.JobID == "" {
		t.Errorf("deletion %+v, error %v", got, err)
	}
}

func TestWhatCannotBeAPathIsNotSent(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, nil)
	for _, bad := range []deletion.Target{
		{Region: ddstest.Region, ProjectID: ddstest.ProjectID},
		{Region: ddstest.Region, ProjectID: ddstest.ProjectID, BackupID: ".."},
		{Region: ddstest.Region, ProjectID: ddstest.ProjectID, BackupID: "a/b"},
		{Region: ddstest.Region, ProjectID: ".", BackupID: backup},
		{Region: "elsewhere", ProjectID: ddstest.ProjectID, BackupID: backup},
	} {
		if _, err := client.DeleteBackup(limited(t), bad, false); asError(t, err).Class != deletion.ClassInvalid {
			t.Errorf("%+v: error %v", bad, err)
		}
	}
	if calls := server.Calls(); len(calls) != 0 {
		t.Errorf("calls %+v", calls)
	}
	// An unusual id stays one segment.
	if _, err := client.DeleteBackup(limited(t), target("b?c#d e%+ü"), false); asError(t, err).Class != deletion.ClassNotFound {
		t.Errorf("error %v", err)
	}
}

// The result of each answer to a deletion. The faults are injected before the call; tries is how many
// DELETE calls DDS must have received.
func TestAnswers(t *testing.T) {
	dbs := func(status int, code string) ddstest.Fault { return ddstest.Answer(status, code, "why") }
	for name, tc := range map[string]struct {
		faults      []ddstest.Fault
		class       deletion.Class // empty for no error
		unconfirmed bool
		lost        bool
		tries       int
	}{
		"busy, then done":               {faults: []ddstest.Fault{dbs(400, "DBS.200998")}, tries: 2},
		"a storm of 5xx, then done":     {faults: []ddstest.Fault{dbs(500, "DBS.280005").Repeat(3)}, tries: 4},
		"a storm of 5xx":                {faults: []ddstest.Fault{dbs(500, "DBS.280005").On("DELETE").Repeat(-1)}, class: deletion.ClassUnavailable, lost: true, tries: 4},
		"503 without end":               {faults: []ddstest.Fault{dbs(503, "APIGW.0613").Repeat(-1)}, class: deletion.ClassUnavailable, tries: 4},
		"restore running":               {faults: []ddstest.Fault{dbs(400, "DBS.201319")}, class: deletion.ClassConflict, tries: 1},
		"no permission":                 {faults: []ddstest.Fault{dbs(403, "DBS.280063")}, class: deletion.ClassForbidden, tries: 1},
		"throttled, then done":          {faults: []ddstest.Fault{ddstest.Throttle()}, tries: 2},
		"reset before the work":         {faults: []ddstest.Fault{ddstest.DropBefore()}, tries: 2},
		"reset after the work":          {faults: []ddstest.Fault{ddstest.DropAfter()}, unconfirmed: true, tries: 2},
		"reset before the work, always": {faults: []ddstest.Fault{ddstest.DropBefore().On("DELETE").Repeat(-1)}, class: deletion.ClassUnavailable, lost: true, tries: 4},
		"no job id":                     {faults: []ddstest.Fault{ddstest.NoJobID()}, unconfirmed: true, tries: 1},
		"a success in HTML, not done":   {faults: []ddstest.Fault{ddstest.RawAnswer(200, "text/html", "<html>login</html>")}, class: deletion.ClassUnavailable, lost: true, tries: 1},
		"a success in HTML, done":       {faults: []ddstest.Fault{ddstest.AnswerAfter(200, "text/html", "<html>ok</html>")}, unconfirmed: true, tries: 1},
		"an empty success, done":        {faults: []ddstest.Fault{ddstest.AnswerAfter(202, "", "")}, unconfirmed: true, tries: 1},
		"502 of the gateway, done":      {faults: []ddstest.Fault{ddstest.AnswerAfter(502, "text/html", "<html>")}, unconfirmed: true, tries: 2},
		"a redirect":                    {faults: []ddstest.Fault{ddstest.RawAnswer(307, "text/html", "")}, class: deletion.ClassForbidden, tries: 1},
		"an odd success, done":          {faults: []ddstest.Fault{ddstest.AnswerAfter(206, "text/html", "")}, unconfirmed: true, tries: 2},
		"a wrong host's 404":            {faults: []ddstest.Fault{ddstest.RawAnswer(404, "text/html", "<html>nginx</html>")}, class: deletion.ClassForbidden, tries: 1},
		"a WAF's 400":                   {faults: []ddstest.Fault{ddstest.RawAnswer(400, "text/html", "<html>blocked</html>")}, class: deletion.ClassForbidden, tries: 1},
		"an empty 404":                  {faults: []ddstest.Fault{ddstest.RawAnswer(404, "", "")}, class: deletion.ClassForbidden, tries: 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ddstest.Options{})
			server.Inject(tc.faults...)
			got, err := connect(t, server, nil).DeleteBackup(limited(t), target(backup), false)
			if n := deletes(server); n != tc.tries {
				t.Errorf("%d tries, want %d", n, tc.tries)
			}
			if tc.class != "" {
				if e := asError(t, err); e.Class != tc.class || e.MaybeSent != tc.lost {
					t.Errorf("error %+v, want class %s, lost %v", e, tc.class, tc.lost)
				}
				return
			}
			if err != nil || (got.Unconfirmed != "") != tc.unconfirmed || (got.JobID != "") == tc.unconfirmed {
				t.Errorf("deletion %+v, error %v", got, err)
			}
			if _, there := server.Backup(backup); there {
				t.Error("the backup is still there")
			}
		})
	}
}

// After an answer was lost, "being deleted" means that the deletion was started.
func TestLostAnswerAndADeletionThatTakesAWhile(t *testing.T) {
	for _, word := range []string{"DISABLED", "deleting"} {
		server := serve(t, ddstest.Options{DeletionTime: time.Hour, DeletionStatus: word})
		server.Inject(ddstest.DropAfter())
		got, err := connect(t, server, nil).DeleteBackup(limited(t), target(backup), false)
		if err != nil || got.Unconfirmed == "" {
			t.Errorf("%s: deletion %+v, error %v", word, got, err)
		}
	}
}

// DBS.201204 stands for "not there" and for "its state forbids"; the backup list decides.
func TestAmbiguousCode(t *testing.T) {
	ambiguous := ddstest.Answer(400, "DBS.201204", "either").On(http.MethodDelete)
	for name, tc := range map[string]struct {
		options     ddstest.Options
		backupID    string
		deleteFirst bool
		class       deletion.Class
	}{
		"not there":        {backupID: "none", class: deletion.ClassNotFound},
		"there":            {backupID: backup, class: deletion.ClassConflict},
		"being deleted":    {options: ddstest.Options{DeletionTime: time.Hour}, backupID: backup, deleteFirst: true},
		"may not be asked": {options: ddstest.Options{MayNotList: true}, backupID: "none", class: deletion.ClassConflict},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.options)
			client := connect(t, server, nil)
			if tc.deleteFirst {
				if _, err := client.DeleteBackup(limited(t), target(tc.backupID), false); err != nil {
					t.Fatal(err)
				}
			}
			server.Inject(ambiguous)
			got, err := client.DeleteBackup(limited(t), target(tc.backupID), false)
			if tc.class == "" {
				if err != nil || got.Unconfirmed == "" {
					t.Errorf("deletion %+v, error %v, want it unconfirmed", got, err)
				}
				return
			}
			if e := asError(t, err); e.Class != tc.class || e.Code != "DBS.201204" {
				t.Errorf("error %+v, want class %s", e, tc.class)
			}
		})
	}
}

func TestFindProject(t *testing.T) {
	for name, tc := range map[string]struct {
		projects map[string]string
		want     string
	}{
		"one":     {map[string]string{"p1": "cn-north-4", "p2": "cn-north-4_sub"}, "p1"},
		"none":    {map[string]string{"p1": "cn-north-1"}, ""},
		"several": {map[string]string{"p1": "cn-north-4", "p2": "cn-north-4"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ddstest.Options{})
			server.SetProjects(tc.projects)
			got, err := connect(t, server, nil).FindProject(limited(t), server.URL(), "cn-north-4")
			if got != tc.want && err == nil {
				t.Errorf("project %q", got)
			}
			if (err != nil) != (tc.want == "") {
				t.Errorf("error %v", err)
			}
		})
	}
	server := serve(t, ddstest.Options{})
	_, err := connect(t, server, func(o *dds.Options) { o.Credentials.SecretKey = secret.New("wrong") }).FindProject(limited(t), server.URL(), "cn-north-4")
	if e := asError(t, err); e.Class != deletion.ClassUnauthenticated || e.Code != "401" || !strings.Contains(e.Message, "verify aksk signature fail") {
		t.Errorf("error %+v", e)
	}
}

// A connection that died while the function was frozen costs one immediate try, and no wait.
func TestStaleConnection(t *testing.T) {
	server := serve(t, ddstest.Options{})
	never := func(int, *deletion.Error) (time.Duration, bool) { return 0, false }
	client := connect(t, server, func(o *dds.Options) { o.RetryPolicy = never })
	if _, err := client.DeleteBackup(limited(t), target(backup), false); err != nil {
		t.Fatal(err)
	}
	server.CloseConnections()
	second := ddstest.SampleBackups()[1].ID
	if got, err := client.DeleteBackup(limited(t), target(second), false); err != nil || got.JobID == "" {
		t.Errorf("deletion %+v, error %v", got, err)
	}
}

func TestNothingHangsBeyondTheDeadline(t *testing.T) {
	for name, tc := range map[string]struct {
		fault ddstest.Fault
		again dds.RetryPolicy
		class deletion.Class
	}{
		"a slow answer":       {fault: ddstest.Slow(time.Hour).Repeat(-1), again: quick, class: deletion.ClassUnavailable},
		"a storm, backed off": {fault: ddstest.Answer(500, "DBS.280005", "").Repeat(-1), again: dds.DefaultRetryPolicy, class: deletion.ClassUnavailable},
		"a long Retry-After":  {fault: ddstest.Answer(429, "DBS.280443", "").RetryAfter("3600").Repeat(-1), again: dds.DefaultRetryPolicy, class: deletion.ClassThrottled},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ddstest.Options{})
			server.Inject(tc.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := connect(t, server, func(o *dds.Options) { o.RetryPolicy = tc.again }).DeleteBackup(ctx, target(backup), false)
				done <- err
			}()
			select {
			case err := <-done:
				if e := asError(t, err); e.Class != tc.class {
					t.Errorf("error %+v, want class %s", e, tc.class)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the call hangs")
			}
		})
	}
}

func TestRetryAfterIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		fault ddstest.Fault
		want  time.Duration
	}{
		"header":  {ddstest.Answer(429, "DBS.280443", "slow down").RetryAfter("3600"), time.Hour},
		"text":    {ddstest.Throttle(), 5 * time.Minute},
		"both":    {ddstest.Throttle().RetryAfter("7"), 5 * time.Minute},
		"neither": {ddstest.Answer(429, "DBS.280443", "slow down").RetryAfter("soon"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ddstest.Options{})
			server.Inject(tc.fault.Repeat(-1))
			never := func(int, *deletion.Error) (time.Duration, bool) { return 0, false }
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // too little to wait for another turn
			defer cancel()
			_, err := connect(t, server, func(o *dds.Options) { o.RetryPolicy = never }).DeleteBackup(ctx, target(backup), false)
			if e := asError(t, err); e.Class != deletion.ClassThrottled || e.RetryAfter != tc.want {
				t.Errorf("error %+v, want to wait %v", e, tc.want)
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	for _, bad := range []string{"", "dds.example.com", "ftp://dds.example.com", "https://"} {
		if _, err := dds.New(dds.Options{Endpoints: map[string]string{"r": bad}}); err == nil {
			t.Errorf("endpoint %q was taken", bad)
		}
	}
}

func TestNoServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client, err := dds.New(dds.Options{
		Endpoints:   map[string]string{ddstest.Region: server.URL},
		Credentials: dds.Credentials{AccessKey: secret.New("a"), SecretKey: secret.New("s")}, RetryPolicy: quick,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteBackup(limited(t), target(backup), false)
	if e := asError(t, err); e.Class != deletion.ClassUnavailable || e.MaybeSent {
		t.Errorf("error %+v: nothing was sent, so nothing can be lost", e)
	}
}

func TestCredentialsAreNeverPrinted(t *testing.T) {
	server := serve(t, ddstest.Options{})
	c := dds.Credentials{AccessKey: secret.New("AK-hidden"), SecretKey: secret.New("SK-hidden"), SecurityToken: secret.New("ST-hidden"), Token: secret.New("T-hidden")}
	client := connect(t, server, func(o *dds.Options) { o.Credentials = c })
	_, err := client.DeleteBackup(limited(t), target(backup), false)
	var out strings.Builder
	fmt.Fprintf(&out, "%v %+v %#v %s %q %x\n", c, c, &c, c, c, c)
	fmt.Fprintf(&out, "%v %+v %#v\n", err, asError(t, err), asError(t, err))
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("m", "credentials", c, "error", err)
	if strings.Contains(strings.ReplaceAll(out.String(), "ak:AK-hidden", ""), "hidden") {
		t.Errorf("a secret was printed:\n%s", out.String())
	}
}

// The error text of the service is bounded and safe in a log line.
func TestErrorTextIsSafe(t *testing.T) {
	server := serve(t, ddstest.Options{})
	server.Inject(ddstest.Answer(400, "DBS.280124", "line\nline\x1b[31m\u2028"+strings.Repeat("x", 5000)))
	_, err := connect(t, server, nil).DeleteBackup(limited(t), target(backup), false)
	if e := asError(t, err); len(e.Message) > 600 || strings.ContainsAny(e.Message, "\n\x1b\u2028") {
		t.Errorf("message %q", e.Message)
	}
}

func TestABatchAtOnce(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	jobs := make(map[string]bool)
	for _, b := range ddstest.SampleBackups()[:10] {
		wg.Go(func() {
			got, err := client.DeleteBackup(limited(t), target(b.ID), false)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			jobs[got.JobID] = true
		})
	}
	wg.Wait()
	var want = make(map[string]bool)
	for _, job := range server.Jobs() {
		want[job.ID] = true
	}
	if diff := cmp.Diff(want, jobs); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}

// Over real sockets: a wrong key is sent once, however large the batch, and is then not used.
func TestABatchWithAWrongKey(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, func(o *dds.Options) { o.Credentials.SecretKey = secret.New("wrong") })
	for range 3 {
		var wg sync.WaitGroup
		for _, b := range ddstest.SampleBackups()[:10] {
			wg.Go(func() {
				_, err := client.DeleteBackup(limited(t), target(b.ID), false)
				if e := asError(t, err); e.Class != deletion.ClassUnauthenticated {
					t.Errorf("error %+v", e)
				}
			})
		}
		wg.Wait()
	}
	if calls := server.Calls(); len(calls) != 1 {
		t.Errorf("%d calls with a wrong key, want one", len(calls))
	}
}

func TestRefusedCredentials(t *testing.T) {
	for name, tc := range map[string]struct {
		server ddstest.Options
		change func(*dds.Options)
	}{
		"wrong secret":  {change: func(o *dds.Options) { o.Credentials.SecretKey = secret.New("not the one") }},
		"expired token": {server: ddstest.Options{SecurityToken: "new"}, change: func(o *dds.Options) { o.Credentials.SecurityToken = secret.New("old") }},
		"IAM token":     {server: ddstest.Options{Token: "new"}, change: func(o *dds.Options) { o.Credentials = dds.Credentials{Token: secret.New("old")} }},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.server)
			client := connect(t, server, tc.change)
			_, err := client.DeleteBackup(limited(t), target(backup), false)
			if e := asError(t, err); e.Class != deletion.ClassUnauthenticated || len(server.Calls()) != 1 {
				t.Errorf("error %+v after %d calls", e, len(server.Calls()))
			}
		})
	}
}

// The refusal counts even if its text cannot be read to the end.
func TestARefusalThatBreaksOff(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error_code":`))
	}))
	t.Cleanup(server.Close)
	client, err := dds.New(dds.Options{
		Endpoints: map[string]string{ddstest.Region: server.URL}, Credentials: dds.Credentials{AccessKey: secret.New("a"), SecretKey: secret.New("s")}, RetryPolicy: quick,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteBackup(limited(t), target(backup), false)
	if e := asError(t, err); e.Class != deletion.ClassUnauthenticated || calls != 1 {
		t.Errorf("error %+v after %d calls", e, calls)
	}
}

// Credentials are sent only to the host that they belong to.
func TestNoRedirectIsFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	server := serve(t, ddstest.Options{})
	f := ddstest.RawAnswer(http.StatusTemporaryRedirect, "text/html", "")
	f.Header = http.Header{"Location": {elsewhere.URL}}
	server.Inject(f)
	_, err := connect(t, server, nil).DeleteBackup(limited(t), target(backup), false)
	if e := asError(t, err); e.Class != deletion.ClassForbidden {
		t.Errorf("error %+v", e)
	}
}

func TestAnAnswerWithoutEnd(t *testing.T) {
	server := serve(t, ddstest.Options{})
	server.Inject(ddstest.AnswerAfter(http.StatusAccepted, "application/json", `{"job_id":"`+strings.Repeat("x", 2<<20)+`"}`))
	got, err := connect(t, server, nil).DeleteBackup(limited(t), target(backup), false)
	if err != nil || got.Unconfirmed == "" {
		t.Errorf("deletion of %d bytes, error %v, want it unconfirmed", len(got.JobID), err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	server.StartTLS()
	t.Cleanup(server.Close)
	client, err := dds.New(dds.Options{
		Endpoints: map[string]string{ddstest.Region: server.URL}, Credentials: dds.Credentials{Token: secret.New("a-token")}, RetryPolicy: quick,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteBackup(limited(t), target(backup), false)
	if e := asError(t, err); e.Class != deletion.ClassUnavailable || e.MaybeSent || !strings.Contains(e.Error(), "protocol version") {
		t.Errorf("error %+v", e)
	}
}

// DDS_RATE, and the limit of a throttling DDS, apply to the whole client.
func TestTheClientKeepsItsRate(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, func(o *dds.Options) { o.Rate = 1 })
	if _, err := client.DeleteBackup(limited(t), target(backup), false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := client.DeleteBackup(ctx, target(backup), false)
	if e := asError(t, err); e.Class != deletion.ClassThrottled || len(server.Calls()) != 1 {
		t.Errorf("error %+v after %d calls: a second call in the same second", e, len(server.Calls()))
	}
}

func TestThrottledTogether(t *testing.T) {
	server := serve(t, ddstest.Options{Limit: 2, Window: time.Hour})
	client := connect(t, server, nil)
	for _, b := range ddstest.SampleBackups()[:2] {
		if _, err := client.DeleteBackup(limited(t), target(b.ID), false); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := client.DeleteBackup(ctx, target(backup), false)
		cancel()
		if e := asError(t, err); e.Class != deletion.ClassThrottled {
			t.Errorf("error %+v", e)
		}
	}
	if calls := server.Calls(); len(calls) != 3 {
		t.Errorf("%d calls, want two and the one that was throttled", len(calls))
	}
}

// After a lost answer, "the backup does not exist" and "the request is wrong" are never final.
func TestAfterALostAnswerNothingIsFinal(t *testing.T) {
	unknown := ddstest.Answer(400, "DBS.299999", "The backup is being deleted").On(http.MethodDelete)
	gone := ddstest.Answer(400, "DBS.201214", "gone").On(http.MethodDelete)
	for name, tc := range map[string]struct {
		options ddstest.Options
		faults  []ddstest.Fault
		class   deletion.Class
	}{
		"an unknown code, and the list knows":       {faults: []ddstest.Fault{ddstest.AnswerAfter(504, "", ""), unknown}},
		"an unknown code, and no permission to ask": {options: ddstest.Options{MayNotList: true}, faults: []ddstest.Fault{ddstest.AnswerAfter(504, "", ""), unknown}, class: deletion.ClassUnknown},
		"a wrong parameter, and no permission to ask": {options: ddstest.Options{MayNotList: true}, faults: []ddstest.Fault{
			ddstest.AnswerAfter(504, "", ""), ddstest.Answer(400, "DBS.200001", "wrong").On(http.MethodDelete),
		}, class: deletion.ClassUnavailable},
		"a proxy's 503, and then gone": {faults: []ddstest.Fault{ddstest.AnswerAfter(503, "text/plain", "upstream connect error"), gone}},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.options)
			server.Inject(tc.faults...)
			got, err := connect(t, server, nil).DeleteBackup(limited(t), target(backup), false)
			if tc.class == "" {
				if err != nil || got.Unconfirmed == "" {
					t.Errorf("deletion %+v, error %v", got, err)
				}
			} else if e := asError(t, err); e.Class != tc.class || !e.MaybeSent {
				t.Errorf("error %+v", e)
			}
		})
	}
}
