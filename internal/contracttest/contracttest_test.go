package contracttest_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dds-backup-delete/internal/contracttest"
)

// A document that matches its schema, and changes, each of which makes it invalid.
var documents = map[string]struct {
	schema, document string
	good, bad        []change
}{
	"a request": {
		schema: "request.json", document: `{"backup_id":"a"}`,
		good: []change{
			{`backup_id`, `backups_id`},
			{`"a"`, `"` + strings.Repeat("aZ09-_bb", 8) + `"`},
			{`}`, `,"project_id":"p","region":"r"}`},
			{`}`, `,"traceparent":"malformed"}`},
			{`}`, `,"expires_at":"2026-12-31T18:00:00Z"}`},
			{`}`, `,"expires_at":"2026-12-31T18:00:00.5+08:00"}`},
			{`}`, `,"dry_run":false,"metadata":{"because":{"type":"x","status":"y"}}}`},
		},
		bad: []change{
			{`{"backup_id":"a"}`, `"a"`},
			{`{"backup_id":"a"}`, `5`},
			{`{"backup_id":"a"}`, `[{"backup_id":"a"}]`},
			{`{"backup_id":"a"}`, `{}`},
			{`}`, `,"Region":"r"}`},
			{`}`, `,"expires_at":"tomorrow"}`},
			{`}`, `,"expires_at":"2026-12-31"}`},
			{`}`, `,"expires_at":"2026-13-31T18:00:00Z"}`},
			{`}`, `,"expires_at":"2026-12-31T18:00:00"}`},
			{`}`, `,"expires_at":1798740000}`},
			{`}`, `,"expires_at":null}`},
			{`}`, `,"dry_run":"true"}`},
			{`}`, `,"dry_run":null}`},
			{`}`, `,"metadata":"x"}`},
			{`}`, `,"traceparent":null}`},
			{`backup_id`, `Backup_ID`},
			{`"a"`, `""`},
			{`"a"`, `"a/b"`},
			{`"a"`, `"ä"`},
			{`"a"`, `"a\n"`},
			{`"a"`, `"` + strings.Repeat("a", 65) + `"`},
			{`"a"`, `5`},
			{`"a"`, `null`},
			{`"a"`, `["a"]`},
			{`}`, `,"backups_id":"b"}`},
			{`}`, `,"backup_ids":["b"]}`},
			{`}`, `,"project_id":""}`},
			{`}`, `,"project_id":null}`},
			{`}`, `,"region":""}`},
			{`}`, `,"region":5}`},
			{`}`, `,"type":"x"}`},
			{`}`, `,"type":5}`},
			{`}`, `,"specversion":"1.0"}`},
			{`}`, `,"detail-type":"x"}`},
			{`}`, `,"TopicArn":"x"}`},
			{`}`, `,"Records":[]}`},
			{`}`, `,"requestContext":{}}`},
			{`}`, `,"job_id":"x"}`},
			{`}`, `,"status":"accepted"}`},
		},
	},
	"a request for several": {
		schema: "request.json", document: `{"backup_ids":["a","b"]}`,
		good: []change{{`"a","b"`, `"a"`}, {`"b"`, strings.Repeat(`"b",`, 998) + `"b"`}},
		bad: []change{
			{`"a","b"`, ``},
			{`["a","b"]`, `"a"`},
			{`"b"`, `""`},
			{`"b"`, `5`},
			{`"b"`, strings.Repeat(`"b",`, 999) + `"b"`},
			{`}`, `,"backups_id":"b"}`},
		},
	},
	"a list of requests": {
		schema: "requests.json", document: `[{"backup_id":"a"},{"backups_id":"b"}]`,
		good: []change{{`,{"backups_id":"b"}`, ``}, {`{"backups_id":"b"}`, `{"backup_ids":["b"]}`}},
		bad: []change{
			{`{"backup_id":"a"},{"backups_id":"b"}`, ``},
			{`{"backups_id":"b"}`, `"b"`},
			{`{"backups_id":"b"}`, `[]`},
			{`"b"`, `""`},
			{`{"backups_id":"b"}`, strings.Repeat(`{"backups_id":"b"},`, 999) + `{"backups_id":"b"}`},
			{`[{"backup_id":"a"},{"backups_id":"b"}]`, `{"backup_id":"a"}`},
		},
	},
	"a request as a CloudEvent": {
		schema:   "request-event.json",
		document: `{"specversion":"1.0","id":"i","source":"s","type":"dds.backup.deletion.requested.v1","data":{"backup_id":"a"}}`,
		good: []change{
			{`"data":{"backup_id":"a"}`, `"data_base64":"eyJiYWNrdXBfaWQiOiJhIn0="`},
			{`"id"`, `"expirytime":"2026-12-31T18:00:00Z","authtype":"user","authid":"dba","id"`},
			{`"id"`, `"time":"malformed","id"`},
			{`"id"`, `"time":"2026-01-04T02:00:00Z","subject":"a","myextension":5,"id"`},
			{`}`, members(9_995) + `}`},
		},
		bad: []change{
			{`}`, members(9_996) + `}`},
			{`{"specversion":"1.0","id":"i","source":"s","type":"dds.backup.deletion.requested.v1","data":{"backup_id":"a"}}`, `[]`},
			{`"id"`, `"expirytime":"tomorrow","id"`},
			{`"id"`, `"expirytime":5,"id"`},
			{`"i"`, `5`},
			{`"s"`, `{}`},
			{`"data":{"backup_id":"a"}`, `"data_base64":""`},
			{`"data":{"backup_id":"a"}`, `"data_base64":5`},
			{`"specversion":"1.0",`, ``},
			{`"1.0"`, `"0.3"`},
			{`"1.0"`, `1.0`},
			{`"id":"i",`, ``},
			{`"i"`, `""`},
			{`"source":"s",`, ``},
			{`"s"`, `""`},
			{`requested`, `accepted`},
			{`"type":"dds.backup.deletion.requested.v1",`, ``},
			{`,"data":{"backup_id":"a"}`, ``},
			{`{"backup_id":"a"}`, `{"type":"x","backup_id":"a"}`},
			{`{"backup_id":"a"}`, `"a"`},
			{`{"backup_id":"a"}`, `[{"backup_id":"a"}]`},
			{`"data"`, `"data_base64":"eyJiYWNrdXBfaWQiOiJhIn0=","data"`},
		},
	},
	"results": {
		schema:   "results.json",
		document: `{"results":[` + outcomes["accepted"] + `,` + outcomes["retry"] + `]}`,
		bad: []change{
			{`"results"`, `"result"`},
			{`"results":[`, `"results":[5,`},
			{`}`, `,"more":5}`},
		},
	},
	"no results": {schema: "results.json", document: `{"results":[]}`, bad: []change{{`[]`, `null`}, {`"results":[]`, ``}, {`{"results":[]}`, `[]`}}},
}

