package handler

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/sink/sinktest"
)

const topic = "arn:aws:sns:eu-central-1:123456789012:outcomes"

// The whole way from a payload to each kind of sink.
func TestEachKindOfSink(t *testing.T) {
	var posted []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer token" || !strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1,") || r.Header.Get("Ce-Id") == "" {
			t.Errorf("headers %v, error %v", r.Header, err)
		}
		posted = append(posted, string(body))
	}))
	t.Cleanup(receiver.Close)
	bus, sns, sqs := sinktest.NewEventBridge(nil), sinktest.NewSNS(nil), sinktest.NewSQS(nil)
	t.Cleanup(bus.Close)
	t.Cleanup(sns.Close)
	t.Cleanup(sqs.Close)
	var out bytes.Buffer
	for sink, taken := range map[string]func() int{
		"stdout": func() int { return strings.Count(out.String(), "\n") },
		"arn:aws:events:eu-central-1:123456789012:event-bus/outcomes": func() int {
			if entries := bus.Entries(); len(entries) > 0 && entries[0].Source != "our.source" {
				t.Errorf("source %s", entries[0].Source)
			}
			return len(bus.Entries())
		},
		topic: func() int { return len(sns.Taken()) },
		"arn:aws:sqs:eu-central-1:123456789012:outcomes": func() int { return len(sqs.Taken()) },
		receiver.URL: func() int { return len(posted) },
	} {
		_, c := serve(t)
		c.OutcomeSink, c.OutcomeSource = sink, "our.source"
		c.HTTPMode, c.HTTPToken, c.HTTPSecret = config.BinaryMode, secret.New("token"), secret.New("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
		c.AWSAccessKeyID, c.AWSSecretAccessKey = secret.New("AKIA"), secret.New("s")
		c.AWSEndpointEventBridge, c.AWSEndpointSNS, c.AWSEndpointURL = bus.URL, sns.URL, sqs.URL
		h, err := New(t.Context(), c, discard, &out)
		if err != nil {
			t.Errorf("%s: %v", sink, err)
			continue
		}
		if _, err := h.Handle(t.Context(), invocation, direct(0)); err != nil || taken() != 1 {
			t.Errorf("%s: %d events, error %v", sink, taken(), err)
		}
	}
}

func TestASinkThatIsNone(t *testing.T) {
	_, c := serve(t)
	c.OutcomeSink = "outcomes"
	if _, err := New(t.Context(), c, discard, nil); err == nil || !strings.HasPrefix(err.Error(), "OUTCOME_SINK: ") {
		t.Errorf("error %v", err)
	}
}

// Keys are needed only by what calls AWS, and may come from elsewhere.
func TestAWSKeys(t *testing.T) {
	_, c := serve(t)
	if _, err := New(t.Context(), c, discard, nil); err != nil {
		t.Errorf("without AWS: %v", err)
	}
	c.OutcomeSink = topic
	if _, err := New(t.Context(), c, discard, nil); err == nil || !strings.HasPrefix(err.Error(), "AWS_ACCESS_KEY_ID, ") {
		t.Errorf("without keys: error %v", err)
	}
	elsewhere := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIAELSEWHERE", SecretAccessKey: "s"}, nil
	})
	if _, err := New(t.Context(), c, discard, nil, WithAWSKeys(elsewhere)); err != nil {
		t.Errorf("with keys from elsewhere: %v", err)
	}
}
