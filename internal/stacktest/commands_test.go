package stacktest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"dds-backup-delete/internal/dds/ddstest"
)

// These commands do not run. All others in docs/deploy-aws.md, docs/install.md, docs/operations.md and docs/runbook.md
// do, as they stand there, in one shell for each page.
var notRun = map[string]string{
	"aws sqs start-message-move-task": "moto has no move tasks; tools/check-aws-commands.py checks the options",
	"aws sqs list-message-move-tasks": "the same",
	"make build":                      "the binary is built by TestMain",
	"go run ./cmd/local -real -check": "it calls DDS; cmd/local has its own tests",
	"go run ./cmd/local -real -list":  "the same",
	"make release":                    ".ci/run makes a release twice",
}

// Two commands of SAM, and one of CloudFormation, are replaced: moto does not know SAM's transform. "sam deploy" deploys the expanded template with
// the parameters of the command line, or with those that the text before the command puts into samconfig.toml.
const samReplacement = `#!/usr/bin/env bash
set -euo pipefail
action=$1; shift
parameters=()
while (($#)); do
  case $1 in
    --stack-name) name=$2; shift ;;
    *=*) parameters+=("$1") ;;
  esac
  shift
done
case $action in
  deploy) "$MOTO_PYTHON" "$TOOLS/stack/deploy.py" "${name:-$SAVED_NAME}" ${parameters[@]+"${parameters[@]}"} $(cat "$EDITS") >"$DESCRIPTION" ;;
  delete) aws cloudformation delete-stack --stack-name "$name" ;;
  *) exit 64 ;;
esac
`

// The AWS CLI of moto's requirements is version 1, which needs no --cli-binary-format and does not know it.
const awsReplacement = `#!/usr/bin/env bash
if [ "$1 $2" = "cloudformation deploy" ]; then exec "$(dirname "$0")/sam" deploy "${@:3}"; fi
if grep -qxF "aws $1 $2" "$NOT_RUN"; then echo "aws $1 $2" >>"$SKIPPED"; exit; fi
arguments=()
while (($#)); do
  if [ "$1" = --cli-binary-format ]; then shift 2; continue; fi
  arguments+=("$1"); shift
done
exec "$(dirname "$MOTO_PYTHON")/aws" --endpoint-url "$AWS_ENDPOINT_URL" "${arguments[@]}"
`

const otherReplacement = `#!/usr/bin/env bash
command="$(basename "$0") $*"
grep -qxF "$command" "$NOT_RUN" || exit 64
echo "$command" >>"$SKIPPED"
`

// block is a block of commands in a page.
type block struct {
	line int
	text string
	// edits are the parameters that the text before the block says to set in samconfig.toml.
	edits []string
}

// page is a document with commands.
type page struct {
	name   string
	blocks []block
	// samples are the JSON values of blocks with a name, for example "log simulated".
	samples map[string]string
}

func readPage(t *testing.T, name string) *page {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{name: name, samples: make(map[string]string)}
	edit := regexp.MustCompile("`([A-Z][A-Za-z]+) = \"([^\"]*)\"`")
	var prose, code strings.Builder
	fence, start := "", 0
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence, start = strings.TrimPrefix(trimmed, "```")+" ", i+2
			code.Reset()
		case fence != "" && trimmed == "```":
			switch kind := strings.TrimSpace(fence); {
			case kind == "sh":
				b := block{line: start, text: code.String()}
				edits := make(map[string]string)
				for _, m := range edit.FindAllStringSubmatch(prose.String(), -1) {
					if _, set := edits[m[1]]; !set { // the first of several values
						edits[m[1]] = m[2]
					}
				}
				for name, value := range edits {
					b.edits = append(b.edits, name+"="+value)
				}
				p.blocks = append(p.blocks, b)
				prose.Reset()
			case strings.HasPrefix(kind, "json "):
				p.samples[strings.TrimPrefix(kind, "json ")] = code.String()
			}
			fence = ""
		case fence != "":
			code.WriteString(line + "\n")
		default:
			prose.WriteString(line + "\n")
		}
	}
	if len(p.blocks) == 0 {
		t.Fatalf("%s has no commands", name)
	}
	return p
}

