package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/simulation"
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
		"DDS did   GET …/backups  200\n            DELETE …/8d9586c40b33449a815518d4635a2cd9br02  200 job ",
		"went out  dds.backup.deletion.accepted.v1  job ",
		`got back  {"batchItemFailures":[]}`,
		"got back  HTTP 404 ",
		"got back  error DDS.NotFound: REQUIRE_MANUAL: the backup list has no such backup",
		"  show the state of backup a17e4f02c8d94b3fa6f0e5d4c3b2a103br02\n  DDS did   nothing\n",
		"came in   tick  do what is due\n  DDS did   nothing\n",
		"\n10 minutes later, by the simulated clock\n  came in   tick  do what is due\n  DDS did   GET …/backups  200  and ",
		"dds.backup.deletion.completed.v1  job ",
		" MB freed, gone after 5m0s  and ",
		"dds.backup.deletion.failed.v1  job ",
		"the job of the deletion failed, and the backup is still there: Failed to delete the backup files.\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown in\n%s", want, out.String())
		}
	}
	// Everything that was accepted has an end. Repeats of a request are accepted again, with the same job.
	ends := 0
	for _, end := range regexp.MustCompile(`(?:completed|failed)\.v1  job .*?(?:  and (\d+) more)?\n`).FindAllStringSubmatch(out.String(), -1) {
		more, _ := strconv.Atoi(end[1]) // "" is none
		ends += 1 + more
	}
	jobs := make(map[string]bool)
	for _, job := range regexp.MustCompile(`accepted\.v1  job (\S+)`).FindAllStringSubmatch(out.String(), -1) {
		jobs[job[1]] = true
	}
	if ends != len(jobs) {
		t.Errorf("%d ends of %d deletions", ends, len(jobs))
	}
}

func TestOneFile(t *testing.T) {
	inProject(t)
	var out strings.Builder
	if err := run(t.Context(), []string{"events/direct.json"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\nevents/"); n != 1 {
		t.Errorf("%d payloads are shown", n)
	}
	_, job, _ := strings.Cut(out.String(), "accepted.v1  job ")
	job, _, _ = strings.Cut(job, "\n")
	if want := "  went out  dds.backup.deletion.completed.v1  job " + job + ", 1040 MB freed, gone after 5m0s\n"; !strings.HasSuffix(out.String(), want+"  got back  {\"results\":[]}\n") {
		t.Errorf("it does not end with the end of job %q:\n%s", job, out.String())
	}
	if err := run(t.Context(), []string{"events/none.json"}, nil, &out); err == nil {
		t.Error("a file that is not there is no error")
	}
}

// What the READMEs show is what is printed, apart from the id of the job.
func TestReadmes(t *testing.T) {
	inProject(t)
	var out strings.Builder
	if err := run(t.Context(), []string{"events/sqs.json"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	withoutJob := func(text string) string { return regexp.MustCompile(`job [0-9a-f-]{36}`).ReplaceAllString(text, "job") }
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := "```console\n$ go run ./cmd/local events/sqs.json\n" + out.String() + "```"; !strings.Contains(withoutJob(string(text)), withoutJob(want)) {
			t.Errorf("%s does not show what is printed:\n%s", file, want)
		}
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
		{"-tick"},
		{"-tick", "-serve", ":0"},
		{"-real", "-tick", "events/sqs.json"},
		{"-real", "-tick", "-serve", ":0"},
		{"-list"},
		{"-check"},
		{"-real", "-list", manual},
		{"-real", "-check", "-serve", ":0"},
		{"-real", "-check", "-list"},
		{"-real", "-json"},
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
		for _, want := range []string{"Usage:", "Examples:", "Exit codes", "-real", "-yes", "-tick", "-list", "-json", "-check", "-serve", "REQUIRE_MANUAL", "LEDGER=memory", "FOLLOW=true"} {
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
	return realDDSWith(t, ddstest.Options{})
}

func realDDSWith(t *testing.T, o ddstest.Options) *ddstest.Server {
	t.Helper()
	server, _ := simulation.Start(o)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"HUAWEICLOUD_SDK_AK": ddstest.AccessKey, "HUAWEICLOUD_SDK_SK": ddstest.SecretKey,
		"HUAWEICLOUD_SDK_PROJECT_ID": ddstest.ProjectID, "DDS_REGION": ddstest.Region, "DDS_ENDPOINT": server.URL(),
		"OUTCOME_SINK": "stdout", "HUAWEICLOUD_SECRET_ARN": "", "AWS_LAMBDA_RUNTIME_API": "",
		"REQUIRE_MANUAL": "", "DRY_RUN": "", "STOP_DELETIONS": "", "LEDGER": "", "FOLLOW": "",
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

// served starts a server and returns what it prints at first, with what waits for its end.
func served(t *testing.T, serve func(context.Context, io.Writer) error) (text string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := serve(ctx, write)
		_ = write.Close()
		ended <- err
	}()
	var printed strings.Builder
	buffer := make([]byte, 1024)
	for !strings.Contains(printed.String(), "Published events:") {
		n, err := read.Read(buffer)
		printed.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, printed.String())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	return printed.String(), func() {
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
}

func TestServe(t *testing.T) {
	text, end := served(t, func(ctx context.Context, out io.Writer) error { return run(ctx, []string{"-serve", ":0"}, nil, out) })
	defer end()
	// What it prints to try is what is tried.
	_, rest, _ := strings.Cut(text, "curl -i -X DELETE ")
	url, _, _ := strings.Cut(rest, "\n")
	// The second time it is the same job: a repeat deletes nothing.
	for _, want := range []int{http.StatusAccepted, http.StatusAccepted} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url, nil)
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
}

// A whole life: the state of a backup that is deleted, until it is gone.
func TestServeShowsTheState(t *testing.T) {
	text, end := served(t, func(ctx context.Context, out io.Writer) error { return runServer(ctx, ":0", time.Millisecond, out) })
	defer end()
	_, rest, _ := strings.Cut(text, "  curl http")
	url, _, _ := strings.Cut(rest, "\n")
	url = "http" + url
	call := func(method string) (status int, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if status, body := call(http.MethodGet); status != http.StatusNotFound {
		t.Errorf("before: %d %s", status, body)
	}
	if status, body := call(http.MethodDelete); status != http.StatusAccepted {
		t.Fatalf("DELETE: %d %s", status, body)
	}
	for end := time.Now().Add(20 * time.Second); ; {
		status, body := call(http.MethodGet)
		if strings.Contains(body, `"state":"completed"`) {
			break
		}
		if status != http.StatusOK || !strings.Contains(body, `"state":"accepted"`) || time.Now().After(end) {
			t.Fatalf("%d %s", status, body)
		}
	}
}
