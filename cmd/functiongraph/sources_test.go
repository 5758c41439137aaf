package main_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/functiongraphtest"
	"dds-backup-delete/internal/ledger/ledgertest"
	"dds-backup-delete/internal/sink/sinktest"
)

// source is a shape of FunctionGraph's events.
type source struct {
	payload []byte
	refused string // a part of the reply to a request that is refused; of the error if it begins with "DDS."
	name    string // in the log
}

// sources returns an event of each shape, by its name. Each names backups of its own.
func sources(t *testing.T) map[string]source {
	t.Helper()
	all := map[string]source{
		"functiongraph-apig-delete": {refused: `"statusCode":400`, name: "apig"},
		"functiongraph-apig-post":   {refused: `"statusCode":400`, name: "apig"},
		"functiongraph-smn":         {refused: `"status":"rejected"`, name: "smn"},
		"functiongraph-kafka":       {refused: `"status":"rejected"`, name: "dms-kafka"},
		"functiongraph-kafka-older": {refused: `"status":"rejected"`, name: "dms-kafka"},
		"functiongraph-timer":       {refused: `"status":"rejected"`, name: "timer"},
		"functiongraph-eventgrid":   {refused: `"status":"rejected"`, name: "eventgrid"},
		"functiongraph-destination": {refused: "DDS.Invalid", name: "direct"},
		"direct":                    {refused: "DDS.Invalid", name: "direct"},
	}
	for name, s := range all {
		payload, err := os.ReadFile("../../events/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		s.payload = payload
		all[name] = s
	}
	event := func(i int) string {
		return `{"specversion":"1.0","id":"` + backup(i) + `","source":"/teams/dba","type":"dds.backup.deletion.requested.v1","data":{"backup_id":"` + backup(i) + `"}}`
	}
	all["an array of events"] = source{[]byte("[" + event(2) + "," + event(3) + "]"), `"status":"rejected"`, "eventgrid"}
	all["an event"] = source{[]byte(event(4)), `"status":"rejected"`, "cloudevents"}
	return all
}

var (
	id      = regexp.MustCompile(`[0-9a-f]{32}br02`)
	encoded = regexp.MustCompile(`[A-Za-z0-9+/]{60,}={0,2}`)
)

// plain returns an event with its body in plain text, as an API that does not encode it sends it.
func plain(payload []byte) []byte {
	text := strings.Replace(string(payload), `"isBase64Encoded": true`, `"isBase64Encoded": false`, 1)
	return encoded.ReplaceAllFunc([]byte(text), func(body []byte) []byte {
		decoded, err := base64.StdEncoding.DecodeString(string(body))
		if err != nil {
			return body
		}
		return []byte(strings.ReplaceAll(string(decoded), `"`, `\"`))
	})
}

// named returns the backups that an event names.
func named(payload []byte) (ids []string) {
	for _, found := range id.FindAll(plain(payload), -1) {
		ids = append(ids, string(found))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Each source is accepted, signed with the keys of its invocation, and refused in the way of its protocol.
func TestSources(t *testing.T) {
	t.Parallel()
	outcomes := sinktest.NewCloudEvents(nil)
	t.Cleanup(outcomes.Close)
	w := start(t, functiongraphtest.Runtime, 0, "OUTCOME_SINK="+outcomes.URL)
	for name, s := range sources(t) {
		async := s.name != "apig" && s.name != "direct" && s.name != "cloudevents" // a caller waits for these
		w.check(t, functiongraphtest.Invocation{Payload: s.payload, RequestID: "accepted " + name, Header: keys.Headers(), Async: async}, "", "accepted")
		for _, backup := range named(s.payload) {
			if b, there := w.dds.Backup(backup); there {
				t.Errorf("%s: backup %+v is still there", name, b)
			}
		}
		before := len(outcomes.Taken())
		refused := functiongraphtest.Invocation{Payload: id.ReplaceAll(plain(s.payload), []byte("not.an.id")), RequestID: "refused " + name, Header: keys.Headers(), Async: async}
		if kind, isError := strings.CutPrefix(s.refused, "DDS."); isError {
			w.check(t, refused, "DDS."+kind, "backup_id: character")
		} else {
			w.check(t, refused, "", s.refused)
		}
		if events := outcomes.Taken()[before:]; len(events) == 0 || !strings.Contains(events[0], ".rejected.v1") {
			t.Errorf("%s: no event says that it was refused: %q", name, events)
		}
		if !strings.Contains(w.Output(), `"source":"`+s.name+`"`) {
			t.Errorf("%s: the log does not name the source %s", name, s.name)
		}
	}
	for _, call := range w.calls() {
		if call.Method == http.MethodDelete && (call.AccessKey != keys.Access || call.Status != http.StatusAccepted && call.Status != http.StatusOK) {
			t.Errorf("%+v", call)
		}
	}
}

// What is not a request is refused by name, in whatever way it comes, and costs no call.
func TestForeignEvents(t *testing.T) {
	t.Parallel()
	w := start(t, functiongraphtest.Runtime, 0)
	sample, err := os.ReadFile("../../events/functiongraph-foreign-cts.json")
	if err != nil {
		t.Fatal(err)
	}
	request := `"backup_id":"` + backup(0) + `"`
	for payload, says := range map[string]string{
		string(sample): "a Huawei Cloud CTS event, an audit record",
		`{"Records":[{"eventVersion":"2.0","eventSource":"aws:s3","eventName":"ObjectRemoved:Delete",` + request + `}]}`:                        "Huawei Cloud OBS",
		`{"records":[{"event_source":"dds","event_name":"insert","dds":{"full_document":"{` + strings.ReplaceAll(request, `"`, `\"`) + `}"}}]}`: "changed documents of Huawei Cloud DDS",
		`{"lts":{"data":"` + base64.StdEncoding.EncodeToString([]byte("{"+request+"}")) + `"}}`:                                                 "Huawei Cloud LTS",
		`{"ShardID":"s","StreamName":"n","Tag":"latest","Message":{"records":[]}}`:                                                              "Huawei Cloud DIS",
		`{"trigger_type":"GAUSSMONGO","records":[{` + request + `}]}`:                                                                           "changed documents of Huawei Cloud GaussDB(for Mongo)",
		`{"trigger_type":"RABBITMQ","records":[{"messages":["{` + strings.ReplaceAll(request, `"`, `\"`) + `}"]}]}`:                             `a Huawei Cloud FunctionGraph event of "RABBITMQ"`,
	} {
		for _, async := range []bool{false, true} {
			w.check(t, functiongraphtest.Invocation{Payload: []byte(payload), RequestID: "i", Header: keys.Headers(), Async: async}, "DDS.Invalid", says)
		}
	}
	if calls := w.calls(); len(calls) != 0 {
		t.Errorf("DDS got %+v", calls)
	}
}

// What DDS cannot do now, or refuses to these keys, is parked by each source, where nobody waits for the result. A tick of
// the timer works it later with its own keys, because those of the first invocation are in no ledger.
func TestParked(t *testing.T) {
	t.Parallel()
	l := startLedger(t)
	w := start(t, functiongraphtest.Runtime, 0, l.settings...)
	var backups []string
	park := func(name string, payload []byte, header http.Header) {
		in := functiongraphtest.Invocation{Payload: payload, RequestID: "parked " + name, Header: header, Async: true}
		r, err := w.Invoke(limited(t), in)
		if err != nil || r.Err != nil || strings.Contains(string(r.Payload), "job_id") {
			t.Errorf("%s: error %v, %v, reply %s", name, err, r.Err, r.Payload)
		}
		backups = append(backups, named(payload)...)
	}
	for name, s := range sources(t) {
		for _, backup := range named(s.payload) {
			w.dds.Inject(ddstest.Answer(http.StatusForbidden, "DBS.200019", "Another operation is being performed.").On(http.MethodDelete).For(backup))
		}
		park(name, s.payload, keys.Headers())
	}
	park("no agency", request(5), nil)
	park("an expired key", request(6), functiongraphtest.Keys{Access: "HSTAEXPIREDKEY000001", Secret: "the-secret-key-that-is-expired-000000001", Token: keys.Token}.Headers())
	w.dds.Inject(ddstest.Answer(http.StatusForbidden, "DBS.280063", "The user lacks the action.").For(backup(7)))
	park("no permission", request(7), keys.Headers())
	first := len(w.calls())
	ticking := functiongraphtest.Keys{Access: "HSTAOFTHETICK0000001", Secret: "temporary-secret-key-of-the-tick-0001", Token: "a-security-token-of-the-tick-000001"}
	w.dds.SetKeys(ticking.Access, ticking.Secret, ticking.Token) // the first ones have expired
	if parked := ledgertest.Agenda(t, l.ledger); len(parked) != len(backups) {
		t.Fatalf("%d of %d are parked", len(parked), len(backups))
	}
	if text := l.dump(t); strings.Contains(text, keys.Access) || strings.Contains(text, keys.Secret) || strings.Contains(text, keys.Token) {
		t.Error("the ledger has a key")
	}
	l.tick(t, w, ticking)
	for _, backup := range backups {
		if _, there := w.dds.Backup(backup); there {
			t.Errorf("%s was not deleted", backup)
		}
		if ids := l.outcomes(t, backup); len(ids) != 1 || ids[0].Status != deletion.Accepted {
			t.Errorf("%s: outcomes %v", backup, ids)
		}
	}
	for _, call := range w.calls()[first:] {
		if call.AccessKey != ticking.Access {
			t.Errorf("%s %s: signed by %s", call.Method, call.BackupID, call.AccessKey)
		}
	}
}

// What a topic did not take is published by a tick, with the keys of the tick, and DDS gets no second DELETE.
func TestTheTickPublishesToTheTopic(t *testing.T) {
	t.Parallel()
	l := startLedger(t)
	w := start(t, functiongraphtest.Runtime, 0, append(l.settings, "OUTCOME_SINK="+topic)...)
	w.dds.Inject(ddstest.Answer(http.StatusForbidden, "SMN.0001", "No permission to request resources.").On(http.MethodPost))
	w.check(t, asynchronous(), "", `"message":"the outcome could not be published"`)
	if taken := w.dds.Messages(); len(taken) != 0 {
		t.Fatalf("messages %+v", taken)
	}
	ticking := functiongraphtest.Keys{Access: "HSTAOFTHETICK0000001", Secret: "temporary-secret-key-of-the-tick-0001", Token: "a-security-token-of-the-tick-000001"}
	w.dds.SetKeys(ticking.Access, ticking.Secret, ticking.Token)
	l.tick(t, w, ticking)
	taken := w.dds.Messages()
	if len(taken) != 1 || taken[0].AccessKey != ticking.Access || taken[0].Subject != "dds.backup.deletion.accepted.v1" || w.count(http.MethodDelete) != 1 {
		t.Errorf("messages %+v, %d DELETEs", taken, w.count(http.MethodDelete))
	}
}
