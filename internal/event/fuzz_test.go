package event_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// check holds a decoded payload against what must be true of every one.
func check(t *testing.T, batch *event.Batch, payload []byte) {
	t.Helper()
	if most := len(payload)/2 + 1; len(batch.Requests) > most || len(batch.OwnEvents) > most {
		t.Errorf("%d requests and %d own events from %d bytes", len(batch.Requests), len(batch.OwnEvents), len(payload))
	}
	retries, verdicts := make([]deletion.Outcome, len(batch.Requests)), make([]deletion.Outcome, len(batch.Requests))
	for i, r := range batch.Requests {
		if r.ID == "" || r.Source == "" {
			t.Errorf("request %d has no id or source", i)
		}
		if r.Err != nil && r.Err.Class == deletion.ClassInvalid && r.BackupID != "" {
			t.Errorf("request %d is refused and names a backup", i)
		}
		if _, err := json.Marshal(r); err != nil { // a ledger keeps it so
			t.Errorf("request %d: %v", i, err)
		}
		if r.Err != nil && (r.Parkable || !r.ExpiresAt.IsZero()) {
			t.Errorf("request %d is no request, and parkable %t or expires at %v", i, r.Parkable, r.ExpiresAt)
		}
		retries[i] = deletion.Outcome{Request: r, Status: deletion.Retry, Err: &deletion.Error{Class: deletion.ClassUnavailable}}
		verdicts[i] = deletion.Outcome{Request: r, Status: deletion.Accepted, JobID: "job", Event: deletion.Event{JSON: []byte("{}")}}
	}
	if batch.Source == event.SourceTick && (!batch.Tick || len(batch.Requests) > 0) {
		t.Errorf("a tick with requests: %+v", batch)
	}
	if batch.Limit == 0 { // an HTTP call may name its backup in the path
		checkAsked(t, batch.Requests, payload)
	}
	for _, outcomes := range [][]deletion.Outcome{retries, verdicts} {
		if reply, err := batch.Reply(outcomes); err == nil && !json.Valid(reply) {
			t.Errorf("reply %q is not JSON", reply)
		}
		batch.Visibilities(outcomes)
	}
}

// checkAsked checks, by other means than the decoder's, that each request that can be worked was
// asked for: somewhere in the payload is an object that names its backup, once, and has no member
// that a request may not have.
func checkAsked(t *testing.T, requests []deletion.Request, payload []byte) {
	t.Helper()
	asked := make(map[string]bool)
	for _, value := range inside(string(payload)) {
		object, _ := value.(map[string]any)
		var ids []any
		for name, member := range object {
			switch name {
			case "backup_id", "backups_id":
				ids = append(ids, member, nil)
			case "backup_ids":
				list, _ := member.([]any)
				ids = append(append(ids, list...), nil)
			case "project_id", "region", "traceparent", "dry_run", "metadata", "expires_at":
			default:
				ids = append(ids, nil, nil)
			}
		}
		for _, id := range ids {
			if text, ok := id.(string); ok && nils(ids) == 1 {
				asked[text] = true
			}
		}
	}
	for _, r := range requests {
		if r.Err == nil && !asked[r.BackupID] {
			t.Errorf("nobody asked for %q", r.BackupID)
		}
	}
}

// nils counts the nils: checkAsked adds one for each name of a backup.
func nils(values []any) (n int) {
	for _, v := range values {
		if v == nil {
			n++
		}
	}
	return n
}

// seed adds the samples, or what within finds in them.
func seed(f *testing.F, within func(payload []byte) []string) {
	f.Helper()
	files, err := filepath.Glob("../../events/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no sample events: %v", err)
	}
	for _, name := range files {
		payload, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, text := range within(payload) {
			f.Add([]byte(text))
		}
	}
	for _, tc := range badBodies {
		f.Add([]byte(tc.body))
	}
	for _, tc := range others {
		f.Add([]byte(tc.event))
		f.Add([]byte(tc.event[:len(tc.event)-1] + `,"backup_id":"a"}`))
	}
	for _, text := range []string{
		"[" + plain + "," + outcomeEvent + "]", "\ufeff" + plain, "\x00\x00\x00\x00\x07" + plain, `{"Records":[],"backup_id":"a"}`, `{"backup_id":"a","dry_run":true,"metadata":{"a":1}}`,
		`[{"messageId":"m","body":"{\"backup_id\":\"a\"}","eventSource":"aws:sqs"}]`, pipeKafka("SelfManagedKafka", `bootstrapServers":"b`, plain),
		`{"eventSource":"aws:mq","eventSourceArn":"a","messages":[{"messageID":"m","messageType":"jms/text-message","timestamp":1e999,"data":"eyJiYWNrdXBfaWQiOiJhIn0="}]}`,
	} {
		f.Add([]byte(text))
	}
}

// bodies are the samples' own bodies, and the samples themselves.
func bodies(payload []byte) []string {
	var in struct {
		Records []struct {
			Body string
			Sns  struct{ Message string }
		}
		Body   string
		Detail json.RawMessage
	}
	found := []string{string(payload)}
	if json.Unmarshal(payload, &in) != nil {
		return found
	}
	found = append(found, in.Body, string(in.Detail))
	for _, r := range in.Records {
		found = append(found, r.Body, r.Sns.Message)
	}
	return found
}

func whole(payload []byte) []string { return []string{string(payload)} }

