package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/lambdatest"
	"dds-backup-delete/internal/ledger/ledgertest"
	"dds-backup-delete/internal/sink/sinktest"
)

// names is a set of keys.
type names map[string]bool

func (n names) add(all ...string) {
	for _, name := range all {
		n[name] = true
	}
}

// logged is what the program was seen to write.
type logged struct {
	keys    map[string]names // of the lines, by message
	metrics map[string]names // "unit" and the dimensions, by metric
}

// read adds what is in an output.
func (l *logged) read(t *testing.T, output string) {
	t.Helper()
	for text := range strings.Lines(output) {
		var members map[string]any
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			t.Fatalf("a line that is not JSON: %s", text)
		}
		if members["_aws"] != nil {
			l.readMetrics(t, text)
			continue
		}
		message, ok := members["message"].(string)
		if !ok {
			continue // an event, where stdout is the sink
		}
		if l.keys[message] == nil {
			l.keys[message] = make(names)
		}
		l.keys[message].add(slices.Collect(maps.Keys(members))...)
	}
}

func (l *logged) readMetrics(t *testing.T, text string) {
	t.Helper()
	var line struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatal(err)
	}
	for _, directive := range line.AWS.CloudWatchMetrics {
		for _, metric := range directive.Metrics {
			if l.metrics[metric.Name] == nil {
				l.metrics[metric.Name] = make(names)
			}
			l.metrics[metric.Name].add(metric.Unit)
			for _, dimensions := range directive.Dimensions {
				l.metrics[metric.Name].add(dimensions...)
			}
		}
	}
}

// record is a message of a queue that asks for a backup.
func record(id, backup string) string {
	return fmt.Sprintf(`{"messageId":%q,"receiptHandle":"r","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:requests",`+
		`"attributes":{"AWSTraceHeader":"Root=1-5759e988-bd862e3fe1be46a994272793"},`+
		`"messageAttributes":{"traceparent":{"dataType":"String","stringValue":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},`+
		`"body":"{\"specversion\":\"1.0\",\"id\":\"event-%s\",\"source\":\"s\",\"type\":\"dds.backup.deletion.requested.v1\",\"authtype\":\"user\",\"authid\":\"u\",\"data\":{\"backup_id\":\"%s\"}}"}`, id, id, backup)
}

// brief is an invocation that has so little time that nothing is waited for.
func (w *world) brief(t *testing.T, payload []byte) {
	t.Helper()
	if _, err := w.function.Invoke(t.Context(), lambdatest.Invocation{Payload: payload, RequestID: "invocation", Timeout: 3 * time.Second}); err != nil {
		t.Fatal(err)
	}
}

