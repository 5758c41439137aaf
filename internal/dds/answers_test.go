package dds_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// A code that is in no table, or that belongs to another call, is never final. The error keeps the code
// and the status, and its class means that a person must look.
func TestUnknownCodeIsNeverFinal(t *testing.T) {
	for _, tc := range []struct {
		status int
		code   string
		class  deletion.Class
		tries  int
	}{
		{400, "DBS.999999", deletion.ClassUnknown, 1},
		{404, "DBS.999999", deletion.ClassUnknown, 1},
		{403, "DBS.999999", deletion.ClassUnknown, 1},
		{409, "DBS.999999", deletion.ClassUnknown, 1},
		{400, "DBS.280439", deletion.ClassUnknown, 1}, // published, but for another call
		{404, "DBS.212001", deletion.ClassUnknown, 1},
		{400, "APIGW.9999", deletion.ClassUnknown, 1},
		{404, "RDS.0001", deletion.ClassUnknown, 1},
		{503, "DBS.999999", deletion.ClassUnavailable, 4},
		{400, "DBS.280343", deletion.ClassConflict, 1},
		{403, "DBS.280042", deletion.ClassConflict, 1},
		{400, "DBS.01280030", deletion.ClassConflict, 1},
		{401, "DBS.280064", deletion.ClassUnavailable, 4},
	} {
		server := serve(t, ddstest.Options{})
		server.Inject(ddstest.Answer(tc.status, tc.code, "why").On(http.MethodDelete).Repeat(-1))
		_, err := connect(t, server, nil).DeleteBackup(limited(t), target(backup), false)
		e := asError(t, err)
		if e.Class != tc.class || e.Code != tc.code || e.HTTPStatus != tc.status {
			t.Errorf("HTTP %d %s: error %+v, want class %s", tc.status, tc.code, e, tc.class)
		}
		if n := deletes(server); n != tc.tries {
			t.Errorf("HTTP %d %s: %d tries, want %d", tc.status, tc.code, n, tc.tries)
		}
	}
}

// A caller without the permission learns its name. Another refusal that needs a person does not mislead to it.
func TestThePermissionIsNamed(t *testing.T) {
	const says = "the deletion needs the permission dds:backup:delete: "
	for fault, named := range map[*ddstest.Fault]bool{
		new(ddstest.Answer(400, "DBS.280015", "why")): true, new(ddstest.Answer(403, "DBS.280032", "why")): true, new(ddstest.Answer(403, "DBS.280063", "why")): true,
		new(ddstest.Answer(403, "APIGW.0302", "why")): true, new(ddstest.RawAnswer(403, "application/json", "{}")): true,
		new(ddstest.Answer(403, "DBS.280019", "why")): false, new(ddstest.Answer(403, "APIGW.0802", "why")): false, new(ddstest.Answer(400, "DBS.280408", "why")): false,
	} {
		server := serve(t, ddstest.Options{})
		server.Inject(fault.On(http.MethodDelete))
		_, err := connect(t, server, nil).DeleteBackup(limited(t), target(backup), false)
		if e := asError(t, err); e.Class != deletion.ClassForbidden || strings.HasPrefix(e.Message, says) != named {
			t.Errorf("%v: %+v", fault, e)
		}
	}
}

// A refusal that is not the key's fault does not hold back other calls.
func TestWhatIsNotTheKeysFault(t *testing.T) {
	for name, fault := range map[string]ddstest.Fault{
		"token bad":           ddstest.Answer(401, "DBS.280056", "Invalid token."),
		"token to be renewed": ddstest.Answer(401, "APIGW.0307", "The token must be updated."),
		"no code":             ddstest.RawAnswer(401, "text/html", "<html>log in</html>"),
		"an unknown code":     ddstest.Answer(401, "DBS.999999", "why"),
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ddstest.Options{})
			server.Inject(fault)
			client := connect(t, server, nil)
			_, err := client.DeleteBackup(limited(t), target(backup), false)
			if e := asError(t, err); e.Class != deletion.ClassUnauthenticated {
				t.Errorf("error %+v", e)
			}
			if got, err := client.DeleteBackup(limited(t), target(backup), false); err != nil || got.JobID == "" {
				t.Errorf("the next call: %+v, error %v", got, err)
			}
		})
	}
}

// A refused token is looked up again once, and the call is repeated with the new credentials.
func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	for _, code := range []string{"DBS.280056", "APIGW.0307"} {
		server := serve(t, ddstest.Options{Token: "token-for-the-test"})
		server.Inject(ddstest.Answer(401, code, "Invalid token."))
		renewed := 0
		client := connect(t, server, func(o *dds.Options) {
			o.Credentials = dds.Credentials{Token: secret.New("token-for-the-test")}
			o.Renew = func(context.Context) (dds.Credentials, error) {
				renewed++
				return dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)}, nil
			}
		})
		if got, err := client.DeleteBackup(limited(t), target(backup), false); err != nil || got.JobID == "" || renewed != 1 {
			t.Errorf("%s: deletion %+v, error %v, renewed %d times", code, got, err, renewed)
		}
	}
}

