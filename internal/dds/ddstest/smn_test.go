package ddstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// SMN takes what keeps its rules, by a key that is known and a body that is signed.
func TestPublish(t *testing.T) {
	attribute := func(name, value string) string {
		return fmt.Sprintf(`{"message":"m","message_attributes":[{"name":%q,"type":"STRING","value":%q}]}`, name, value)
	}
	many := strings.Repeat(`{"name":"a","type":"STRING","value":"b"},`, 11)
	for name, tc := range map[string]struct {
		project, topic, body string
		change               func(*http.Request)
		status               int
		code                 string
	}{
		"all":                   {body: `{"subject":"s","message":"m","time_to_live":"86400","message_attributes":[{"name":"a_1","type":"STRING","value":"B_2"}]}`, status: 200},
		"a message alone":       {body: `{"message":"m"}`, status: 200},
		"another project":       {project: "p", body: `{"message":"m"}`, status: 403, code: "SMN.0001"},
		"no topic":              {topic: "outcomes", body: `{"message":"m"}`, status: 400, code: "SMN.0005"},
		"a topic of a region":   {topic: "urn:smn:r:" + ProjectID + ":t", body: `{"message":"m"}`, status: 404, code: "SMN.0006"},
		"no message":            {body: `{"subject":"s"}`, status: 400, code: "SMN.0009"},
		"no JSON":               {body: `message`, status: 400, code: "SMN.0009"},
		"a long subject":        {body: `{"message":"m","subject":"` + strings.Repeat("s", 513) + `"}`, status: 400, code: "SMN.0009"},
		"a long message":        {body: `{"message":"` + strings.Repeat("m", 256<<10+1) + `"}`, status: 400, code: "SMN.0009"},
		"a long time":           {body: `{"message":"m","time_to_live":"86401"}`, status: 400, code: "SMN.0009"},
		"not a number":          {body: `{"message":"m","time_to_live":"1h"}`, status: 400, code: "SMN.0009"},
		"an attribute's name":   {body: attribute("a__b", "c"), status: 400, code: "SMN.0009"},
		"a name in capitals":    {body: attribute("Status", "c"), status: 400, code: "SMN.0009"},
		"an attribute's value":  {body: attribute("type", "dds.backup"), status: 400, code: "SMN.0009"},
		"a long value":          {body: attribute("a", strings.Repeat("b", 33)), status: 400, code: "SMN.0009"},
		"a value that is empty": {body: attribute("a", ""), status: 400, code: "SMN.0009"},
		"an attribute's type":   {body: `{"message":"m","message_attributes":[{"name":"a","type":"String","value":"b"}]}`, status: 400, code: "SMN.0009"},
		"too many attributes":   {body: `{"message":"m","message_attributes":[` + strings.TrimSuffix(many, ",") + `]}`, status: 400, code: "SMN.0009"},
		"another type of body":  {body: `{"message":"m"}`, change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, status: 400, code: "SMN.0009"},
		"a body that was changed": {body: `{"message":"m"}`, status: 401, code: "APIGW.0301", change: func(r *http.Request) {
			r.Body = http.NoBody
			r.ContentLength = 0
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newServer(t, Options{Limit: 1})
			client.change = func(r *http.Request) {
				r.Header.Set("Content-Type", "application/json")
				if tc.change != nil {
					tc.change(r)
				}
			}
			project, topic := ProjectID, "urn:smn:"+Region+":"+ProjectID+":outcomes"
			if tc.project != "" {
				project = tc.project
			}
			if tc.topic != "" {
				topic = tc.topic
			}
			// The limit is that of DDS.
			for range 2 {
				got, err := client.try(client.request(http.MethodPost, "/v2/"+project+"/notifications/topics/"+strings.ReplaceAll(topic, ":", "%3A")+"/publish", tc.body))
				if err != nil {
					t.Fatal(err)
				}
				var answer struct {
					RequestID string `json:"request_id"`
					MessageID string `json:"message_id"`
					Code      string `json:"code"`
				}
				if err := json.Unmarshal([]byte(got.text), &answer); err != nil || got.status != tc.status || answer.Code+got.code != tc.code ||
					answer.RequestID == "" || (answer.MessageID != "") != (tc.status == 200) {
					t.Errorf("status %d, %s, error %v; want %d and %s", got.status, got.text, err, tc.status, tc.code)
				}
			}
			if taken := len(server.Messages()); (taken == 2) != (tc.status == 200) {
				t.Errorf("%d messages taken", taken)
			}
		})
	}
}