// shell runs the blocks of one page, one after the other, as a reader does.
type shell struct {
	t    *testing.T
	page *page
	dir  string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	log  bytes.Buffer // standard error
}

func newShell(t *testing.T, page *page, stackName string) *shell {
	t.Helper()
	for _, tool := range []string{"bash", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatal(err)
		}
	}
	s := &shell{t: t, page: page, dir: t.TempDir()}
	tools, err := filepath.Abs("../../tools")
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{"aws": awsReplacement, "sam": samReplacement, "make": otherReplacement, "go": otherReplacement} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.write("not-run", strings.Join(slices.Collect(maps.Keys(notRun)), "\n"))
	cmd := exec.CommandContext(t.Context(), "bash", "--norc", "-eu", "-o", "pipefail")
	cmd.Env = append(os.Environ(),
		"PATH="+s.dir+":"+os.Getenv("PATH"), "TOOLS="+tools, "NOT_RUN="+s.path("not-run"), "SKIPPED="+s.path("skipped"),
		"EDITS="+s.path("edits"), "DESCRIPTION="+s.path("description"), "SAVED_NAME="+stackName,
	)
	cmd.Env = append(cmd.Env, motoEnv()...)
	cmd.Stderr, s.cmd = &s.log, cmd
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewReader(out)
	if s.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.in.Close()
		_ = cmd.Wait()
	})
	return s
}

func (s *shell) path(name string) string { return filepath.Join(s.dir, name) }

func (s *shell) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a block with what is typed, and returns its output.
func (s *shell) run(b block, typed string) string {
	s.t.Helper()
	s.write("edits", strings.Join(b.edits, "\n"))
	s.write("typed", typed)
	const end = "@@ end of block"
	if _, err := fmt.Fprintf(s.in, "{\n%s\n} <%q\nprintf '\\n%s\\n'\n", b.text, s.path("typed"), end); err != nil {
		s.t.Fatalf("%s:%d: %v\n%s", s.page.name, b.line, err, s.log.String())
	}
	var out strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			_ = s.cmd.Wait() // the log is complete only after the end
			s.t.Fatalf("%s:%d: a command failed:\n%s\n%s%s", s.page.name, b.line, b.text, out.String(), s.log.String())
		}
		if line == end+"\n" {
			return strings.TrimSpace(out.String())
		}
		out.WriteString(line)
	}
}

// skipped returns which commands did not run.
func (s *shell) skipped() []string {
	lines, _ := os.ReadFile(s.path("skipped"))
	return strings.Split(strings.TrimSpace(string(lines)), "\n")
}

// stack returns the stack that the last "sam deploy" deployed.
func (s *shell) stack() *stack {
	s.t.Helper()
	description, err := os.ReadFile(s.path("description"))
	if err != nil {
		s.t.Fatal(err)
	}
	deployed, err := readStack(description)
	if err != nil {
		s.t.Fatal(err)
	}
	return deployed
}

// keysTyped is what the prompts of docs/deploy-aws.md and the rotation of the key ask for.
func keysTyped(text string) string {
	if strings.Contains(text, "read -r") {
		return ddstest.AccessKey + "\n" + ddstest.SecretKey + "\n"
	}
	return `{"HUAWEICLOUD_SDK_AK":"` + ddstest.AccessKey + `","HUAWEICLOUD_SDK_SK":"` + ddstest.SecretKey + `"}`
}

// work lets a new process of the function work the messages in the request queue, and returns its log.
func (w *world) work() []string {
	w.t.Helper()
	w.run()
	w.want("given back", nil, w.poll(time.Minute))
	w.must(w.function.Kill()) // its output is complete only after its end
	return strings.Split(strings.TrimSpace(w.function.Stdout()), "\n")
}

