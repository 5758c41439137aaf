package config_test

import (
	"testing"

	"dds-backup-delete/internal/config"
)

// Outside Lambda the keys may come from a profile, so that their absence is no fault here.
func TestAWSKeysMayComeFromElsewhere(t *testing.T) {
	setenv(t, valid(map[string]string{"OUTCOME_SINK": bus, "LEDGER": "dynamodb://table", "AWS_REGION": "eu-central-1"}))
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if !c.NeedsAWS() || c.HasAWSKeys() {
		t.Errorf("needs AWS: %v, has keys: %v", c.NeedsAWS(), c.HasAWSKeys())
	}
}

func TestWhatNeedsAWS(t *testing.T) {
	for name, tc := range map[string]struct {
		c    config.Config
		want bool
	}{
		"nothing":  {config.Config{OutcomeSink: "stdout", Ledger: config.MemoryLedger}, false},
		"HTTP":     {config.Config{OutcomeSink: "https://broker.example.com"}, false},
		"a topic":  {config.Config{OutcomeSink: "arn:aws:sns:eu-central-1:123456789012:outcomes"}, true},
		"a ledger": {config.Config{OutcomeSink: "stdout", Ledger: "dynamodb://table"}, true},
		"a secret": {config.Config{OutcomeSink: "stdout", SecretARN: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:s"}, true},
	} {
		if got := tc.c.NeedsAWS(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