func FuzzDecode(f *testing.F) {
	seed(f, whole)
	f.Fuzz(func(t *testing.T, payload []byte) {
		if batch, err := decode(payload); err == nil {
			check(t, batch, payload)
		}
	})
}

// neighbours checks that a part of a batch, whatever it holds, harms no part before or after it.
func neighbours(t *testing.T, payload []byte) {
	t.Helper()
	batch, err := decode(payload)
	if err != nil {
		t.Fatalf("a payload with two good requests is refused as a whole: %v", err)
	}
	check(t, batch, payload)
	var good int
	for _, r := range batch.Requests {
		if r.Err == nil && r.BackupID == backup {
			good++
		}
	}
	if good < 2 {
		t.Errorf("%d of the two good requests are left", good)
	}
}

func FuzzSQS(f *testing.F) {
	seed(f, bodies)
	f.Fuzz(func(t *testing.T, body []byte) { neighbours(t, marshal(t, sqs(plain, string(body), plain))) })
}

func FuzzSNS(f *testing.F) {
	seed(f, bodies)
	f.Fuzz(func(t *testing.T, body []byte) {
		neighbours(t, sns(t, plain, string(body), plain))
		neighbours(t, marshal(t, sqs(plain, notification(t, string(body)), plain)))
	})
}

func FuzzEventBridge(f *testing.F) {
	seed(f, bodies)
	f.Fuzz(func(t *testing.T, detail []byte) {
		for _, text := range []string{busEvent(event.RequestType, string(detail)), cloudEvent(event.RequestType, string(detail))} {
			if batch, err := decode([]byte(text)); err == nil {
				check(t, batch, []byte(text))
			}
			neighbours(t, marshal(t, sqs(plain, text, plain)))
		}
	})
}

func FuzzKafka(f *testing.F) {
	seed(f, bodies)
	f.Add([]byte(`{"topic":"t","partition":0,"offset":5,"value":"e30=","headers":[{"traceparent":[48,-1]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		neighbours(t, kafka(t, map[string][]string{"requests-0": {plain, string(body), plain}}))
		good := `{"offset":1,"value":"` + base64.StdEncoding.EncodeToString([]byte(plain)) + `"}`
		text := `{"eventSource":"aws:kafka","records":{"t-0":[` + good + `,` + string(body) + `]}}`
		if batch, err := decode([]byte(text)); err == nil {
			check(t, batch, []byte(text))
		}
	})
}

func FuzzMQ(f *testing.F) {
	seed(f, bodies)
	f.Add([]byte(`{"basicProperties":{"messageId":null,"headers":{"a":{"bytes":[1,-2]}}},"redelivered":true,"data":"e30="}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		neighbours(t, rabbitMQ(t, plain, string(body), plain))
		neighbours(t, activeMQ(t, plain, string(body), plain))
		for _, text := range []string{
			`{"eventSource":"aws:rmq","rmqMessagesByQueue":{"q::/":[` + string(body) + `]}}`, `{"eventSource":"aws:mq","messages":[` + string(body) + `]}`,
		} {
			if batch, err := decode([]byte(text)); err == nil {
				check(t, batch, []byte(text))
			}
		}
	})
}

func FuzzHTTP(f *testing.F) {
	for _, path := range []string{"/deletions", "/", "/backups/" + backup, "/v3/" + project + "/backups/" + backup, "/prod/backups/%2e%2e/"} {
		for _, media := range []string{"application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain; x"} {
			for _, body := range []string{plain, cloudEvent(event.RequestType, plain), "[" + outcomeEvent + "]", `{"backup_ids":["a"]}`} {
				f.Add("POST", path, media, body, "reply", event.RequestType)
			}
		}
		f.Add("DELETE", path, "", "", "", "")
	}
	f.Fuzz(func(t *testing.T, method, path, media, body, prefer, eventType string) {
		for _, multi := range []bool{false, true} {
			format2, format1, balancer := httpAPI(method, path, body), restAPI(method, path, body), alb(method, path, body)
			headers := map[string]string{"content-type": media, "prefer": prefer, "accept": media}
			if eventType != "" {
				headers["ce-specversion"], headers["ce-type"], headers["ce-id"], headers["ce-source"] = "1.0", eventType, "i", "s"
			}
			format2.Headers, format1.Headers, balancer.Headers = headers, headers, headers
			if multi {
				balancer.MultiValueHeaders, balancer.Headers = map[string][]string{"content-type": {media}, "prefer": {prefer, prefer}}, nil
			}
			for _, request := range []any{format2, format1, balancer} {
				payload := marshal(t, request)
				batch, err := decode(payload)
				if err != nil {
					t.Fatalf("a call is refused without a reply: %v", err)
				}
				check(t, batch, payload)
				outcomes := make([]deletion.Outcome, len(batch.Requests))
				for i, r := range batch.Requests {
					outcomes[i] = deletion.Outcome{Request: r, Status: deletion.NotFound, Err: &deletion.Error{Class: deletion.ClassNotFound}, Event: deletion.Event{JSON: []byte("{}")}}
				}
				reply, err := batch.Reply(outcomes)
				var response events.APIGatewayProxyResponse
				if err != nil || json.Unmarshal(reply, &response) != nil || response.StatusCode < 200 || response.StatusCode > 599 {
					t.Errorf("reply %s, error %v", reply, err)
				}
			}
		}
	})
}