// startForgetful starts a DynamoDB that gives out leases and takes nothing else.
func startForgetful(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		if body, err := io.ReadAll(r.Body); err == nil && strings.Contains(string(body), "attribute_not_exists(#backup)") {
			_, _ = w.Write([]byte(`{}`))
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const tickPayload = `{"type":"dds.backup.agenda.tick.v1"}`

// observeTicks has the real binary write what only ticks and a ledger that outlives it bring about.
func observeTicks(t *testing.T, l *logged) {
	t.Helper()
	f := startFollowing(t, "QUEUE_MAX_RECEIVES=3", "FOLLOW_ALARM_AFTER=5m")
	f.dds.FailJobs("the disk is full", sample(1))
	f.dds.Inject(busy(sample(2)), busy(sample(3)), busy(sample(4)))
	for n, id := range []string{sample(0), sample(1)} {
		f.brief(t, received(fmt.Sprint("m", n), id, 1))
	}
	f.brief(t, notification("n2", sample(2)))
	f.brief(t, received("m3", sample(3), 3))
	long := time.Now().AddDate(0, 0, -8)
	ledgertest.Swap(t, f.table.ledger, nil, &deletion.Item{ // nobody ever saw the backup
		Key:    deletion.Key{ProjectID: ddstest.ProjectID, BackupID: none},
		Answer: deletion.Answer{Status: deletion.Accepted, Event: `{"data":{"job_id":"job"}}`, At: long},
		Plan:   deletion.Plan{Region: ddstest.Region, Follow: true, Check: &deletion.Check{Next: long, Absent: long}, Since: long},
	})
	f.dds.Inject(ddstest.Answer(403, "DBS.280063", "no").On(http.MethodGet).Repeat(4))
	f.later(t, 2*time.Minute) // nothing can be looked up
	f.dds.Heal()
	for range 3 {
		f.later(t, 10*time.Minute)
	}
	f.brief(t, received("m5", sample(5), 1))
	f.dds.Add(ddstest.SampleBackups()[5]) // it is still there
	f.later(t, 10*time.Minute)
	f.end(t)
	l.read(t, f.function.Stdout())

	down := []string{"LEDGER=dynamodb://ledger", "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1"}
	for _, env := range [][]string{down, {"HUAWEICLOUD_SDK_PROJECT_ID=", "HUAWEICLOUD_SDK_IAM_ENDPOINT=http://127.0.0.1:1"}} {
		w := start(t, nil, env...)
		w.brief(t, []byte(tickPayload))
		w.brief(t, fmt.Appendf(nil, `{"version":"2.0","rawPath":"/backups/%s","requestContext":{"requestId":"r","http":{"method":"GET"}}}`, sample(0)))
		w.end(t)
		l.read(t, w.function.Stdout())
	}
	f = startFollowing(t)
	f.table.writes = 2
	f.brief(t, []byte(`{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"MessageId":"n","TopicArn":"arn:aws:sns:eu-central-1:123456789012:requests",`+
		`"MessageAttributes":{"traceparent":{"Type":"String","Value":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},`+
		`"Message":"{\"specversion\":\"1.0\",\"id\":\"e\",\"source\":\"s\",\"type\":\"dds.backup.deletion.requested.v1\",\"authtype\":\"user\",\"authid\":\"u\",\"data\":{\"backup_id\":\"`+sample(0)+`\"}}"}}]}`)) // the event is published, and the ledger does not take that
	f.end(t)
	l.read(t, f.function.Stdout())
}

// observe has the real binary write all that can be brought about from outside.
func observe(t *testing.T) *logged {
	t.Helper()
	l := &logged{keys: make(map[string]names), metrics: make(map[string]names)}

	w := start(t, func(e sinktest.Entry) string {
		if strings.Contains(e.Detail, sample(3)) {
			return "NotAuthorizedForSourceException"
		}
		return ""
	})
	w.dds.Inject(ddstest.NoJobID().For(sample(1)), ddstest.Throttle().For(sample(2)).Repeat(-1))
	var records []string
	for i, backup := range []string{sample(0), sample(1), sample(3), none, "not.an.id", restoring()} {
		records = append(records, record(fmt.Sprint("m", i), backup))
	}
	payload := []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
	w.brief(t, payload)
	w.queue.mu.Lock()
	w.queue.refuse = true
	w.queue.mu.Unlock()
	w.brief(t, payload) // again: what was done is replayed, and what is given back is so without a delay
	// In an invocation of its own: whatever is sent after a throttled call waits for it.
	w.brief(t, []byte(`{"Records":[`+record("throttled", sample(2))+`]}`))
	own, err := os.ReadFile("../../events/sqs-own-outcome.json")
	if err != nil {
		t.Fatal(err)
	}
	w.brief(t, own)
	w.brief(t, []byte(`{"eventSource":"aws:kafka","records":{"t-0":[{"offset":1,"value":null}]}}`)) // a tombstone
	w.brief(t, []byte(`{"backup_id":"`+none+`","metadata":{"ticket":"OPS-1"}}`))
	w.brief(t, []byte(`{"hello":"world"}`))
	if _, err := w.function.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.read(t, w.function.Stdout())
	observeTicks(t, l)

	for _, env := range [][]string{
		{"DRY_RUN=true"},
		{"OUTCOME_SINK=arn:aws:sqs:eu-central-1:123456789012:requests"}, // where the payload comes from
		{"LEDGER=dynamodb://ledger", "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1"},
		{"LEDGER=dynamodb://ledger", "AWS_ENDPOINT_URL_DYNAMODB=" + startForgetful(t)},
		{"HUAWEICLOUD_SDK_PROJECT_ID=", "HUAWEICLOUD_SDK_IAM_ENDPOINT=http://127.0.0.1:1"},
		{"ALLOWED_REGIONS=cn-north-44", "HW_CLOUD=myhuaweicloud.com"}, // of which nothing is asked
	} {
		w = start(t, nil, env...)
		w.brief(t, payload)
		w.end(t)
		l.read(t, w.function.Stdout())
	}

	_, err = lambdatest.Start(t.Context(), lambdatest.Options{Binary: binary})
	var fault *lambdatest.InitError
	if !errors.As(err, &fault) {
		t.Fatalf("error %v, want an InitError", err)
	}
	l.read(t, fault.Stdout)
	return l
}

// unseen are lines that nothing outside can bring about. They are looked up in the source instead.
var unseen = []string{"panic", "metrics: not written", "tick: the next one could not be asked for, so it comes on schedule"}

// What docs/operations.md says of the log and the metrics is so, and complete.
func TestOperationsAreDocumented(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits while a sink retries, for ten seconds")
	}
	t.Parallel() // it waits
	l := observe(t)
	page := readPage(t, "operations.md")
	common := names{"timestamp": true, "level": true, "message": true, "requestId": true}
	request := names{}
	for _, key := range code.FindAllString(between(t, page, "A line about a request has", "Then:"), -1) {
		request.add(strings.Trim(key, "`"))
	}

	documented := make(map[string]names)
	for _, row := range table(t, page, "| `message` |") {
		message, keys := strings.Trim(row[0], "`"), make(names)
		for _, key := range code.FindAllString(row[3], -1) {
			keys.add(strings.Trim(key, "`"))
		}
		if strings.Contains(row[3], "of the request") {
			maps.Copy(keys, request)
		}
		documented[message] = keys
		seen := l.keys[message]
		if slices.Contains(unseen, message) {
			checkSource(t, message, keys, request)
			l.keys[message] = maps.Clone(keys)
			maps.Copy(l.keys[message], common)
			continue
		}
		if seen == nil {
			t.Errorf("no line %q was written", message)
			continue
		}
		for key := range seen {
			if !keys[key] && !common[key] {
				t.Errorf("%q: the line has %s, which is not documented", message, key)
			}
		}
		for key := range keys {
			// message_id is of a request that has an id of its own within its message.
			if !seen[key] {
				t.Errorf("%q: the line has no %s", message, key)
			}
		}
	}
	for message := range l.keys {
		if _, ok := documented[message]; !ok && !strings.HasPrefix(message, "LEDGER is memory") && !strings.HasPrefix(message, "messages are given back without a delay") {
			t.Errorf("the line %q is not documented", message)
		}
	}

	metrics := make(map[string]names)
	for _, row := range table(t, page, "| metric |") {
		of := names{row[1]: true, "function_name": true}
		if also := strings.Trim(row[3], "`"); also != "" {
			of.add(also)
		}
		metrics[strings.Trim(row[0], "`")] = of
	}
	if diff := cmp.Diff(metrics, l.metrics); diff != "" {
		t.Errorf("metrics (-documented +written):\n%s", diff)
	}
	checkQueries(t, l)
}

// checkSource looks up a message, and its keys but those of every request, in the source.
func checkSource(t *testing.T, message string, keys, request names) {
	t.Helper()
	for _, pattern := range []string{"../../internal/*/*.go", "*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				if !strings.Contains(line, `"`+message+`"`) || !strings.Contains(line, "Context(") {
					continue
				}
				for key := range keys {
					if !request[key] && !strings.Contains(line, `"`+key+`"`) {
						t.Errorf("%q: the line has no %s", message, key)
					}
				}
				return
			}
		}
	}
	t.Errorf("no line %q in the source", message)
}

