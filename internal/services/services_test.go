package services_test

import (
	"testing"

	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

func TestOther(t *testing.T) {
	for text, want := range map[string]string{
		`{"backup_id":"a"}`:                                      "",
		`{"Records":[{"eventSource":"aws:sqs"}]}`:                "",
		`{"eventSource":"aws:kafka","records":{}}`:               "",
		`{"Records":[{"eventSource":"aws:s3"}],"backup_id":"a"}`: `a batch of records of Amazon S3 or Huawei Cloud OBS ("aws:s3")`,
		`{"type":"dds.backup.agenda.tick.v1"}`:                   "",
		`{"request_id":"r","project_id":"p","backup_id":"a","status":"completed","instance_id":"i","size_kb":5}`: "",
		`{"eventSource":"mine"}`:                                       `an event of "mine"`,
		`{"eventSource":5}`:                                            "an event whose eventSource is not a string",
		`{"CodePipeline.job":{}}`:                                      "a CodePipeline job",
		`{"CodePipeline":{"job":{}}}`:                                  "a CodePipeline job",
		`{"message":{},"subscription":"s"}`:                            "a Google Cloud Pub/Sub push",
		`{"message":"text","subscription":"s"}`:                        "",
		`{"awslogs":{}}`:                                               "a CloudWatch Logs subscription event",
		`{"awslogs":"text"}`:                                           "",
		`{"requestContext":{"functionArn":"arn"},"KafkaBatchInfo":{}}`: "a Lambda record of a stream batch",
		`{"kind":"Pod","apiVersion":"v1","mail":{"messageId":"m"},"triggerSource":"x"}`:  "an Amazon SES notification",
		`{"mail":{"messageId":"m"},"triggerSource":"x","apiVersion":"v1","kind":"Node"}`: "an Amazon SES notification",
	} {
		value, err := strictjson.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		members, err := value.Object()
		if got := services.Other(members); got != want || err != nil {
			t.Errorf("%s: %q, want %q, error %v", text, got, want, err)
		}
	}
}
