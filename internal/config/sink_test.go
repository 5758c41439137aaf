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
		topic:                                                                      {kind: config.SMN},
		"urn:smn:eu-west-101:another-project:2_a-Z":                                {kind: config.SMN},
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
		"https://":                                            "is not an address",
		"https://broker.example.com/#fragment":                "is not an address",
		"https://%zz":                                         "is not an address",
		"ftp://broker.example.com":                            "an https:// address",
		"https:/hooks.example.com/do-not-print":               "is not a sink",
		"urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb": `acdb" is not the URN of a topic; expected urn:smn:<region>:<project_id>:<name>`,
		topic + ":x":                                          `is not the URN of a topic; expected`,
		"urn:obs:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:outcomes": `is of the service "obs"; expected a topic of SMN`,
		"urn:smn:CN:0549b4a43100d4f32f51c01c2fe4acdb:outcomes":         `has the region "CN", which is none; expected for example cn-north-4`,
		"urn:smn::0549b4a43100d4f32f51c01c2fe4acdb:outcomes":           `has the region "", which is none`,
		"urn:smn:cn-north-4:a/b:outcomes":                              `has the project id "a/b", which is none; expected 32`,
		"urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:":         `has the topic name "", which is none`,
		"urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:_a":       `has the topic name "_a", which is none; expected 1 to 255`,
		"urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:a.b":      `has the topic name "a.b", which is none`,
		"urn:smn:cn-north-4:1649b4a43100d4f32f51c01c2fe4acdb:outcomes": `is a topic of another project; expected one of`,
		"htps://hooks.example.com/do-not-print":                        `"htps://hooks.example.com/…" is not a sink`,
		"https://hooks.example.com:0/do-not-print":                     `"https://hooks.example.com:0/…" has a port`,
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

const topic = "urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:outcomes"

// The address of SMN follows from the region of the topic, and the keys stay in their cloud.
func TestSMNEndpoints(t *testing.T) {
	const europe = "urn:smn:eu-west-101:p:outcomes"
	for name, tc := range map[string]struct {
		env         map[string]string
		want, fault string
	}{
		"its region":              {map[string]string{"OUTCOME_SINK": topic}, "https://smn.cn-north-4.myhuaweicloud.com", ""},
		"Europe":                  {map[string]string{"OUTCOME_SINK": europe}, "https://smn.eu-west-101.myhuaweicloud.eu", ""},
		"another cloud":           {map[string]string{"OUTCOME_SINK": europe, "HW_CLOUD": "otc.t-systems.com"}, "https://smn.eu-west-101.otc.t-systems.com", ""},
		"an address":              {map[string]string{"OUTCOME_SINK": topic, "SMN_ENDPOINT": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080", ""},
		"an address in the clear": {map[string]string{"OUTCOME_SINK": topic, "SMN_ENDPOINT": "http://smn.example.com"}, "", `SMN_ENDPOINT: "http://smn.example.com" is not encrypted`},
		"an unknown cloud":        {map[string]string{"OUTCOME_SINK": topic, "DDS_ENDPOINT": "https://dds.example.com"}, "", "SMN_ENDPOINT: not set, nor is HW_CLOUD"},
		"a wrong DDS":             {map[string]string{"OUTCOME_SINK": topic, "DDS_ENDPOINT": "https://dds.example.com/v3"}, "", "DDS_ENDPOINT: "},
		"an allowed project":      {map[string]string{"OUTCOME_SINK": "urn:smn:cn-north-4:p:o", "ALLOWED_PROJECTS": "p"}, "https://smn.cn-north-4.myhuaweicloud.com", ""},
		"the function's project":  {map[string]string{"OUTCOME_SINK": "urn:smn:cn-north-4:p:o", "RUNTIME_PROJECT_ID": "p", "LEDGER_ALLOW_VOLATILE": "true"}, "https://smn.cn-north-4.myhuaweicloud.com", ""},
		"a project to look up":    {map[string]string{"OUTCOME_SINK": "urn:smn:cn-north-4:p:o", "HUAWEICLOUD_SDK_PROJECT_ID": ""}, "https://smn.cn-north-4.myhuaweicloud.com", ""},
		"a source":                {map[string]string{"OUTCOME_SINK": topic, "REQUEST_SOURCES": queue + "," + topic}, "", `OUTCOME_SINK: "` + topic + `" is one of REQUEST_SOURCES`},
		"no source":               {map[string]string{"OUTCOME_SINK": topic, "REQUEST_SOURCES": "urn:smn:cn-north-4:p"}, "", `REQUEST_SOURCES: "urn:smn:cn-north-4:p" is not an ARN and not the URN`},
	} {
		setenv(t, valid(tc.env))
		c, err := config.Load()
		switch {
		case tc.fault != "":
			if err == nil || !strings.HasPrefix(err.Error(), tc.fault) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: error %v, want %q alone", name, err, tc.fault)
			}
		case err != nil || c.Sink.Endpoint != tc.want:
			t.Errorf("%s: error %v, config %+v", name, err, c)
		}
	}
}
