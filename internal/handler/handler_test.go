package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
)

// serve starts a simulated DDS and returns a configuration for it.
func serve(t *testing.T) (*ddstest.Server, *config.Config) {
	t.Helper()
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	server.Add(ddstest.SampleBackups()...)
	return server, &config.Config{
		Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)},
		ProjectID:   ddstest.ProjectID,
		Region:      ddstest.Region,
		Endpoints:   map[string]string{ddstest.Region: server.URL()},
		IAMEndpoint: server.URL(),
		Concurrency: 8,
		OutcomeSink: config.StdoutSink,
	}
}

func direct(backup int) []byte {
	return []byte(`{"backup_id":"` + ddstest.SampleBackups()[backup].ID + `"}`)
}

var discard = slog.New(slog.DiscardHandler)

func TestProjectIsLookedUpOnce(t *testing.T) {
	server, c := serve(t)
	c.ProjectID = ""
	var out bytes.Buffer
	h, err := New(t.Context(), c, discard, &out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := h.Handle(t.Context(), "invocation", direct(i)); err != nil {
			t.Fatal(err)
		}
	}
	lookups := 0
	for _, call := range server.Calls() {
		if call.Path == "/v3/projects" {
			lookups++
		}
	}
	if lookups != 1 || len(server.Jobs()) != 3 {
		t.Errorf("%d look-ups and %d jobs, want one and three", lookups, len(server.Jobs()))
	}
	if !strings.Contains(out.String(), "urn:huaweicloud:dds:cn-north-4:"+ddstest.ProjectID) {
		t.Errorf("events without the project:\n%s", out.String())
	}
}

func TestProjectThatCannotBeFound(t *testing.T) {
	for name, projects := range map[string]map[string]string{
		"none": {}, "several": {"p1": ddstest.Region, "p2": ddstest.Region},
	} {
		server, c := serve(t)
		server.SetProjects(projects)
		c.ProjectID = ""
		if _, err := New(t.Context(), c, discard, nil); err == nil || !strings.HasPrefix(err.Error(), "HUAWEICLOUD_SDK_PROJECT_ID: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A refused key at start must not end the process: each new one would try it again.
func TestProjectAndARefusedKey(t *testing.T) {
	server, c := serve(t)
	c.ProjectID = ""
	c.Credentials.SecretKey = secret.New("wrong")
	h, err := New(t.Context(), c, discard, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := h.Handle(t.Context(), "invocation", direct(0))
		var failure *event.FunctionError
		if !errors.As(err, &failure) || failure.Type != "DDS.Unauthenticated" {
			t.Errorf("error %v", err)
		}
	}
	if calls := server.Calls(); len(calls) != 1 {
		t.Errorf("%d calls with a refused key, want one", len(calls))
	}
}

// secrets is the GetSecretValue call of AWS Secrets Manager. It holds one secret.
type secrets struct {
	mu    sync.Mutex
	text  string
	reads int
}

func (s *secrets) set(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
}

func (s *secrets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || s.text == "" {
		http.Error(w, `{"__type":"ResourceNotFoundException"}`, http.StatusBadRequest)
		return
	}
	s.reads++
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": s.text})
}

func TestARotatedSecretNeedsNoRedeploy(t *testing.T) {
	server, c := serve(t)
	vault := new(secrets)
	manager := httptest.NewServer(vault)
	t.Cleanup(manager.Close)
	c.Credentials = dds.Credentials{}
	c.SecretARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:huaweicloud-AbCdEf"
	c.AWSAccessKeyID, c.AWSSecretAccessKey, c.AWSEndpointSecretsManager = "AKIA", secret.New("aws"), manager.URL

	if _, err := New(t.Context(), c, discard, nil); err == nil || !strings.Contains(err.Error(), "HUAWEICLOUD_SECRET_ARN") {
		t.Errorf("a secret that is not there: error %v", err)
	}

	vault.set(`{"HUAWEICLOUD_SDK_AK":"` + ddstest.AccessKey + `","HUAWEICLOUD_SDK_SK":"` + ddstest.SecretKey + `"}`)
	h, err := New(t.Context(), c, discard, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Handle(t.Context(), "invocation", direct(0)); err != nil || vault.reads != 1 {
		t.Fatalf("error %v, %d reads", err, vault.reads)
	}

	server.SetKeys("AKROTATED", "SKROTATED", "")
	vault.set(`{"HW_ACCESS_KEY":"AKROTATED","HW_SECRET_KEY":"SKROTATED"}`)
	if _, err := h.Handle(t.Context(), "invocation", direct(1)); err != nil || vault.reads != 2 {
		t.Errorf("after the rotation: error %v, %d reads", err, vault.reads)
	}
	if _, err := h.Handle(t.Context(), "invocation", direct(2)); err != nil || vault.reads != 2 {
		t.Errorf("and then: error %v, %d reads", err, vault.reads)
	}
}

// A bug of ours fails the invocation and not the process.
func TestPanic(t *testing.T) {
	_, err := (&Handler{log: discard}).Handle(t.Context(), "invocation", direct(0))
	var failure *event.FunctionError
	if !errors.As(err, &failure) || failure.Type != "DDS.Internal" {
		t.Errorf("error %v", err)
	}
}
