package app

import (
	"os/exec"
	"strings"
	"testing"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/config"
)

// A program without AWS must not carry its clients.
func TestNoAWSClientIsLinked(t *testing.T) {
	packages, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(packages)) {
		if strings.HasPrefix(name, "github.com/aws/aws-sdk-go-v2") || strings.HasPrefix(name, "github.com/aws/smithy-go") {
			t.Errorf("internal/app needs %s", name)
		}
	}
}

// What the configuration names and the program does not have is a fault at start, all of them at once.
func TestWhatIsNotLinked(t *testing.T) {
	_, c := serve(t)
	c.Sink.Kind, c.Ledger.Kind = config.EventBridge, config.DynamoDB
	c.Credentials.Secret = arn.ARN{Service: "secretsmanager", Region: "eu-central-1"}
	_, err := New(t.Context(), c, discard, nil, Links{})
	const want = "OUTCOME_SINK: EventBridge is not part of this program; expected an https:// address or stdout\n" +
		"LEDGER: DynamoDB is not part of this program; expected memory\n" +
		"HUAWEICLOUD_SECRET_ARN: Secrets Manager is not part of this program; expected HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}
