package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
)

// inProject runs the test where a user runs the program.
func inProject(t *testing.T) {
	t.Helper()
	t.Chdir("../..")
}

func TestSamples(t *testing.T) {
	inProject(t)
	var out strings.Builder
	if err := run(t.Context(), nil, nil, &out); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.Contains(out.String(), "\n"+file+"\n  came in") {
			t.Errorf("%s is not shown", file)
		}
	}
	for _, want := range []string{
		"DDS did   DELETE …/8d9586c40b33449a815518d4635a2cd9br02  200 job ",
		"went out  dds.backup.deletion.accepted.v1  job ",
		`got back  {"batchItemFailures":[]}`,
		"got back  HTTP 404 ",
		"got back  error DDS.NotFound: DBS.201214",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown in\n%s", want, out.String())
		}
	}
}

func TestOneFile(t *testing.T) {
	inProject(t)
	var out strings.Builder
	if err := run(t.Context(), []string{"events/direct.json"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "came in"); n != 1 {
		t.Errorf("%d payloads are shown", n)
	}
	if err := run(t.Context(), []string{"events/none.json"}, nil, &out); err == nil {
		t.Error("a file that is not there is no error")
	}
}

func TestWrongUse(t *testing.T) {
	inProject(t)
	for _, args := range [][]string{
		{"-nonsense"},
		{"-real"},
		{"-real", "-serve", ":0", "events/sqs.json"},
		{"-serve", ":0", "events/sqs.json"},
		{"-yes", "events/sqs.json"},
		{"events/sqs.json", "-real"},
		{"events/none.json"},
		{"events"},
		{"-real", "-"},
		{"-", "-"},
	} {
		if code := exitCode(run(t.Context(), args, strings.NewReader("{}"), io.Discard)); code != 2 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
	t.Chdir(t.TempDir())
	if code := exitCode(run(t.Context(), nil, nil, io.Discard)); code != 2 {
		t.Errorf("a folder without samples: exit code %d", code)
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"-h", "-help", "--help"} {
		var out strings.Builder
		if err := run(t.Context(), []string{arg}, nil, &out); err != nil {
			t.Errorf("%s: %v", arg, err)
		}
		for _, want := range []string{"Usage:", "Examples:", "Exit codes", "-real", "-yes", "-serve", "REQUIRE_MANUAL", "LEDGER=memory"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s does not mention %s", arg, want)
			}
		}
	}
}

// deletes counts the deletions that a DDS was asked for.
func deletes(server *ddstest.Server) int {
	n := 0
	for _, call := range server.Calls() {
		if call.Method == http.MethodDelete {
			n++
		}
	}
	return n
}

// realDDS is an environment whose DDS is a simulated one.
func realDDS(t *testing.T) *ddstest.Server {
	t.Helper()
	server, _, err := newSimulated(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"HUAWEICLOUD_SDK_AK": ddstest.AccessKey, "HUAWEICLOUD_SDK_SK": ddstest.SecretKey,
		"HUAWEICLOUD_SDK_PROJECT_ID": ddstest.ProjectID, "DDS_REGION": ddstest.Region, "DDS_ENDPOINT": server.URL(),
		"OUTCOME_SINK": "stdout", "HUAWEICLOUD_SECRET_ARN": "", "AWS_LAMBDA_RUNTIME_API": "",
		"REQUIRE_MANUAL": "", "DRY_RUN": "", "LEDGER": "",
	} {
		t.Setenv(name, value)
	}
	return server
}

func TestRealAsksFirst(t *testing.T) {
	inProject(t)
	server := realDDS(t)
	for _, answer := range []string{"", "\n", "no\n", "y\n", "yes please\n"} {
		var out strings.Builder
		err := run(t.Context(), []string{"-real", "events/sqs.json"}, strings.NewReader(answer), &out)
		if exitCode(err) != 1 || deletes(server) != 0 {
			t.Fatalf("answer %q: error %v, calls %+v", answer, err, server.Calls())
		}
		if !strings.Contains(out.String(), "FOR REAL") || !strings.Contains(out.String(), ddstest.SampleBackups()[0].ID) {
			t.Errorf("it does not say what it is about to delete:\n%s", out.String())
		}
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"-real", "events/sqs.json"}, strings.NewReader("yes\n"), &out); err != nil {
		t.Fatal(err)
	}
	if jobs := server.Jobs(); len(jobs) != 1 || !strings.Contains(out.String(), "accepted      job "+jobs[0].ID) {
		t.Errorf("jobs %+v, shown:\n%s", jobs, out.String())
	}
}

func TestRealNamesEachTarget(t *testing.T) {
	inProject(t)
	server := realDDS(t)
	t.Setenv("ALLOWED_PROJECTS", "other-project")
	t.Setenv("ALLOWED_REGIONS", "eu-west-101")
	t.Setenv("HUAWEICLOUD_SDK_REGION_DDS_EU_WEST_101", server.URL()+"/")
	t.Setenv("HW_CLOUD", "cloud.example.org")
	file := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(file, []byte(`{"backup_id":"a","project_id":"other-project","region":"eu-west-101"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"-real", "-yes", file}, nil, &out); err == nil {
		t.Error("what was not deleted is no error")
	}
	if want := `backup "a" of project "other-project" at ` + server.URL(); !strings.Contains(out.String(), want) {
		t.Errorf("it does not say %s:\n%s", want, out.String())
	}
}

func TestRealWithYes(t *testing.T) {
	inProject(t)
	server := realDDS(t)
	if err := run(t.Context(), []string{"-real", "-yes", "events/direct.json"}, strings.NewReader(""), io.Discard); err != nil {
		t.Fatal(err)
	}
	if len(server.Jobs()) != 1 {
		t.Error("nothing was deleted")
	}
}

func TestRealWithoutConfiguration(t *testing.T) {
	inProject(t)
	realDDS(t)
	if err := os.Unsetenv("HUAWEICLOUD_SDK_SK"); err != nil { // realDDS brings it back
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"-real", "events/direct.json"}, nil, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "HUAWEICLOUD_SDK_SK") {
		t.Errorf("error %v", err)
	}
}

func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-serve", ":0"}, nil, write)
		_ = write.Close()
		ended <- err
	}()
	// What it prints to try is what is tried.
	var text strings.Builder
	buffer := make([]byte, 1024)
	for !strings.Contains(text.String(), "go out:") {
		n, err := read.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, text.String())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	_, rest, _ := strings.Cut(text.String(), "curl -i -X DELETE ")
	url, _, _ := strings.Cut(rest, "\n")
	// The second time it is the same job: a repeat deletes nothing.
	for _, want := range []int{http.StatusAccepted, http.StatusAccepted} {
		r, err := http.NewRequestWithContext(ctx, http.MethodDelete, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("DELETE %s: %d, want %d", url, res.StatusCode, want)
		}
		if host, _, _ := net.SplitHostPort(r.URL.Host); host != "127.0.0.1" {
			t.Errorf("served at %s", host)
		}
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
}
