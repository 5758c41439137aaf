package main_test

import (
	stdcmp "cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/contracttest"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/lambdatest"
)

const none = "00000000000000000000000000000000br02"

// samples says what comes of each file in events/.
var samples = map[string]struct {
	deleted []string // backups that are gone afterwards
	events  []string // status and subject of what went out
	reply   string   // what the source got back, job ids as JOB
	errType string   // or the type of the error
}{
	"sqs.json": {
		deleted: []string{"8d9586c40b33449a815518d4635a2cd9br02"},
		events:  []string{"accepted 8d9586c40b33449a815518d4635a2cd9br02"},
		reply:   allDone,
	},
	"sqs-batch.json": {
		deleted: []string{"0a1b2c3d4e5f46789a8b7c6d5e4f3a07br02", "96f5e4d3c2b14a0f8e7d6c5b4a392809br02", "b8c7d6e5f4a34b2c9d1e0f9a8b7c6d08br02"},
		events: []string{
			"accepted 0a1b2c3d4e5f46789a8b7c6d5e4f3a07br02", "accepted 96f5e4d3c2b14a0f8e7d6c5b4a392809br02",
			"accepted b8c7d6e5f4a34b2c9d1e0f9a8b7c6d08br02", "not_found " + none, "rejected ", "rejected ",
		},
		reply: `{"batchItemFailures":[{"itemIdentifier":"@@LAST@@"}]}`,
	},
	"sqs-expires.json": { // its backup is that of an earlier sample, so this is a replay
		events: []string{"accepted 95cb939543cb46ce8bdd3e61eaad3646br02"},
		reply:  allDone,
	},
	"sqs-own-outcome.json": {reply: allDone}, // no event: it would go round and round
	"direct.json": {
		deleted: []string{"2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02"},
		events:  []string{"accepted 2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02"},
		reply:   accepted("invocation", "2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02"),
	},
	"direct-backups-id.json": {
		deleted: []string{"5b6d3c90e1f24a77b0c98d21f4a3e602br02"},
		events:  []string{"accepted 5b6d3c90e1f24a77b0c98d21f4a3e602br02"},
		reply:   accepted("invocation", "5b6d3c90e1f24a77b0c98d21f4a3e602br02"),
	},
	"direct-not-found.json": {events: []string{"not_found " + none}, errType: "DDS.NotFound"},
	"apigateway-http-delete.json": {
		deleted: []string{"a17e4f02c8d94b3fa6f0e5d4c3b2a103br02"},
		events:  []string{"accepted a17e4f02c8d94b3fa6f0e5d4c3b2a103br02"},
		reply:   "HTTP 202 " + accepted("JKJaXmPLvHcESHA1", "a17e4f02c8d94b3fa6f0e5d4c3b2a103br02"),
	},
	"apigateway-http-delete-v3.json": {
		deleted: []string{"c40e9d8b7a6f4e5d9c3b2a1f0e9d8c04br02"},
		events:  []string{"accepted c40e9d8b7a6f4e5d9c3b2a1f0e9d8c04br02"},
		reply:   "HTTP 202 " + accepted("JKJaXmPLvHcESHA2", "c40e9d8b7a6f4e5d9c3b2a1f0e9d8c04br02"),
	},
	"apigateway-http-post.json": {
		deleted: []string{"e93b5a7c1d2f4086b7a8c9d0e1f20305br02"},
		events:  []string{"accepted e93b5a7c1d2f4086b7a8c9d0e1f20305br02"},
		reply:   "HTTP 202 " + accepted("JKJaXmPLvHcESHA3", "e93b5a7c1d2f4086b7a8c9d0e1f20305br02"),
	},
	"apigateway-http-post-base64.json": {
		deleted: []string{"71c2d3e4f5a64b7c8d9e0f1a2b3c4d06br02"},
		events:  []string{"accepted 71c2d3e4f5a64b7c8d9e0f1a2b3c4d06br02"},
		reply:   "HTTP 202 " + accepted("JKJaXmPLvHcESHA4", "71c2d3e4f5a64b7c8d9e0f1a2b3c4d06br02"),
	},
	"apigateway-http-not-found.json": {events: []string{"not_found " + none}, reply: "HTTP 404 DBS.201214"},
	"sqs-fifo.json": {
		deleted: []string{sample(12), sample(14), sample(15)},
		events:  []string{"accepted " + sample(12), "accepted " + sample(14), "accepted " + sample(15)},
		reply:   `{"batchItemFailures":[{"itemIdentifier":"ee4a3a47-6ee7-426b-9214-f9aee4b48ab1"},{"itemIdentifier":"fb4e5a1f-35bc-4463-aa69-5687a67e30ed"}]}`,
	},
	"sqs-list.json": {
		deleted: []string{sample(16), sample(17)},
		events:  []string{"accepted " + sample(16), "accepted " + sample(17), "not_found " + none},
		reply:   allDone,
	},
	"sqs-sns.json": {
		deleted: []string{sample(18)},
		events:  []string{"accepted " + sample(18)},
		reply:   allDone,
	},
	"sqs-eventbridge.json": {
		deleted: []string{sample(19)},
		events:  []string{"accepted " + sample(19)},
		reply:   allDone,
	},
	"sqs-cloudevent.json": {
		deleted: []string{sample(20)},
		events:  []string{"accepted " + sample(20)},
		reply:   allDone,
	},
	"sqs-destination.json": {
		deleted: []string{sample(21)},
		events:  []string{"accepted " + sample(21)},
		reply:   allDone,
	},
	"sns.json": {
		deleted: []string{sample(22)},
		events:  []string{"accepted " + sample(22)},
		reply:   accepted("8d90ec86-b2e7-4036-a725-42f7a5d9489b", sample(22)),
	},
	"sns-cloudevent.json": {
		deleted: []string{sample(23)},
		events:  []string{"accepted " + sample(23)},
		reply:   accepted("626513a2-d659-4c73-98f3-b53df1e13df1", sample(23)),
	},
	"eventbridge.json": {
		deleted: []string{sample(24)},
		events:  []string{"accepted " + sample(24)},
		reply:   accepted("5da956dd-d49d-4172-b1f3-6ce5424cac35", sample(24)),
	},
	"eventbridge-cloudevent.json": {
		deleted: []string{sample(25)},
		events:  []string{"accepted " + sample(25)},
		reply:   accepted("8b295a1f-5e79-49e0-9a8d-b3a619080319", sample(25)),
	},
	"eventbridge-foreign.json": {
		events: []string{"rejected "},
		reply: fmt.Sprintf(`{"request_id":"e0ac0352-95a2-4162-afc9-571f3e7e8eed","project_id":%q,"status":"rejected","error":{"class":"invalid",`+
			`"message":"it is an event of detail-type \"Backup Created\"; expected \"dds.backup.deletion.requested.v1\""}}`, ddstest.ProjectID),
	},
	"eventbridge-scheduler.json": {
		deleted: []string{sample(27)},
		events:  []string{"accepted " + sample(27)},
		reply:   accepted("invocation", sample(27)),
	},
	"kafka-msk.json": {
		deleted: []string{sample(28), sample(29), sample(30), sample(31)},
		events:  []string{"accepted " + sample(28), "accepted " + sample(29), "accepted " + sample(30), "accepted " + sample(31), "rejected "},
		reply:   allDone,
	},
	"pipes-sqs.json": {
		deleted: []string{"5d0f3b8e27c94a61b1f2c7d9e8a06b54br02"},
		events:  []string{"accepted 5d0f3b8e27c94a61b1f2c7d9e8a06b54br02"},
		reply:   allDone,
	},
	"pipes-kafka.json": {
		deleted: []string{"e7a94c1d60b2438f9d35f0c8a1b7e655br02"},
		events:  []string{"accepted e7a94c1d60b2438f9d35f0c8a1b7e655br02"},
		reply:   allDone,
	},
	"kafka-self-managed.json": {
		deleted: []string{sample(32)},
		events:  []string{"accepted " + sample(32)},
		reply:   allDone,
	},
	"rabbitmq.json": {
		deleted: []string{sample(33), sample(34)},
		events:  []string{"accepted " + sample(33), "accepted " + sample(34)},
		reply:   "{}",
	},
	"activemq.json": {
		deleted: []string{sample(35), sample(36)},
		events:  []string{"accepted " + sample(35), "accepted " + sample(36)},
		reply:   "{}",
	},
	"apigateway-rest-delete.json": {
		deleted: []string{sample(37)},
		events:  []string{"accepted " + sample(37)},
		reply:   "HTTP 202 " + accepted("550cfd4f-dc49-4100-a68d-f0edf7976a93", sample(37)),
	},
	"apigateway-rest-proxy.json": {
		deleted: []string{sample(38)},
		events:  []string{"accepted " + sample(38)},
		reply:   "HTTP 202 " + accepted("51711803-3891-42e4-8701-48b39ba04599", sample(38)),
	},
	"function-url-delete.json": {
		deleted: []string{sample(39)},
		events:  []string{"accepted " + sample(39)},
		reply:   "HTTP 202 " + accepted("e729f2ee-fbbd-4db3-8f2e-86f9f166598a", sample(39)),
	},
	"apigateway-http-delete-dry-run.json": {
		events: []string{"simulated " + sample(13)},
		reply:  fmt.Sprintf(`HTTP 200 {"request_id":"JKJaXmPLvHcESHA9","project_id":%q,"backup_id":%q,"status":"simulated"}`, ddstest.ProjectID, sample(13)),
	},
	"alb-health.json": {reply: `HTTP 200 {"status":"ok"}`},
	"alb-delete.json": {
		deleted: []string{sample(41)},
		events:  []string{"accepted " + sample(41)},
		reply:   "HTTP 202 " + accepted("invocation", sample(41)),
	},
	"function-url-cloudevent.json": {
		deleted: []string{sample(40)},
		events:  []string{"accepted " + sample(40)},
		reply:   "HTTP 200 EVENT",
	},
	"apigateway-http-cloudevent.json": {
		deleted: []string{sample(44)},
		events:  []string{"accepted " + sample(44)},
		reply:   "HTTP 200 EVENT",
	},
	"alb-post-multi-value.json": {
		deleted: []string{sample(42), sample(43)},
		events:  []string{"accepted " + sample(42), "accepted " + sample(43)},
		reply:   "HTTP 207 " + results(accepted("invocation", sample(42)), accepted("invocation", sample(43))),
	},
	"apigateway-http-cloudevent-batch.json": {
		deleted: []string{sample(45), sample(46)},
		events:  []string{"accepted " + sample(45), "accepted " + sample(46)},
		reply:   "HTTP 200 " + results(accepted("c6c6cfe7-e45d-4c57-9d7d-99e5bd2613ea", sample(45)), accepted("0913f097-7656-4416-9f52-b3fde0219956", sample(46))),
	},
	"apigateway-http-list.json": {
		deleted: []string{sample(47)},
		events:  []string{"accepted " + sample(47), "rejected "},
		reply: "HTTP 207 " + results(accepted("JKJaXmPLvHcESHA8", sample(47)), fmt.Sprintf(`{"request_id":"JKJaXmPLvHcESHA8","project_id":%q,"status":"rejected",`+
			`"error":{"class":"invalid","message":"[1].backup_id: character U+002F at byte 3 of 9; expected 1 to 64 letters, digits, \"-\" or \"_\""}}`, ddstest.ProjectID)),
	},
	"cloudevent.json": {
		deleted: []string{sample(48)},
		events:  []string{"accepted " + sample(48)},
		reply:   accepted("6b7df0a1-98c5-444b-b2af-ad2ee8f53748", sample(48)),
	},
	"direct-list.json": {
		deleted: []string{sample(49), sample(50)},
		events:  []string{"accepted " + sample(49), "accepted " + sample(50)},
		reply:   results(accepted("invocation", sample(49)), accepted("invocation", sample(50))),
	},
	"direct-ids.json": {
		deleted: []string{sample(51), sample(52)},
		events:  []string{"accepted " + sample(51), "accepted " + sample(52)},
		reply:   results(accepted("invocation", sample(51)), accepted("invocation", sample(52))),
	},
	"lambda-destination.json": {
		deleted: []string{sample(53)},
		events:  []string{"accepted " + sample(53)},
		reply:   accepted("02cae0c8-0633-49a1-8bb9-c206a6dfe63c", sample(53)),
	},
	"apigateway-http-status.json": {reply: `HTTP 200 "state":"accepted","attempt":1,"job_id":`},
	"direct-tick.json":            {reply: results()},
	"eventbridge-tick.json":       {reply: results()},
	"functiongraph-apig-delete.json": {
		deleted: []string{sample(56)},
		events:  []string{"accepted " + sample(56)},
		reply:   "HTTP 202 " + accepted("cf6295ac60f84ba2a6f0a1d20f5ad701", sample(56)),
	},
	"functiongraph-apig-post.json": {
		deleted: []string{sample(57)},
		events:  []string{"accepted " + sample(57)},
		reply:   "HTTP 202 " + accepted("cf6295ac60f84ba2a6f0a1d20f5ad702", sample(57)),
	},
	"functiongraph-smn.json": {
		deleted: []string{sample(58)},
		events:  []string{"accepted " + sample(58)},
		reply:   accepted("b12e31cdc4d343b3a93c75bce1b6e003", sample(58)),
	},
	"functiongraph-kafka.json": {
		deleted: []string{sample(59)},
		events:  []string{"accepted " + sample(59)},
		reply:   accepted("7337e834d261fb133030724d12fd6af8", sample(59)),
	},
	"functiongraph-kafka-older.json": {
		deleted: []string{sample(60)},
		events:  []string{"accepted " + sample(60)},
		reply:   accepted("cf63e742d1fe72459dd8b250ae0c3a05", sample(60)),
	},
	"functiongraph-timer.json": {
		deleted: []string{sample(61)},
		events:  []string{"accepted " + sample(61)},
		reply:   accepted("delete-one@2026-11-24T05:00:00+08:00", sample(61)),
	},
	"functiongraph-destination.json": {
		deleted: []string{sample(64)},
		events:  []string{"accepted " + sample(64)},
		reply:   accepted("1167bf8c87b045f3b7f6d1a0c2e4b008", sample(64)),
	},
	"functiongraph-eventgrid.json": {
		deleted: []string{sample(62), sample(63)},
		events:  []string{"accepted " + sample(62), "accepted " + sample(63)},
		reply:   results(accepted("4b26115b-73b4-4d0a-9a11-2d1c8e6a0f06", sample(62)), accepted("4b26115b-73b4-4d0a-9a11-2d1c8e6a0f07", sample(63))),
	},
	"functiongraph-timer-tick.json":  {reply: results()},
	"functiongraph-foreign-cts.json": {errType: "DDS.Invalid"},
	"foreign-s3.json": {
		errType: "DDS.Invalid",
	},
}

