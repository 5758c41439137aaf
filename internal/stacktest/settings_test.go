package stacktest_test

import (
	"encoding/json"
	"strconv"
	"testing"
)

// What keeps requests from being lost or worked twice, as moto's services report it.
func TestQueueSettings(t *testing.T) {
	s, err := deploy(t, "settings")
	if err != nil {
		t.Fatal(err)
	}
	requests := s.Queues["RequestQueue"]
	if visibility, _ := strconv.Atoi(requests["VisibilityTimeout"]); visibility < 6*s.Function.Timeout {
		t.Errorf("visibility timeout %d s, timeout of the function %d s", visibility, s.Function.Timeout)
	}
	var redrive struct {
		DeadLetterTargetArn string
		MaxReceiveCount     int
	}
	if err := json.Unmarshal([]byte(requests["RedrivePolicy"]), &redrive); err != nil {
		t.Fatal(err)
	}
	if redrive.DeadLetterTargetArn != s.Queues["DeadLetterQueue"]["QueueArn"] || redrive.MaxReceiveCount < 10 {
		t.Errorf("redrive %+v", redrive)
	}
	for name, attributes := range s.Queues {
		if attributes["MessageRetentionPeriod"] != "1209600" || attributes["SqsManagedSseEnabled"] != "true" {
			t.Errorf("%s: %v", name, attributes)
		}
	}
	if len(s.Mappings) != 1 || s.Mappings[0].State != "Disabled" || s.Mappings[0].EventSourceArn != requests["QueueArn"] ||
		len(s.Mappings[0].FunctionResponseTypes) != 1 || s.Mappings[0].ScalingConfig.MaximumConcurrency != 2 {
		t.Errorf("mapping %+v", s.Mappings)
	}
}

// With a key of the customer, what is stored is encrypted with it, and the role may use it.
func TestKey(t *testing.T) {
	const key = "arn:aws:kms:eu-central-1:123456789012:key/0b6dd9e3-6d5a-4a5c-8f0c-6f1a1e6c7d11"
	s, err := deploy(t, "key", "KmsKeyArn="+key)
	if err != nil {
		t.Fatal(err)
	}
	for name, attributes := range s.Queues {
		if attributes["KmsMasterKeyId"] != key {
			t.Errorf("%s: %v", name, attributes)
		}
	}
	for service, want := range map[string]bool{"sqs": true, "dynamodb": true, "secretsmanager": true, "s3": false} {
		by, err := allows(s.Role, call{
			Action: "kms:Decrypt", Resource: key, Keys: map[string][]string{"kms:ViaService": {service + ".eu-central-1.amazonaws.com"}},
		})
		if err != nil || (by != nil) != want {
			t.Errorf("through %s: allowed %v, error %v", service, by != nil, err)
		}
	}
}
