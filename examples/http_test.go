package examples_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/goccy/go-yaml"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// keys are what the API call is signed with.
var keys = aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "token/with+all=="}

// signed checks a request's signature with AWS's own signer, as the API's IAM authorizer does.
func signed(t *testing.T, r *http.Request, body []byte) {
	t.Helper()
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		t.Error(err)
		return
	}
	got := r.Header.Get("Authorization")
	_, names, _ := strings.Cut(got, "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+r.Host+r.URL.String(), http.NoBody)
	if err != nil {
		t.Error(err)
		return
	}
	for name := range strings.SplitSeq(names, ";") {
		if name != "host" && r.Header.Get(name) != "" {
			again.Header.Set(name, r.Header.Get(name))
		}
	}
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), keys, again, hex.EncodeToString(hash[:]), "execute-api", "eu-central-1", at); err != nil {
		t.Error(err)
	}
	if want := again.Header.Get("Authorization"); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("signed   %s\nexpected %s", got, want)
	}
}

// The call is signed as API Gateway wants it, and the script fails where the deletion does.
func TestAPICall(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	h, server := newHandler(t)
	api := h.HTTP()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		signed(t, r, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		api.ServeHTTP(w, r)
	}))
	defer front.Close()
	call := func(id string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "api-call/delete-backup", front.URL, id)
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=" + keys.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY=" + keys.SecretAccessKey, "AWS_SESSION_TOKEN=" + keys.SessionToken,
		}
		return cmd.Output()
	}
	out, err := call(backup)
	if _, there := server.Backup(backup); err != nil || there || !strings.Contains(string(out), `"status":"accepted"`) {
		t.Errorf("it printed %s, error %v; the backup is there: %v", out, err, there)
	}
	var exit *exec.ExitError
	if out, err = call("00000000000000000000000000000000br02"); !errors.As(err, &exit) || !strings.Contains(string(out), "DBS.201214") {
		t.Errorf("for none, it printed %s, error %v", out, err)
	}
}

// trigger is one of Knative, with the two kinds of filters that the example uses.
type trigger struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Broker string
		Filter struct{ Attributes map[string]string }
		// Filters are those of the newer kind.
		Filters []struct {
			Any []struct{ Exact map[string]string }
		}
		Subscriber struct {
			URI      string
			Audience string
		}
	}
}

// types are the event types that a trigger lets pass.
func (g trigger) types() (types []string) {
	if wanted, ok := g.Spec.Filter.Attributes["type"]; ok {
		types = append(types, wanted)
	}
	for _, f := range g.Spec.Filters {
		for _, one := range f.Any {
			types = append(types, one.Exact["type"])
		}
	}
	return types
}

// A request event that the broker delivers is worked, and the reply, an outcome event, is for
// exactly one other trigger: never for the one it came from.
func TestKnative(t *testing.T) {
	text, err := os.ReadFile("knative/triggers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	byType, broker, path := map[string]string{}, "", ""
	for {
		var g trigger
		if err := decoder.Decode(&g); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if g.Kind == "Broker" {
			broker = g.Metadata.Name
			continue
		}
		if g.Kind != "Trigger" || g.Spec.Broker != broker || len(g.types()) == 0 {
			t.Errorf("%+v", g)
		}
		for _, eventType := range g.types() {
			if byType[eventType] != "" {
				t.Errorf("%s goes to %s and %s", eventType, byType[eventType], g.Metadata.Name)
			}
			byType[eventType] = g.Metadata.Name
		}
		if _, p, ok := strings.Cut(g.Spec.Subscriber.URI, ".amazonaws.com"); ok {
			path = p
		}
	}
	want := []string{event.RequestType}
	for _, status := range []deletion.Status{deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated} {
		want = append(want, deletion.TypePrefix+string(status)+".v1")
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(byType)); !slices.Equal(got, want) || path != "/" {
		t.Fatalf("triggers for %q, want %q; path %q", got, want, path)
	}

	h, server := newHandler(t)
	front := httptest.NewServer(h.HTTP())
	defer front.Close()
	for id, wanted := range map[string]string{backup: "deletion-accepted", "00000000000000000000000000000000br02": "deletion-to-look-at"} {
		if got := deliver(t, front.URL+path, id); byType[got] != wanted {
			t.Errorf("%s: the reply is of type %s and goes to %q, want %q", id, got, byType[got], wanted)
		}
	}
	if _, there := server.Backup(backup); there {
		t.Error("the backup is still there")
	}
}

// deliver posts a request event as Knative's broker does, and returns the type of the reply.
func deliver(t *testing.T, url, id string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"backup_id":"`+id+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": "request-" + id, "Ce-Source": "/cleanup", "Ce-Type": event.RequestType,
		"Content-Type": "application/json", "Prefer": "reply",
	} {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var reply struct{ Type string }
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, error %v", resp.StatusCode, err)
	}
	return reply.Type
}