// keepLog puts lines into the log group of the function, as Lambda does.
func (w *world) keepLog(lines []string) {
	w.t.Helper()
	group, stream := w.stack.Outputs["FunctionLogGroup"], fmt.Sprint("stream-", time.Now().UnixNano())
	var events []map[string]any
	for _, line := range lines {
		events = append(events, map[string]any{"timestamp": time.Now().UnixMilli(), "message": line})
	}
	list, err := json.Marshal(events)
	w.must(err)
	for _, arguments := range [][]string{{"create-log-stream"}, {"put-log-events", "--log-events", string(list)}} {
		arguments = append([]string{"logs", arguments[0], "--log-group-name", group, "--log-stream-name", stream}, arguments[1:]...)
		cmd := exec.CommandContext(w.t.Context(), filepath.Join(filepath.Dir(os.Getenv("MOTO_PYTHON")), "aws"), arguments...)
		cmd.Env = append(os.Environ(), motoEnv()...)
		if out, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("%v: %s", err, out)
		}
	}
}

// motoEnv returns the variables with which the AWS CLI calls moto.
func motoEnv() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + endpoint, "AWS_ACCESS_KEY_ID=moto", "AWS_SECRET_ACCESS_KEY=moto", "AWS_DEFAULT_REGION=" + region,
		"AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	}
}