// allDone is the reply of a source whose messages were all taken.
const allDone = `{"batchItemFailures":[]}`

// sample returns the id of a sample backup.
func sample(n int) string { return ddstest.SampleBackups()[n].ID }

// results is the answer to several requests.
func results(each ...string) string { return `{"results":[` + strings.Join(each, ",") + `]}` }

func accepted(requestID, backupID string) string {
	return fmt.Sprintf(`{"request_id":%q,"project_id":%q,"backup_id":%q,"job_id":"JOB","status":"accepted"}`, requestID, ddstest.ProjectID, backupID)
}

func TestSamples(t *testing.T) {
	files, err := filepath.Glob("../../events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	w := start(t, nil) // one process for all, as in Lambda
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			want, ok := samples[name]
			if !ok {
				t.Fatal("nothing says what should come of this sample")
			}
			payload, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			backups, jobs, events := w.dds.Backups(), len(w.dds.Jobs()), len(w.bus.Taken())
			result := w.invoke(t, payload)

			for _, b := range backups {
				_, there := w.dds.Backup(b.ID)
				if gone := slices.Contains(want.deleted, b.ID); gone == there {
					t.Errorf("backup %s is there: %v", b.ID, there)
				}
			}
			if got := len(w.dds.Jobs()) - jobs; got != len(want.deleted) {
				t.Errorf("DDS started %d jobs, want %d", got, len(want.deleted))
			}
			if got := w.events(t); len(got)-events != len(want.events) {
				t.Errorf("%d events went out, want %d", len(got)-events, len(want.events))
			}
			var out []string
			for _, entry := range w.bus.Taken()[events:] {
				out = append(out, entry.Detail)
			}
			checkReply(t, result, payload, w.dds.Jobs()[jobs:], out, want.reply, want.errType)
		})
	}
	var all []string
	for _, want := range samples {
		all = append(all, want.events...)
	}
	slices.Sort(all)
	if diff := cmp.Diff(all, w.events(t)); diff != "" {
		t.Errorf("all events (-want +got):\n%s", diff)
	}
}

