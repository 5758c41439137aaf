package sink_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/sink/awssink"
	"dds-backup-delete/internal/sink/sinktest"
)

func TestSQSMessages(t *testing.T) {
	for text, fifo := range map[string]bool{queueARN: false, queueARN + ".fifo": true} {
		server := sinktest.NewSQS(nil)
		s, err := awssink.NewSQS(sqs.New(sqs.Options{Region: "eu-central-1", BaseEndpoint: aws.String(server.URL), Credentials: keys}), parse(text))
		if err != nil {
			t.Fatal(err)
		}
		e := someEvents(1)[0]
		e.AuthType, e.AuthID, e.AuthClaimed = "user", "AIDA", true // the body has them, the attributes do not
		e.TraceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793"
		if errs := s.Publish(t.Context(), append(someEvents(0), e)); errs[0] != nil {
			t.Fatal(errs[0])
		}
		want := sinktest.Message{
			ID: "0", To: server.URL + "/123456789012/outcomes", Body: string(e.JSON), TraceHeader: e.TraceHeader,
			Attributes: map[string]string{"type": e.Type, "status": "accepted", "project_id": "project"},
		}
		if fifo {
			want.To += ".fifo"
			want.GroupID, want.DeduplicationID = e.Subject, e.ID
		}
		if diff := cmp.Diff([]sinktest.Message{want}, server.Taken()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		server.Close()
	}
}

// The URL of a queue follows from its ARN in every partition.
func TestQueueURL(t *testing.T) {
	for region, want := range map[string]string{
		"eu-central-1":   "https://sqs.eu-central-1.amazonaws.com/123456789012/outcomes",
		"cn-north-1":     "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/outcomes",
		"us-gov-west-1":  "https://sqs.us-gov-west-1.amazonaws.com/123456789012/outcomes",
		"us-iso-east-1":  "https://sqs.us-iso-east-1.c2s.ic.gov/123456789012/outcomes",
		"xx-nowhere-999": "https://sqs.xx-nowhere-999.amazonaws.com/123456789012/outcomes",
	} {
		got, err := awssink.QueueURL(sqs.Options{Region: region}, parse("arn:aws:sqs:"+region+":123456789012:outcomes"))
		if err != nil || got != want {
			t.Errorf("%s: %s, error %v, want %s", region, got, err, want)
		}
	}
}
