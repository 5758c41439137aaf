package sink_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink"
)

// Every event is a message, with the attributes that fit.
func TestSMNMessages(t *testing.T) {
	server := ddstest.NewServer(ddstest.Options{})
	defer server.Close()
	events := outcomes(t, 1)
	events[0].ProjectID = "project-with-hyphens"
	for i, err := range sink.NewSMN(ddstest.ProjectID, topicURN, post(server.URL(), ddstest.SecretKey)).Publish(t.Context(), events) {
		if err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	got := make(map[string]ddstest.Message)
	for _, m := range server.Messages() {
		got[m.Message] = m
	}
	want := make(map[string]ddstest.Message)
	for i, e := range events {
		attributes := map[string]string{"status": string(e.Status), "project_id": project}
		if i == 0 {
			delete(attributes, "project_id")
		}
		want[string(e.JSON)] = ddstest.Message{
			TopicURN: topicURN, Subject: e.Type, Message: string(e.JSON), Attributes: attributes, AccessKey: ddstest.AccessKey,
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	for _, call := range server.Calls() { // as the official SDK writes it
		if call.Path != "/v2/"+ddstest.ProjectID+"/notifications/topics/"+topicURN+"/publish" {
			t.Errorf("path %s", call.Path)
		}
	}
}

// The filter policy in the documentation finds what did not work.
func TestDocumentedSMNPolicy(t *testing.T) {
	server := ddstest.NewServer(ddstest.Options{})
	defer server.Close()
	sink.NewSMN(ddstest.ProjectID, topicURN, post(server.URL(), ddstest.SecretKey)).Publish(t.Context(), outcomes(t, 2))
	var policy []struct {
		Name   string   `json:"name"`
		Equals []string `json:"string_equals"`
	}
	if err := json.Unmarshal([]byte(documented(t, "smn policy")[0]), &policy); err != nil || len(policy) != 1 {
		t.Fatalf("error %v, policy %v", err, policy)
	}
	var found []string
	for _, m := range server.Messages() {
		if slices.Contains(policy[0].Equals, m.Attributes[policy[0].Name]) {
			found = append(found, m.Subject)
		}
	}
	slices.Sort(found)
	want := []string{"dds.backup.deletion.abandoned.v1", "dds.backup.deletion.failed.v1", "dds.backup.deletion.not_found.v1", "dds.backup.deletion.rejected.v1"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("what the policy finds (-want +got):\n%s", diff)
	}
}

// What SMN says decides whether the call is repeated.
func TestSMNErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		fault ddstest.Fault
		says  string
		again bool
	}{
		"a parameter":       {ddstest.Answer(http.StatusBadRequest, "SMN.0005", "Parameter: TopicUrn is invalid."), "SMN: HTTP status 400: SMN.0005: Parameter", false},
		"no permission":     {ddstest.Answer(http.StatusForbidden, "SMN.0001", "No permission to request resources."), "status 403, needs the permission smn:topic:publish: SMN.0001: No", false},
		"no topic":          {ddstest.Answer(http.StatusNotFound, "SMN.0006", "Topic not found."), "SMN: HTTP status 404: SMN.0006: Topic not found.", false},
		"a page":            {ddstest.RawAnswer(http.StatusFound, "text/html", "<html>"), "SMN: HTTP status 302: ", false},
		"a bad token":       {ddstest.RawAnswer(http.StatusUnauthorized, "text/html", "<html>"), "SMN: HTTP status 401: ", false},
		"its limit":         {ddstest.Answer(http.StatusTooManyRequests, "SMN.0093", "Too many requests"), "", true},
		"a fault of it":     {ddstest.Answer(http.StatusInternalServerError, "SMN.0018", "Service internal error."), "", true},
		"a lost answer":     {ddstest.DropAfter(), "", true},
		"one without an id": {ddstest.RawAnswer(http.StatusOK, "application/json", "{}"), "", true},
		"created":           {ddstest.AnswerAfter(http.StatusCreated, "application/json", `{"message_id":"m"}`), "", false},
		"a limit for long":  {ddstest.Answer(http.StatusTooManyRequests, "SMN.0093", "Too many requests").RetryAfter("60"), "SMN: HTTP status 429: SMN.0093", false},
	} {
		t.Run(name, func(t *testing.T) {
			server := ddstest.NewServer(ddstest.Options{})
			defer server.Close()
			server.Inject(tc.fault)
			err := sink.NewSMN(ddstest.ProjectID, topicURN, post(server.URL(), ddstest.SecretKey)).Publish(t.Context(), someEvents(1))[0]
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v, want %q", err, tc.says)
			}
			if again := len(server.Calls()) > 1; again != tc.again {
				t.Errorf("%d calls", len(server.Calls()))
			}
		})
	}
}

// A message that is too long is SMN's to refuse, and costs the others nothing.
func TestSMNAndALongEvent(t *testing.T) {
	server := ddstest.NewServer(ddstest.Options{})
	defer server.Close()
	events := someEvents(3)
	events[1].JSON = []byte(`"` + strings.Repeat("x", 256<<10) + `"`)
	errs := sink.NewSMN(ddstest.ProjectID, topicURN, post(server.URL(), ddstest.SecretKey)).Publish(t.Context(), events)
	if errs[0] != nil || errs[1] == nil || errs[2] != nil || len(server.Calls()) != 3 {
		t.Errorf("errors %v, %d calls", errs, len(server.Calls()))
	}
}

// A refused key is tried once, whatever the number of events, and nothing repeats what was sent.
func TestSMNAndARefusedKey(t *testing.T) {
	server := ddstest.NewServer(ddstest.Options{EchoRequest: true})
	defer server.Close()
	const wrong = "the-secret-key-that-is-wrong-0000000001"
	s := sink.NewSMN(ddstest.ProjectID, topicURN, post(server.URL(), wrong))
	for range 2 {
		for _, err := range s.Publish(t.Context(), someEvents(20)) {
			if err == nil || !strings.Contains(err.Error(), "APIGW.0301") || strings.Contains(err.Error(), "canonical") || strings.Contains(err.Error(), ddstest.AccessKey) {
				t.Errorf("error %v", err)
			}
		}
	}
	if n := len(server.Calls()); n != 1 {
		t.Errorf("%d calls with a refused key", n)
	}
}

// A call that hangs leaves time for another.
func TestSMNThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := sink.NewSMN(ddstest.ProjectID, topicURN, func(ctx context.Context, _ string, _ []byte, _ ...string) ([]byte, error) {
			if calls++; calls == 1 {
				<-ctx.Done()
				return nil, &deletion.Error{Class: deletion.ClassUnavailable, Message: "no answer"}
			}
			return []byte(`{"message_id":"m"}`), nil
		})
		if err := s.Publish(t.Context(), someEvents(1))[0]; err != nil || calls != 2 {
			t.Errorf("error %v, %d calls", err, calls)
		}
	})
}