// members returns n members, each after a comma.
func members(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, `,"m%d":5`, i)
	}
	return text.String()
}

// change replaces a text in a document.
type change struct{ old, with string }

func (c change) of(t *testing.T, document string) []byte {
	t.Helper()
	changed := strings.Replace(document, c.old, c.with, 1)
	if c.old == "}" { // the last one
		at := strings.LastIndex(document, c.old)
		changed = document[:at] + c.with
	}
	if changed == document || !json.Valid([]byte(changed)) {
		t.Fatalf("%q instead of %q makes %s", c.with, c.old, changed)
	}
	return []byte(changed)
}

func TestValid(t *testing.T) {
	for name, tc := range documents {
		t.Run(name, func(t *testing.T) {
			contracttest.Check(t, tc.schema, []byte(tc.document))
			for _, c := range tc.good {
				contracttest.Check(t, tc.schema, c.of(t, tc.document))
			}
			for _, c := range tc.bad {
				if document := c.of(t, tc.document); contracttest.Valid(tc.schema, document) == nil {
					t.Errorf("accepted: %s", document)
				}
			}
		})
	}
}

// A schema without a test might accept anything.
func TestEverySchemaIsTried(t *testing.T) {
	tried := []string{"outcome-event.json", "outcome.json", "problem.json"} // in produced_test.go
	for _, tc := range documents {
		tried = append(tried, tc.schema)
	}
	slices.Sort(tried)
	files, err := filepath.Glob("../../api/schemas/*.json")
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if tried = slices.Compact(tried); err != nil || !slices.Equal(files, tried) {
		t.Errorf("tried %q of %q, error %v", tried, files, err)
	}
}

func TestValidSaysWhy(t *testing.T) {
	for document, says := range map[string]string{
		`{"backup_id":5}`:        "/backup_id",
		`{"backup_id":"a"`:       "not JSON",
		`{"backup_id":"a"} true`: "not JSON",
		``:                       "not JSON",
	} {
		if err := contracttest.Valid("request.json", []byte(document)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one that says %q", document, err, says)
		}
	}
}

func TestValidWithoutSchema(t *testing.T) {
	for _, schema := range []string{"none.json", "outcome.json#/$defs/none"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", schema)
				}
			}()
			_ = contracttest.Valid(schema, []byte(`{}`))
		}()
	}
}
