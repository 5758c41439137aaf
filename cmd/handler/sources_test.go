package main_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"dds-backup-delete/internal/lambdatest"
)

// malformed is no id, in whatever place.
const malformed = "not.an.id"

// restoring is the backup that DDS will not delete for now.
func restoring() string { return sample(10) }

// answers are what a source gets back for a request that is refused, and for one that must be tried
// again. Each is a part of the reply, or of the error where it begins with "DDS.". What is accepted
// is in [samples].
type answers struct{ refused, retry string }

// sources says for each shape, by the sample that has it, what its protocol asks for.
var sources = map[string]answers{
	"sqs":                              {allDone, `[{"itemIdentifier":"4fce6432-6221-41a2-86dc-c5557e824cf3"}]`},
	"sqs-expires":                      {allDone, `[{"itemIdentifier":"7c9e1b52-08d4-4c1e-9a73-5f2e8d6b4a10"}]`},
	"sqs-list":                         {allDone, `[{"itemIdentifier":"f1f82b22-2f8b-4c05-a2c2-3a4d9199253b"}]`},
	"sqs-fifo":                         {`"ee4a3a47-6ee7-426b-9214-f9aee4b48ab1"`, `"ee4a3a47-6ee7-426b-9214-f9aee4b48ab1"`},
	"sqs-sns":                          {allDone, `"itemIdentifier":`},
	"sqs-eventbridge":                  {allDone, `"itemIdentifier":`},
	"sqs-cloudevent":                   {allDone, `"itemIdentifier":`},
	"sqs-destination":                  {allDone, `"itemIdentifier":`},
	"sns":                              {`"status":"rejected"`, "DDS.Conflict"},
	"sns-cloudevent":                   {`"status":"rejected"`, "DDS.Conflict"},
	"eventbridge":                      {`"status":"rejected"`, "DDS.Conflict"},
	"eventbridge-cloudevent":           {`"status":"rejected"`, "DDS.Conflict"},
	"eventbridge-scheduler":            {"DDS.Invalid", "DDS.Conflict"},
	"kafka-msk":                        {allDone, `"batchItemFailures":[{"itemIdentifier":{"partition":"dds-backup-delete-requests-0","offset":1041}}]`},
	"kafka-self-managed":               {allDone, `"itemIdentifier":{"partition":`},
	"pipes-sqs":                        {allDone, `[{"itemIdentifier":"0c7e3f6a-51d8-4b0e-9f4d-2a1b6c8d9e70"}]`},
	"pipes-kafka":                      {allDone, "DDS.Conflict"},
	"rabbitmq":                         {"{}", "DDS.Conflict"},
	"activemq":                         {"{}", "DDS.Conflict"},
	"apigateway-rest-delete":           {`"statusCode":400`, `"statusCode":409,"headers":{"Content-Type":"application/problem+json","Retry-After":"300"}`},
	"apigateway-rest-proxy":            {`"statusCode":400`, `"statusCode":409`},
	"apigateway-http-delete":           {`"statusCode":400`, `"statusCode":409,"headers":{"Content-Type":"application/problem+json","Retry-After":"300"}`},
	"apigateway-http-delete-v3":        {`"statusCode":400`, `"statusCode":409`},
	"apigateway-http-post":             {`"statusCode":400`, `"statusCode":409`},
	"apigateway-http-post-base64":      {`"statusCode":400`, `"statusCode":409`},
	"apigateway-http-list":             {`"statusCode":207`, `\"status\":\"retry\"`},
	"apigateway-http-cloudevent":       {`dds.backup.deletion.rejected.v1`, `"statusCode":409`},
	"apigateway-http-cloudevent-batch": {`\"status\":\"rejected\"`, `"statusCode":409`},
	"function-url-delete":              {`"statusCode":400`, `"statusCode":409`},
	"function-url-cloudevent":          {`dds.backup.deletion.rejected.v1`, `"statusCode":409`},
	"alb-delete":                       {`"statusDescription":"400 Bad Request"`, `"statusDescription":"409 Conflict","headers":{"Content-Type"`},
	"alb-post-multi-value":             {`"multiValueHeaders":{"Content-Type":["application/json"]}`, `\"status\":\"retry\"`},
	"cloudevent":                       {`"status":"rejected"`, "DDS.Conflict"},
	"direct":                           {"DDS.Invalid", "DDS.Conflict"},
	"direct-list":                      {`"status":"rejected"`, `"status":"retry","error":{"class":"conflict"`},
	"direct-ids":                       {`"status":"rejected"`, `"status":"retry","error":{"class":"conflict"`},
	"functiongraph-apig-delete":        {`"statusCode":400`, `"statusCode":409`},
	"functiongraph-apig-post":          {`"statusCode":400`, `"statusCode":409`},
	"functiongraph-destination":        {"DDS.Invalid", "DDS.Conflict"},
	"functiongraph-smn":                {`"status":"rejected"`, "DDS.Conflict"},
	"functiongraph-kafka":              {`"status":"rejected"`, "DDS.Conflict"},
	"functiongraph-kafka-older":        {`"status":"rejected"`, "DDS.Conflict"},
	"functiongraph-timer":              {`"status":"rejected"`, "DDS.Conflict"},
	"functiongraph-eventgrid":          {`"status":"rejected"`, "DDS.Conflict"},
	"lambda-destination":               {"DDS.Invalid", "DDS.Conflict"},
}