// checkReply holds a posted reply against the wanted one.
func checkReply(t *testing.T, got lambdatest.Result, payload []byte, jobs []ddstest.Job, events []string, reply, errType string) {
	t.Helper()
	if errType != "" || got.Err != nil {
		if got.Err == nil || got.Err.Type != errType {
			t.Errorf("reply %s, error %v, want an error of type %q", got.Payload, got.Err, errType)
		}
		return
	}
	if strings.Contains(reply, "@@LAST@@") {
		var in struct {
			Records []struct{ MessageID string }
		}
		if err := json.Unmarshal(payload, &in); err != nil {
			t.Fatal(err)
		}
		reply = strings.Replace(reply, "@@LAST@@", in.Records[len(in.Records)-1].MessageID, 1)
	}
	text := string(got.Payload)
	if strings.HasPrefix(reply, "HTTP ") {
		var http struct {
			StatusCode int
			Headers    map[string]string
			Body       string
		}
		if err := json.Unmarshal(got.Payload, &http); err != nil {
			t.Fatal(err)
		}
		text = fmt.Sprintf("HTTP %d %s", http.StatusCode, http.Body)
		if strings.HasSuffix(reply, " EVENT") {
			checkEvent(t, http.StatusCode, http.Headers, http.Body, events)
			return
		}
		if code := reply[len("HTTP 404 "):]; !strings.HasPrefix(code, "{") {
			if !strings.HasPrefix(text, reply[:9]) || !strings.Contains(text, code) {
				t.Errorf("reply %s, want %s", text, reply)
			}
			return
		}
	}
	for _, job := range jobs {
		text = strings.ReplaceAll(text, job.ID, "JOB")
	}
	if text != reply {
		t.Errorf("reply %s\n want %s", text, reply)
	}
}

