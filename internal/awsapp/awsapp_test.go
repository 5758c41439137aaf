package awsapp

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/awsclient"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/simulation"
)

// serve starts a simulated DDS and returns a configuration for it.
func serve(t *testing.T) (*ddstest.Server, *config.Config) {
	t.Helper()
	server, c := simulation.Start(ddstest.Options{})
	t.Cleanup(server.Close)
	return server, c
}

// newApp wires an app with the links of AWS.
func newApp(t *testing.T, c *config.Config, out io.Writer, keys aws.CredentialsProvider) (*app.App, error) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	links, err := Links(c, log, keys)
	if err != nil {
		return nil, err
	}
	return app.New(t.Context(), c, log, out, links)
}

func direct(backup int) []byte {
	return []byte(`{"backup_id":"` + ddstest.SampleBackups()[backup].ID + `"}`)
}

var invocation = event.Invocation{ID: "invocation"}

func TestKeysOfTheEnvironment(t *testing.T) {
	keys, err := awsclient.EnvironmentKeys(&config.AWS{AccessKeyID: secret.New("AKIA"), SecretAccessKey: secret.New("s"), SessionToken: secret.New("t")}).Retrieve(t.Context())
	if err != nil || keys.AccessKeyID != "AKIA" || keys.SecretAccessKey != "s" || keys.SessionToken != "t" {
		t.Errorf("AWS keys are not those of the environment, error %v", err)
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
	name, _ := arn.Parse("arn:aws:secretsmanager:eu-central-1:123456789012:secret:huaweicloud-AbCdEf")
	c.Credentials = config.Credentials{Secret: name}
	c.AWS = config.AWS{AccessKeyID: secret.New("AKIA"), SecretAccessKey: secret.New("aws"), SecretsManager: manager.URL}

	vault.set(`{"HUAWEICLOUD_SDK_AK":"` + ddstest.AccessKey + `","HUAWEICLOUD_SDK_SK":"` + ddstest.SecretKey + `"}`)
	a, err := newApp(t, c, new(bytes.Buffer), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Handle(t.Context(), invocation, direct(0)); err != nil || vault.reads != 1 {
		t.Fatalf("error %v, %d reads", err, vault.reads)
	}

	server.SetKeys("AKROTATED", "SKROTATED", "")
	vault.set(`{"HW_ACCESS_KEY":"AKROTATED","HW_SECRET_KEY":"SKROTATED"}`)
	if _, err := a.Handle(t.Context(), invocation, direct(1)); err != nil || vault.reads != 2 {
		t.Errorf("after the rotation: error %v, %d reads", err, vault.reads)
	}
	if _, err := a.Handle(t.Context(), invocation, direct(2)); err != nil || vault.reads != 2 {
		t.Errorf("and then: error %v, %d reads", err, vault.reads)
	}
}
