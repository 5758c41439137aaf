package awsapp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"dds-backup-delete/internal/arn"
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
			if entries := bus.Taken(); len(entries) > 0 && entries[0].Source != "our.source" {
				t.Errorf("source %s", entries[0].Source)
			}
			return len(bus.Taken())
		},
		topic: func() int { return len(sns.Taken()) },
		"arn:aws:sqs:eu-central-1:123456789012:outcomes": func() int { return len(sqs.Taken()) },
		receiver.URL: func() int { return len(posted) },
	} {
		_, c := serve(t)
		to, _ := arn.Parse(sink)
		c.Sink = config.Sink{Kind: kindOf[to.Service], ARN: to, Source: "our.source", Binary: true, Token: secret.New("token"), Key: secret.New("0123456789abcdef0123456789abcdef")}
		if sink == receiver.URL {
			c.Sink.Kind = config.HTTP
			c.Sink.Address, _ = url.Parse(sink)
		}
		c.AWS = config.AWS{AccessKeyID: secret.New("AKIA"), SecretAccessKey: secret.New("s"), EventBridge: bus.URL, SNS: sns.URL, SQS: sqs.URL}
		a, err := newApp(t, c, &out, nil)
		if err != nil {
			t.Errorf("%s: %v", sink, err)
			continue
		}
		if _, err := a.Handle(t.Context(), invocation, direct(0)); err != nil || taken() != 1 {
			t.Errorf("%s: %d events, error %v", sink, taken(), err)
		}
	}
}

// kindOf is the kind of a sink by the service in its ARN; without one it is stdout.
var kindOf = map[string]config.SinkKind{"": config.Stdout, "events": config.EventBridge, "sns": config.SNS, "sqs": config.SQS}

// Keys are needed only by what calls AWS, and may come from elsewhere.
func TestAWSKeys(t *testing.T) {
	_, c := serve(t)
	if _, err := newApp(t, c, nil, nil); err != nil {
		t.Errorf("without AWS: %v", err)
	}
	c.Sink.Kind = config.SNS
	c.Sink.ARN, _ = arn.Parse(topic)
	if _, err := newApp(t, c, nil, nil); err == nil || !strings.HasPrefix(err.Error(), "AWS_ACCESS_KEY_ID, ") {
		t.Errorf("without keys: error %v", err)
	}
	elsewhere := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIAELSEWHERE", SecretAccessKey: "s"}, nil
	})
	if _, err := newApp(t, c, nil, elsewhere); err != nil {
		t.Errorf("with keys from elsewhere: %v", err)
	}
}