// checkQueries holds every query of the pages to the log: each field is that of a line which the
// query may see, and each message, status and class is one that there is.
func checkQueries(t *testing.T, l *logged) {
	t.Helper()
	found := 0
	for _, name := range []string{"operations.md", "runbook.md"} {
		for _, block := range strings.Split(readPage(t, name), "```text query\n")[1:] {
			query, _, closed := strings.Cut(block, "```\n")
			if !closed {
				t.Fatalf("%s: a query without an end", name)
			}
			found++
			for _, fault := range faults(query, l) {
				t.Errorf("%s: %s in\n%s", name, fault, query)
			}
		}
	}
	if found < 20 {
		t.Errorf("%d queries", found)
	}
}

var (
	code   = regexp.MustCompile("`[a-zA-Z_]+`")
	quoted = regexp.MustCompile(`"[^"]*"`)
	alias  = regexp.MustCompile(`\bas ([a-z_]+)`)
	word   = regexp.MustCompile(`@?[A-Za-z_][A-Za-z_0-9]*`)
	// told is what a query compares with a text.
	told = regexp.MustCompile(`\b(message|status|class)\s*(?:=|in)\s*(\[[^\]]*\]|"[^"]*")`)
)

// language is the part of Logs Insights' query language that the pages use.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
var language = strings.Fields(`fields filter stats sort limit display by as and or not in like asc desc
	count sum max pct latest bin m h ispresent fromMillis toMillis @timestamp @message`)