// Each shape works through the real binary: what is refused, and what must be tried again, which
// deletes nothing.
func TestEverySource(t *testing.T) {
	w := start(t, nil)
	for name, want := range sources {
		t.Run(name, func(t *testing.T) {
			payload, err := os.ReadFile("../../events/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			first := firstBackup(t, payload)
			w.try(t, "refused", replaceID(payload, first, malformed), want.refused)
			w.try(t, "retry", replaceID(payload, first, restoring()), want.retry)
			if _, there := w.dds.Backup(restoring()); !there {
				t.Error("what must be tried again was deleted")
			}
		})
	}
}

// try sends a payload and holds the reply against what was wanted.
func (w *world) try(t *testing.T, what string, payload []byte, want string) {
	t.Helper()
	entries := len(w.bus.Taken())
	result := w.invoke(t, payload)
	if name, isError := strings.CutPrefix(want, "DDS."); isError {
		if result.Err == nil || result.Err.Type != "DDS."+name {
			t.Errorf("%s: reply %s, error %v, want %s", what, result.Payload, result.Err, want)
		}
	} else if result.Err != nil || !strings.Contains(string(result.Payload), want) {
		t.Errorf("%s: reply %s, error %v, want %s", what, result.Payload, result.Err, want)
	}
	var rejected bool
	for _, entry := range w.bus.Taken()[entries:] {
		rejected = rejected || strings.HasSuffix(entry.DetailType, ".rejected.v1")
	}
	if what == "refused" && !rejected {
		t.Error("refused: no event says so")
	}
}

var sampleID = regexp.MustCompile(`[0-9a-f]{32}br02`)

// firstBackup returns the first backup that a payload names, in plain text or in base64.
func firstBackup(t *testing.T, payload []byte) string {
	t.Helper()
	if id := sampleID.Find(payload); id != nil {
		return string(id)
	}
	for _, text := range encoded.FindAll(payload, -1) {
		if id := sampleID.Find(decoded(text)); id != nil {
			return string(id)
		}
	}
	t.Fatal("the sample names no backup")
	return ""
}

var encoded = regexp.MustCompile(`"[A-Za-z0-9+/]{40,}={0,2}"`)

// decoded returns what is in a quoted text in base64; nothing where it is another.
func decoded(quoted []byte) []byte {
	text, err := base64.StdEncoding.DecodeString(string(quoted[1 : len(quoted)-1]))
	if err != nil {
		return nil
	}
	return text
}

// replaceID returns a payload that names another backup, in plain text and in base64.
func replaceID(payload []byte, id, other string) []byte {
	swapped := encoded.ReplaceAllFunc(payload, func(quoted []byte) []byte {
		text := decoded(quoted)
		if !strings.Contains(string(text), id) {
			return quoted
		}
		return []byte(`"` + base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(string(text), id, other))) + `"`)
	})
	return []byte(strings.ReplaceAll(string(swapped), id, other))
}

// A message that is given back comes again when that may help, whatever the queue's own timeout.
func TestVisibility(t *testing.T) {
	w := start(t, nil)
	payload, err := os.ReadFile("../../events/sqs.json")
	if err != nil {
		t.Fatal(err)
	}
	var in struct {
		Records []struct{ ReceiptHandle string }
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		t.Fatal(err)
	}
	receipt := in.Records[0].ReceiptHandle
	payload = replaceID(payload, firstBackup(t, payload), restoring())
	again := []byte(strings.Replace(string(payload), `"ApproximateReceiveCount": "1"`, `"ApproximateReceiveCount": "3"`, 1))
	const givenBack = `"itemIdentifier"`

	w.try(t, "first", payload, givenBack)
	if got := w.queue.of(receipt); got != 300 {
		t.Errorf("the first time it comes again after %d s, want 300", got)
	}
	w.try(t, "third", again, givenBack)
	if got := w.queue.of(receipt); got != 1200 {
		t.Errorf("the third time it comes again after %d s, want 1200", got)
	}
	w.queue.mu.Lock()
	w.queue.refuse = true
	w.queue.mu.Unlock()
	w.try(t, "where that is refused", payload, givenBack)
}

// A panic-proof, bounded way in: what nobody sends is refused, and the process lives on.
func TestLimits(t *testing.T) {
	w := start(t, nil)
	for name, payload := range map[string]string{
		"too long":    `{"backup_id":"` + strings.Repeat("a", 6<<20) + `"}`,
		"too deep":    strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"deep inside": `{"backup_id":"a","x":` + strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000) + `,"type":"x"}`,
		"many":        `{"Records":[` + strings.Repeat(`{"messageId":"m","eventSource":"aws:sqs","body":"{}"},`, 10_000) + `{"messageId":"m","eventSource":"aws:sqs","body":"{}"}]}`,
	} {
		result, err := w.function.Invoke(t.Context(), lambdatest.Invocation{Payload: []byte(payload)})
		if err != nil || result.Err == nil || result.Err.Type != "DDS.Invalid" || len(result.Err.Message) > 500 {
			t.Errorf("%s: reply %s, error %v %v", name, result.Payload, result.Err, err)
		}
	}
	if result := w.invoke(t, []byte(`{"backup_id":"`+sample(0)+`"}`)); result.Err != nil {
		t.Errorf("the next invocation failed: %v", result.Err)
	}
}
