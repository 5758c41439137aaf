package config_test

import (
	"cmp"
	"encoding/base64"
	"strings"
	"testing"

	"dds-backup-delete/internal/config"
)

func TestSinks(t *testing.T) {
	for value, want := range map[string]struct {
		kind         config.SinkKind
		region, name string // the name is the value if it is empty
	}{
		"stdout": {kind: config.Stdout},
		bus:      {kind: config.EventBridge, region: "eu-central-1"},
		"arn:aws-us-gov:events:us-gov-west-1:123456789012:event-bus/aws.partner/x": {kind: config.EventBridge, region: "us-gov-west-1"},
		"arn:aws:sns:eu-central-1:123456789012:outcomes":                           {kind: config.SNS, region: "eu-central-1"},
		"arn:aws-cn:sns:cn-north-1:123456789012:outcomes.fifo":                     {kind: config.SNS, region: "cn-north-1"},
		"arn:aws:sqs:eu-central-1:123456789012:outcomes":                           {kind: config.SQS, region: "eu-central-1"},
		"arn:aws:sqs:eu-central-1:123456789012:outcomes.fifo":                      {kind: config.SQS, region: "eu-central-1"},
		"https://broker.example.com/default?x=1":                                   {kind: config.HTTP, name: "https://broker.example.com"},
		"https://broker.example.com?x=1":                                           {kind: config.HTTP, name: "https://broker.example.com"},
		"http://127.0.0.1:8080":                                                    {kind: config.HTTP},
		"http://[::1]:8080/":                                                       {kind: config.HTTP, name: "http://[::1]:8080"},
		"http://localhost/":                                                        {kind: config.HTTP, name: "http://localhost"},
	} {
		setenv(t, valid(map[string]string{"OUTCOME_SINK": value}))
		c, err := config.Load()
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if got := c.Sink; got.Kind != want.kind || got.ARN.Region != want.region || got.String() != cmp.Or(want.name, value) {
			t.Errorf("%s: %+v, want %+v", value, got, want)
		}
		if got, want := c.NeedsAWS(), want.region != ""; got != want {
			t.Errorf("%s: needs AWS: %v", value, got)
		}
	}
}

// Each says what would be right, and repeats nothing that may be secret.
func TestWrongSinks(t *testing.T) {
	for value, says := range map[string]string{
		"Stdout":                           "or stdout",
		"outcomes/do-not-print":            "expected the ARN of an event bus",
		"arn:aws:s3:::outcomes":            "expected the ARN of an event bus",
		"arn:aws:sqs:eu-central-1:1:short": "of an SQS queue (arn:aws:sqs:<region>:<account>:<name>)",
		"arn:aws:sqs:eu-central-1:123456789012:" + strings.Repeat("x", 81):  "expected the ARN",
		"arn:aws:sns:eu-central-1:123456789012:" + strings.Repeat("x", 257): "expected the ARN",
		"arn:aws:sns:eu-central-1:123456789012:a.b":                         "expected the ARN",
		"arn:aws:sns:eu-central-1:123456789012:event-bus/outcomes":          "expected the ARN",
		"arn:aws:events:eu-central-1:123456789012:outcomes":                 "expected the ARN",
		"arn:aws:sns:eu-central-1:123456789012:a:0b9ac1a2":                  "expected the ARN",
		"https://sqs.eu-central-1.amazonaws.com/123456789012/do-not-print":  "is the URL of a queue; expected its ARN",
		"https://sqs.cn-north-1.amazonaws.com.cn/123456789012/do-not-print": "is the URL of a queue; expected its ARN",
		"http://broker.example.com/do-not-print":                            "expected https://",
		"https://user:do-not-print@broker.example.com":                      "OUTCOME_HTTP_TOKEN",
		"https://":                                 "is not an address",
		"https://broker.example.com/#fragment":     "is not an address",
		"https://%zz":                              "is not an address",
		"ftp://broker.example.com":                 "an https:// address",
		"https:/hooks.example.com/do-not-print":    "is not a sink",
		"htps://hooks.example.com/do-not-print":    `"htps://hooks.example.com/…" is not a sink`,
		"https://hooks.example.com:0/do-not-print": `"https://hooks.example.com:0/…" has a port`,
	} {
		setenv(t, valid(map[string]string{"OUTCOME_SINK": value}))
		_, err := config.Load()
		if err == nil || !strings.HasPrefix(err.Error(), "OUTCOME_SINK: ") || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "do-not-print") {
			t.Errorf("%s: error %v, want one that says %q", value, err, says)
		}
	}
}

func TestHTTPKey(t *testing.T) {
	key := strings.Repeat("k", 32)
	setenv(t, valid(map[string]string{"OUTCOME_HTTP_SECRET": "whsec_" + base64.StdEncoding.EncodeToString([]byte(key))}))
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if c.Sink.Key.Reveal() != key {
		t.Error("another key")
	}
	setenv(t, valid(nil))
	if c, err = config.Load(); err != nil {
		t.Fatal(err)
	}
	if !c.Sink.Key.IsZero() {
		t.Error("a key that was not set")
	}
}

func TestOutcomeSource(t *testing.T) {
	for value, want := range map[string]string{"": "dds-backup-delete", "backups.example.com": "backups.example.com", strings.Repeat("x", 256): strings.Repeat("x", 256)} {
		setenv(t, valid(map[string]string{"OUTCOME_SOURCE": value}))
		c, err := config.Load()
		if err != nil || c.Sink.Source != want {
			t.Errorf("%q: source %q, error %v", value, c.Sink.Source, err)
		}
	}
}

func TestRequestSources(t *testing.T) {
	setenv(t, valid(map[string]string{"REQUEST_SOURCES": queue, "OUTCOME_SINK": bus}))
	c, err := config.Load()
	if err != nil || len(c.RequestSources) != 1 || c.RequestSources[0] != queue {
		t.Errorf("sources %v, error %v", c.RequestSources, err)
	}
}

func TestLedger(t *testing.T) {
	for value, want := range map[string]config.Ledger{
		"":                     {Kind: config.Memory},
		"memory":               {Kind: config.Memory},
		"dynamodb://a.table-1": {Kind: config.DynamoDB, Table: "a.table-1", Region: "eu-central-1", Durable: true},
		"rediss://valkey.example.com:6380/3?prefix=a:b": {Kind: config.Valkey, Durable: true, Server: config.ValkeyServer{
			Address: "valkey.example.com:6380", TLS: true, Database: 3, Prefix: "a:b",
		}},
	} {
		setenv(t, valid(map[string]string{"LEDGER": value, "AWS_REGION": "eu-central-1"}))
		c, err := config.Load()
		if err != nil || c.Ledger != want || c.Ledger.String() != cmp.Or(value, "memory") {
			t.Errorf("%q: error %v", value, err)
		}
	}
}