// A wrong clock, ahead or behind, costs one more signature. It is then corrected for the calls that
// follow, and again when it changes.
func TestWrongClock(t *testing.T) {
	server := serve(t, ddstest.Options{EchoRequest: true})
	client := connect(t, server, nil)
	ids := ddstest.SampleBackups()
	for i, step := range []struct {
		skew  time.Duration
		calls int
	}{{16 * time.Minute, 2}, {16 * time.Minute, 1}, {-3 * time.Hour, 2}, {-3 * time.Hour, 1}, {0, 2}, {14 * time.Minute, 1}} {
		server.SetSkew(step.skew)
		before := len(server.Calls())
		if got, err := client.DeleteBackup(limited(t), target(ids[i].ID), false); err != nil || got.JobID == "" {
			t.Errorf("step %d: deletion %+v, error %v", i, got, err)
		}
		if n := len(server.Calls()) - before; n != step.calls {
			t.Errorf("step %d: %d calls, want %d", i, n, step.calls)
		}
	}
	server.SetSkew(time.Hour)
	if id, err := connect(t, server, nil).FindProject(limited(t), server.URL(), ddstest.Region); err != nil || id != ddstest.ProjectID {
		t.Errorf("IAM: project %q, error %v", id, err)
	}
}

// With a wrong clock and a wrong key, the second refusal locks the key.
func TestWrongClockAndWrongKey(t *testing.T) {
	server := serve(t, ddstest.Options{})
	server.SetSkew(time.Hour)
	client := connect(t, server, func(o *dds.Options) { o.Credentials.SecretKey = secret.New("not the one") })
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			_, err := client.DeleteBackup(limited(t), target(backup), false)
			if e := asError(t, err); e.Class != deletion.ClassUnauthenticated {
				t.Errorf("error %+v", e)
			}
		})
	}
	wg.Wait()
	if calls := server.Calls(); len(calls) != 2 {
		t.Errorf("%d calls, want two", len(calls))
	}
}

// An ordinary refusal: the answer has no time, or the time that was signed.
func TestNoClockToCorrect(t *testing.T) {
	for name, date := range map[string][]string{
		"no Date": nil,
		"no date": {"yesterday"},
		"in time": {time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)},
	} {
		calls := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header()["Date"] = date
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error_code":"APIGW.0301","error_msg":"signature expired"}`))
		}))
		client, err := dds.New(dds.Options{
			Endpoints: map[string]string{ddstest.Region: server.URL}, RetryPolicy: quick,
			Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.DeleteBackup(limited(t), target(backup), false)
		if e := asError(t, err); e.Class != deletion.ClassUnauthenticated || calls != 1 {
			t.Errorf("%s: error %+v after %d calls", name, e, calls)
		}
		server.Close()
	}
}

func TestJobID(t *testing.T) {
	for body, want := range map[string]string{
		`{"job_id":"3711e2ad-5787-49bc-a47f-3f0b066af9f5"}`: "3711e2ad-5787-49bc-a47f-3f0b066af9f5",
		`{"job_id":12345678901234567890}`:                   "12345678901234567890",
		`{"job_id":7}`:                                      "7",
		`{"job_id":" padded\n"}`:                            "padded",
		`{"job_id":""}`:                                     "",
		`{"job_id":"   "}`:                                  "",
		`{"job_id":"\t\u00a0\u2028"}`:                       "",
		`{"job_id":null}`:                                   "",
		`{"job_id":true}`:                                   "",
		`{"job_id":1.5}`:                                    "",
		`{"job_id":-1}`:                                     "",
		`{"job_id":1e3}`:                                    "",
		`{"job_id":{"id":"x"}}`:                             "",
		`{"job_id":["x"]}`:                                  "",
		`{}`:                                                "",
	} {
		server := serve(t, ddstest.Options{})
		server.Inject(ddstest.AnswerAfter(200, "application/json", body))
		got, err := connect(t, server, nil).DeleteBackup(limited(t), target(backup), false)
		if err != nil || got.JobID != want || (got.Unconfirmed == "") != (want != "") {
			t.Errorf("%s: deletion %+v, error %v, want the job %q", body, got, err, want)
		}
	}
}

func TestUserAgent(t *testing.T) {
	var agents []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agents = append(agents, r.Method+" "+r.Header.Get("User-Agent"))
		if strings.Contains(r.Header.Get("Authorization"), "user-agent") {
			t.Error("User-Agent is signed, so no proxy may rewrite it")
		}
		_, _ = w.Write([]byte(`{"job_id":"j","projects":[{"id":"p","name":"cn-north-4"}]}`))
	}))
	t.Cleanup(server.Close)
	client, err := dds.New(dds.Options{
		Endpoints: map[string]string{ddstest.Region: server.URL}, Credentials: dds.Credentials{AccessKey: secret.New("a"), SecretKey: secret.New("s")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.FindProject(limited(t), server.URL, "cn-north-4"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeleteBackup(limited(t), target(backup), false); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(agents, ", "); got != "GET dds-backup-delete/dev, DELETE dds-backup-delete/dev" {
		t.Errorf("User-Agent: %s", got)
	}
}

// A proxy may repeat its own address, with a password, in an error.
func TestCausesAreRedacted(t *testing.T) {
	client, err := dds.New(dds.Options{
		Endpoints: map[string]string{ddstest.Region: "http://127.0.0.1:1"}, RetryPolicy: quick,
		Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)},
		Transport:   failing("proxyconnect: http://user:unknown-canary@proxy.example refused Access=" + ddstest.AccessKey),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteBackup(limited(t), target(backup), false)
	text := asError(t, err).Message
	for _, canary := range []string{"unknown-canary", ddstest.AccessKey} {
		if strings.Contains(text, canary) || strings.Contains(err.Error(), canary) {
			t.Errorf("%q is in %q", canary, err)
		}
	}
}

// failing is a transport whose error is its text.
type failing string

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, transportError(f) }

type transportError string

func (e transportError) Error() string { return string(e) }
