package main_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// ownOutcome is an outcome event of this program, as it comes back.
const ownOutcome = `{"specversion":"1.0","id":"i","source":"urn:huaweicloud:dds:r:p","type":"dds.backup.deletion.not_found.v1","data":{"request_id":"r","project_id":"p","backup_id":"b","status":"not_found"}}`

// However an outcome that comes back is wrapped or encoded, it is left alone: a rejection would be
// published and come back the same way.
func TestOwnOutcomesAreLeftAlone(t *testing.T) {
	w := start(t, nil)
	quoted, err := json.Marshal(ownOutcome)
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(ownOutcome))
	for name, body := range map[string]string{
		"a record of a stream":    `{"eventSource":"aws:kinesis","data":"` + encoded + `"}`,
		"an unknown wrapping":     `{"Payload":"` + encoded + `"}`,
		"in URL base64":           `{"Payload":"` + base64.URLEncoding.EncodeToString([]byte(ownOutcome)) + `"}`,
		"escaped quotes":          `{"Payload":"` + strings.ReplaceAll(ownOutcome, `"`, `\u0022`) + `"}`,
		"an escaped type":         strings.ReplaceAll(ownOutcome, "dds.backup", `dds\u002ebackup`),
		"percent-encoded":         `{"Payload":"` + url.PathEscape(ownOutcome) + `"}`,
		"a reply to own outcomes": `{"requestContext":{"functionArn":"f","condition":"Success"},"requestPayload":` + ownOutcome + `,"responsePayload":{"results":[]}}`,
		"a text in a text":        `{"Message":` + string(quoted) + `}`,
	} {
		result := w.invoke(t, inQueue(t, body))
		if result.Err != nil || string(result.Payload) != `{"batchItemFailures":[]}` {
			t.Errorf("%s: reply %s, error %v", name, result.Payload, result.Err)
		}
		if entries := w.bus.Taken(); len(entries) != 0 {
			t.Fatalf("%s: published %s", name, entries[len(entries)-1].Detail)
		}
	}
}

// A request may quote an earlier outcome in its metadata. What is wrong with it is rejected, not taken
// for the outcome.
func TestMetadataThatQuotesAnOutcome(t *testing.T) {
	for name, body := range map[string]string{
		"too long":          `{"backup_id":"b","metadata":{"previous":` + ownOutcome + `,"pad":"` + strings.Repeat("x", 900) + `"}}`,
		"an unknown member": `{"backup_id":"b","Region":"x","metadata":{"previous":` + ownOutcome + `}}`,
		"in a CloudEvent":   `{"specversion":"1.0","id":"1","source":"s","type":"dds.backup.deletion.requested.v1","data":{"backup_id":"b","x":1,"metadata":{"previous":` + ownOutcome + `}}}`,
	} {
		w := start(t, nil)
		w.invoke(t, inQueue(t, body))
		if entries := w.bus.Taken(); len(entries) != 1 || !strings.Contains(entries[0].Detail, "rejected") {
			t.Errorf("%s: events %v", name, entries)
		}
	}
}

// What a destination, a query or a record leaves out, or spells in another way, is not guessed.
func TestNothingIsGuessed(t *testing.T) {
	w := start(t, nil)
	id := sample(0)
	for name, payload := range map[string]string{
		"a destination without a condition": `{"requestContext":{"functionArn":"f"},"requestPayload":{"backup_id":"` + id + `"}}`,
		"a condition in another case":       `{"requestContext":{"functionArn":"f","condition":"success"},"requestPayload":{"backup_id":"` + id + `"},"responsePayload":{}}`,
		"a query parameter that is null":    strings.Replace(deleteCall(id), `"rawQueryString":""`, `"queryStringParameters":{"dry_run":null}`, 1),
		"an empty list in a query":          `{"requestContext":{"elb":{"targetGroupArn":"x"}},"httpMethod":"DELETE","path":"/backups/` + id + `","multiValueHeaders":{},"multiValueQueryStringParameters":{"dry_run":[]}}`,
		"a body of a byte order mark":       strings.Replace(deleteCall(id), `"isBase64Encoded":false`, `"isBase64Encoded":false,"body":"\ufeff"`, 1),
		"a body of an encoded line end":     strings.Replace(deleteCall(id), `"isBase64Encoded":false`, `"isBase64Encoded":true,"body":"\n"`, 1),
		"another spelling of value":         `{"eventSource":"aws:kafka","records":{"t-0":[{"topic":"t","partition":0,"offset":1,"Value":"e30=","headers":[]}]}}`,
	} {
		before := len(w.bus.Taken())
		result := w.invoke(t, []byte(payload))
		if _, there := w.dds.Backup(id); !there {
			t.Fatalf("%s: deleted", name)
		}
		if result.Err == nil && !strings.Contains(string(result.Payload), "400") && len(w.bus.Taken()) == before {
			t.Errorf("%s: success, and nobody is told: %s", name, result.Payload)
		}
	}
}

// deleteCall is a DELETE through an HTTP API.
func deleteCall(id string) string {
	return `{"version":"2.0","routeKey":"$default","rawPath":"/backups/` + id + `","rawQueryString":"","headers":{},"requestContext":{"http":{"method":"DELETE","path":"/backups/` + id + `"},"requestId":"r","stage":"$default"},"isBase64Encoded":false}`
}

// What only looks as if it were said twice is taken.
func TestHTTPThatIsNotAmbiguous(t *testing.T) {
	w := start(t, nil)
	post := strings.NewReplacer("DELETE", "POST", "/backups/x", "/deletions", `"rawQueryString":""`, `"rawQueryString":"dry_run=true"`)
	body := `"body":"{\"backup_id\":\"` + sample(0) + `\",\"metadata\":{\"note\":\"dry_run\"}}","isBase64Encoded":false`
	payload := strings.Replace(post.Replace(deleteCall("x")), `"isBase64Encoded":false`, body, 1)
	payload = strings.Replace(payload, `"headers":{}`, `"headers":{"content-type":"application/json; profile=\"a,b\""}`, 1)
	if result := w.invoke(t, []byte(payload)); !strings.Contains(string(result.Payload), `\"status\":\"simulated\"`) {
		t.Errorf("reply %s, error %v", result.Payload, result.Err)
	}
}