// simpleLambda has moto answer invocations without running anything, as its mappings and "aws lambda invoke" need.
func simpleLambda(t *testing.T) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"/moto-api/config", strings.NewReader(`{"lambda":{"use_docker":false}}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode >= 300 {
		t.Fatal(response.Status)
	}
}

// named returns the blocks with the stack of the test instead of the reader's.
func (p *page) named(stack string) []block {
	blocks := slices.Clone(p.blocks)
	for i := range blocks {
		blocks[i].text = strings.ReplaceAll(blocks[i].text, "stack=dds-backup-delete", "stack="+stack)
	}
	return blocks
}

// sample checks that a sample in the page has the members of what was really written, and the values that say what happened.
func (p *page) sample(t *testing.T, name, written string) {
	t.Helper()
	var want, got map[string]any
	if err := json.Unmarshal([]byte(p.samples[name]), &want); err != nil {
		t.Errorf("%s: the sample %q: %v; expected for example:\n%s", p.name, name, err, written)
		return
	}
	if err := json.Unmarshal([]byte(written), &got); err != nil {
		t.Fatalf("%v in %s", err, written)
	}
	if shape(want) != shape(got) {
		t.Errorf("%s: the sample %q is\n%s\nbut this was written:\n%s", p.name, name, shape(want), written)
	}
}

// shape returns a JSON value as text without what differs from run to run, and between moto and AWS: events of moto
// have no account, and its messages a trace.
func shape(v any) string {
	differs := []string{"timestamp", "time", "request_id", "requestId", "event_id", "id", "job_id", "dds_ms"}
	onlyOne := []string{"account", "trace_header"}
	object, isObject := v.(map[string]any)
	if !isObject {
		text, _ := json.Marshal(v)
		return string(text)
	}
	var members []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if slices.Contains(onlyOne, name) {
			continue
		}
		value := "…"
		if !slices.Contains(differs, name) {
			value = shape(object[name])
		}
		members = append(members, name+": "+value)
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// outcomeLine returns the line of the log about the outcome.
func outcomeLine(t *testing.T, lines []string) string {
	t.Helper()
	for _, line := range lines {
		if strings.Contains(line, `"message":"outcome"`) {
			return line
		}
	}
	t.Fatalf("no outcome in %q", lines)
	return ""
}

// The commands of the deployment, from the four values to the removal of the table.
func TestCommandsOfDeployment(t *testing.T) {
	simpleLambda(t)
	const name = "deployed-by-page"
	p := readPage(t, "deploy-aws.md")
	s, w := newShell(t, p, name), newWorld(t)
	statuses := []string{"simulated", "not_found", "accepted"}
	var line string // of the last outcome
	for _, b := range p.named(name) {
		out := s.run(b, keysTyped(b.text))
		switch {
		case strings.Contains(b.text, "DRY_RUN"):
			if want := fmt.Sprint(len(statuses) > 1); !strings.HasSuffix(out, want) {
				t.Errorf("%s:%d: DRY_RUN is %s, want %s", p.name, b.line, out, want)
			}
		case strings.Contains(b.text, "sqs send-message"):
			w.stack = s.stack()
			lines := w.work()
			line = outcomeLine(t, lines)
			p.sample(t, "log "+statuses[0], line)
			statuses = statuses[1:]
			w.keepLog(lines)
		case strings.Contains(b.text, "filter-log-events"):
			if !strings.Contains(out, line) {
				t.Errorf("%s:%d: the log shows\n%s\nwithout\n%s", p.name, b.line, out, line)
			}
		case strings.Contains(b.text, "sqs receive-message"):
			p.sample(t, "event simulated", out)
		case strings.Contains(b.text, "put-targets"):
			if !strings.Contains(out, `"FailedEntryCount": 0`) {
				t.Errorf("%s:%d: %s", p.name, b.line, out)
			}
		}
	}
	if len(statuses) > 0 {
		t.Errorf("no request for %v", statuses)
	}
	if jobs := w.dds.Jobs(); len(jobs) != 1 {
		t.Errorf("%d jobs, want one by the last request", len(jobs))
	}
	w.checkSkipped(s, "make build", "go run ./cmd/local -real -check", "go run ./cmd/local -real -list")
	client := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: aws.String(endpoint), Credentials: keys})
	_, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("dds-backup-delete"), ForceDeleteWithoutRecovery: aws.Bool(true)})
	w.must(err)
}

// checkSkipped checks that the commands that did not run are these.
func (w *world) checkSkipped(s *shell, want ...string) {
	w.t.Helper()
	got := s.skipped()
	slices.Sort(got)
	w.want("not run", want, slices.Compact(got))
}

// The commands of a release, in a folder that has its files.
func TestCommandsOfInstallation(t *testing.T) {
	p := readPage(t, "install.md")
	w, s := newWorld(t), newShell(t, p, "")
	packaging := exec.CommandContext(t.Context(), os.Getenv("MOTO_PYTHON"), "../../tools/stack/package.py")
	template, err := packaging.Output()
	w.must(err)
	release := t.TempDir()
	for name, content := range map[string]string{
		"dds-backup-delete_v1.0.0_linux_arm64.zip": "a zip", "dds-backup-delete_v1.0.0_template.json": string(template), "dist/release/x": "",
	} {
		w.must(os.MkdirAll(filepath.Dir(filepath.Join(release, name)), 0o700))
		w.must(os.WriteFile(filepath.Join(release, name), []byte(content), 0o600))
	}
	s.run(block{text: "cd " + release + "; sha256sum *.zip *.json >SHA256SUMS; aws s3 mb s3://my-bucket"}, "")
	for _, b := range p.blocks {
		s.run(b, "")
	}
	packaged, err := os.ReadFile(filepath.Join(release, "packaged.json"))
	w.must(err)
	if want := `"CodeUri": "s3://my-bucket/dds-backup-delete_v1.0.0_linux_arm64.zip"`; strings.Count(string(packaged), want) != 1 {
		t.Errorf("packaged.json does not have %s", want)
	}
	s.run(block{text: "cd " + release + "; aws s3 cp s3://my-bucket/dds-backup-delete_v1.0.0_linux_arm64.zip uploaded && cmp uploaded dds-backup-delete_v1.0.0_linux_arm64.zip"}, "")
	if environment := s.stack().Function.Environment.Variables; environment["DRY_RUN"] != "true" || environment["DDS_REGION"] != "cn-north-4" {
		t.Errorf("variables %v", environment)
	}
	w.checkSkipped(s, "make release")
}

// The commands of the operations page. The type of the queue changes, and nothing is lost: neither what waits, nor what
// is in work, nor what was given up.
func TestCommandsOfOperations(t *testing.T) {
	const name = "operated"
	p := readPage(t, "operations.md")
	w := newWorld(t)
	w.start(name)
	s := newShell(t, p, name)
	for _, b := range p.named(name) {
		if strings.Contains(b.text, "old=$(") {
			w.send("", backup(1), backup(2))
			if got := w.receive(w.stack.Outputs["RequestQueueUrl"], 20*time.Second); len(got) != 2 {
				t.Fatalf("%d messages in work", len(got))
			}
			w.send("", backup(3))
			_, err := w.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(w.stack.Outputs["DeadLetterQueueUrl"]), MessageBody: aws.String(ask(backup(4)))})
			w.must(err)
		}
		s.run(b, keysTyped(b.text))
		switch {
		case strings.Contains(b.text, "sam deploy"):
			before := w.stack
			w.stack = s.stack()
			queue := w.stack.Queues["RequestQueue"]["QueueArn"]
			if !strings.HasSuffix(queue, ".fifo") || len(w.stack.Mappings) != 1 || w.stack.Mappings[0].EventSourceArn != queue ||
				!strings.Contains(w.stack.Function.Environment.Variables["REQUEST_SOURCES"], queue) {
				t.Fatalf("the queue is %s, the mapping %+v", queue, w.stack.Mappings)
			}
			for _, old := range []string{"RequestQueueUrl", "DeadLetterQueueUrl"} {
				if before.Outputs[old] == w.stack.Outputs[old] {
					t.Errorf("%s did not change", old)
				}
			}
			// A sender that does not know the new address yet.
			_, err := w.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(before.Outputs["RequestQueueUrl"]), MessageBody: aws.String(ask(backup(5)))})
			w.must(err)
		case strings.Contains(b.text, "move()"):
			w.run()
			w.want("given back", nil, w.poll(time.Minute))
			w.want("events", []string{"accepted " + backup(3), "accepted " + backup(4), "accepted " + backup(5)}, w.events())
		case strings.Contains(b.text, "ApproximateNumberOfMessagesNotVisible"):
			// Two messages are in work still. Steps 5 and 6 are repeated.
			again := block{line: b.line, text: "until [ \"$(aws sqs get-queue-attributes --queue-url \"$old\" --attribute-names ApproximateNumberOfMessagesNotVisible --query 'Attributes.*' --output text)\" = 0 ]; do move \"$old\" \"$new\"; sleep 1; done; move \"$old\" \"$new\""}
			s.run(again, "")
			w.want("given back", nil, w.poll(time.Minute))
			w.want("events", []string{"accepted " + backup(1), "accepted " + backup(2)}, w.events())
		}
	}
	w.checkSkipped(s, "make build")
}

// The commands of the runbook.
func TestCommandsOfRunbook(t *testing.T) {
	simpleLambda(t)
	const name = "run-by-book"
	p := readPage(t, "runbook.md")
	w := newWorld(t)
	w.start(name)
	undelivered := w.stack.Outputs["UndeliveredQueueUrl"]
	for _, body := range []string{ask(backup(1)), w.stack.Rules["TickSchedule"].Targets[0].Input} {
		_, err := w.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(undelivered), MessageBody: aws.String(body)})
		w.must(err)
	}
	s := newShell(t, p, name)
	for _, b := range p.named(name) {
		out := s.run(b, keysTyped(b.text))
		for command, want := range map[string]string{
			"lambda get-event-source-mapping --uuid \"$(output RequestMappingId)\" --query State --output text": strings.Join([]string{"Disabled", "DISABLED", "DISABLED", "0"}, "\n"),
			"DRY_RUN":        "true",
			"STOP_DELETIONS": "true",
		} {
			if strings.Contains(b.text, command) && !strings.HasSuffix(out, want) {
				t.Errorf("%s:%d: %q, want %q", p.name, b.line, out, want)
			}
		}
	}
	if left := w.receive(undelivered, time.Second); len(left) != 0 {
		t.Errorf("%d undelivered messages are left", len(left))
	}
	w.checkSkipped(s, "make build", "aws sqs start-message-move-task", "aws sqs list-message-move-tasks")
}
