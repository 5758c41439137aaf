package arn_test

import (
	"strings"
	"testing"

	"dds-backup-delete/internal/arn"
)

func TestParse(t *testing.T) {
	const account = ":123456789012:"
	for text, want := range map[string]arn.ARN{
		"arn:aws:events:eu-central-1" + account + "event-bus/outcomes":                      {Region: "eu-central-1"},
		"arn:aws-us-gov:events:us-gov-west-1" + account + "event-bus/aws.partner/x":         {Region: "us-gov-west-1"},
		"arn:aws-cn:sns:cn-north-1" + account + "outcomes.fifo":                             {Region: "cn-north-1"},
		"arn:aws:sqs:eu-central-1" + account + strings.Repeat("x", 75) + ".fifo":            {Region: "eu-central-1"},
		"arn:aws:secretsmanager:eu-central-1" + account + "secret:huaweicloud/a_b-AbCdEf=@": {Region: "eu-central-1"},
	} {
		got, ok := arn.Parse(text)
		if !ok || got.Region != want.Region || got.String() != text || got.IsFIFO() != strings.HasSuffix(text, ".fifo") {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "outcomes", "arn:aws:sqs:eu-central-1:123456789012", "arn:aws:s3:::outcomes", "ARN:aws:sqs:eu-central-1" + account + "outcomes",
		"arn:aws:lambda:eu-central-1" + account + "function:f", "arn:other:sqs:eu-central-1" + account + "outcomes",
		"arn:aws1:sqs:eu-central-1" + account + "outcomes", "arn:aws:sqs:" + account + "outcomes", "arn:aws:sqs:eu_central:1" + account + "outcomes",
		"arn:aws:sqs:eu-central-1:12345678901:outcomes", "arn:aws:sqs:eu-central-1:12345678901x:outcomes",
		"arn:aws:sqs:eu-central-1" + account + ".fifo", "arn:aws:sqs:eu-central-1" + account + "../x", "arn:aws:sqs:eu-central-1" + account + "a\n",
		"arn:aws:sqs:eu-central-1" + account + strings.Repeat("x", 81), "arn:aws:sns:eu-central-1" + account + strings.Repeat("x", 257),
		"arn:aws:sns:eu-central-1" + account + "a:b", "arn:aws:events:eu-central-1" + account + "event-bus/", "arn:aws:secretsmanager:eu-central-1" + account + "secret:",
	} {
		if got, ok := arn.Parse(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if got := (arn.ARN{}).String(); got != "" {
		t.Errorf("the zero value is %q", got)
	}
}
