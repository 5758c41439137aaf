package config_test

import (
	"net/url"
	"testing"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/config"
)

// Outside Lambda the keys may come from a profile, so that their absence is no fault here.
func TestAWSKeysMayComeFromElsewhere(t *testing.T) {
	setenv(t, valid(map[string]string{"OUTCOME_SINK": bus, "LEDGER": "dynamodb://table", "AWS_REGION": "eu-central-1"}))
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if !c.NeedsAWS() || c.AWS.HasKeys() {
		t.Errorf("needs AWS: %v, has keys: %v", c.NeedsAWS(), c.AWS.HasKeys())
	}
}

func TestWhatNeedsAWS(t *testing.T) {
	for name, tc := range map[string]struct {
		c    config.Config
		want bool
	}{
		"nothing":  {config.Config{Sink: config.Sink{Kind: config.Stdout}, Ledger: config.Ledger{Kind: config.Memory}}, false},
		"HTTP":     {config.Config{Sink: config.Sink{Kind: config.HTTP, Address: &url.URL{Scheme: "https", Host: "broker.example.com"}}}, false},
		"a topic":  {config.Config{Sink: config.Sink{Kind: config.SNS, ARN: arn.ARN{Service: "sns", Region: "eu-central-1"}}}, true},
		"a ledger": {config.Config{Ledger: config.Ledger{Kind: config.DynamoDB, Table: "table"}}, true},
		"ticks":    {config.Config{TickBus: arn.ARN{Service: "events", Region: "eu-central-1"}}, true},
		"a secret": {config.Config{Credentials: config.Credentials{Secret: arn.ARN{Service: "secretsmanager", Region: "eu-central-1"}}}, true},
	} {
		if got := tc.c.NeedsAWS(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