// faults returns what is wrong with a query.
func faults(query string, l *logged) (wrong []string) {
	values := map[string][]string{
		"message": slices.Collect(maps.Keys(l.keys)),
		"status":  {"accepted", "unconfirmed", "not_found", "rejected", "simulated", "retry"},
		"class":   {"invalid", "not_found", "forbidden", "unauthenticated", "conflict", "unknown", "throttled", "unavailable", "undelivered", "internal"},
	}
	var messages []string
	for _, m := range told.FindAllStringSubmatch(query, -1) {
		for _, text := range quoted.FindAllString(m[2], -1) {
			text = strings.Trim(text, `"`)
			if !slices.Contains(values[m[1]], text) {
				wrong = append(wrong, fmt.Sprintf("there is no %s %q", m[1], text))
			}
			if m[1] == "message" {
				messages = append(messages, text)
			}
		}
	}
	known := make(names)
	for message, keys := range l.keys {
		if len(messages) == 0 || slices.Contains(messages, message) || strings.Contains(query, "level =") {
			known.add(slices.Collect(maps.Keys(keys))...)
		}
	}
	bare := quoted.ReplaceAllString(query, "")
	for _, m := range alias.FindAllStringSubmatch(bare, -1) {
		known.add(m[1])
	}
	for _, w := range word.FindAllString(bare, -1) {
		if !known[w] && !slices.Contains(language, w) {
			wrong = append(wrong, "there is no field "+w)
		}
	}
	return wrong
}

// The check of queries can fail.
func TestQueriesAreChecked(t *testing.T) {
	l := &logged{keys: map[string]names{"outcome": {"message": true, "status": true, "job_id": true}, "other": {"message": true, "bytes": true}}}
	for query, want := range map[string]string{
		`fields job_id | filter message = "outcome" and status = "retry"`:       "",
		`filter message = "outcome" | stats count(*) as n by job_id | sort n`:   "",
		`fields job | filter message = "outcome"`:                               "there is no field job",
		`fields bytes | filter message = "outcome"`:                             "there is no field bytes",
		`fields bytes | filter message in ["outcome", "other"]`:                 "",
		`filter message = "outcomes"`:                                           `there is no message "outcomes"`,
		`filter message = "outcome" and status in ["retry", "done"]`:            `there is no status "done"`,
		`filter message = "outcome" | summarize count(*) by status | sort desc`: "there is no field summarize",
	} {
		if got := strings.Join(faults(query, l), "; "); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, text, found := strings.Cut(text, from)
	text, _, ended := strings.Cut(text, to)
	if !found || !ended {
		t.Fatalf("there is no %q before %q", from, to)
	}
	return text
}

// table returns the cells of the rows of the table whose head begins so.
func table(t *testing.T, page, head string) (rows [][]string) {
	t.Helper()
	_, body, found := strings.Cut(page, "\n"+head)
	if !found {
		t.Fatalf("there is no table %s", head)
	}
	for i, line := range strings.Split(body, "\n") {
		if i < 2 {
			continue // the head, and the line below it
		}
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// The runbook has a section for each alarm of the template, and asks for outputs that there are.
func TestRunbookFitsTheTemplate(t *testing.T) {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	page := readPage(t, "runbook.md")
	for _, alarm := range regexp.MustCompile(`(?m)^  (\w+):\n    Type: AWS::CloudWatch::Alarm$`).FindAllSubmatch(template, -1) {
		if !strings.Contains(page, "\n`"+string(alarm[1])+"`: ") {
			t.Errorf("no section begins with `%s`: ", alarm[1])
		}
	}
	_, outputs, _ := strings.Cut(string(template), "\nOutputs:\n")
	for _, name := range regexp.MustCompile(`\(output (\w+)\)`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains("\n"+outputs, "\n  "+name[1]+":\n") {
			t.Errorf("the template has no output %s", name[1])
		}
	}
}