// checkEvent holds a reply that is an event against the one that went out.
func checkEvent(t *testing.T, status int, header map[string]string, body string, events []string) {
	t.Helper()
	if status != 200 || header["Content-Type"] != "application/cloudevents+json" || len(events) != 1 || body != events[0] {
		t.Errorf("reply %d %v %s, want the event %v", status, header, body, events)
	}
}

// checkContract holds a reply against the published contract: that of the HTTP API, or the
// schema of a result.
func checkContract(t *testing.T, payload, reply []byte) {
	t.Helper()
	var call struct {
		HTTPMethod, Path, RawPath string
		RequestContext            struct {
			HTTP struct{ Method string }
		}
	}
	var answer struct {
		StatusCode        int
		Headers           map[string]string
		MultiValueHeaders map[string][]string
		Body              string
		Results           []json.RawMessage
		Status            string
	}
	if json.Unmarshal(reply, &answer) != nil {
		t.Fatalf("reply %s", reply)
	}
	switch {
	case answer.Results != nil:
		contracttest.Check(t, "results.json", reply)
	case answer.Status != "":
		contracttest.Check(t, "outcome.json", reply)
	case answer.StatusCode != 0:
		if err := json.Unmarshal(payload, &call); err != nil {
			t.Fatal(err)
		}
		header := answer.Headers
		for name, values := range answer.MultiValueHeaders {
			if header == nil {
				header = make(map[string]string)
			}
			header[name] = strings.Join(values, ",")
		}
		method, path := stdcmp.Or(call.HTTPMethod, call.RequestContext.HTTP.Method), stdcmp.Or(call.Path, call.RawPath)
		for _, route := range []string{"/v3/", "/backups/", "/deletions", "/healthz"} { // behind the prefix of a stage or a domain
			if at := strings.Index(path, route); at >= 0 {
				path = path[at:]
				break
			}
		}
		contracttest.Response(t, method, path, answer.StatusCode, header["Content-Type"], header, []byte(answer.Body))
	}
}
