package sink_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/sink/awssink"
	"dds-backup-delete/internal/sink/sinktest"
)

func TestSNSMessages(t *testing.T) {
	for text, fifo := range map[string]bool{topicARN: false, topicARN + ".fifo": true} {
		server := sinktest.NewSNS(nil)
		s := awssink.NewSNS(sns.New(sns.Options{Region: "eu-central-1", BaseEndpoint: aws.String(server.URL), Credentials: keys}), parse(text))
		e := someEvents(1)[0]
		e.AuthType, e.AuthID, e.AuthClaimed = "user", "AIDA", true // the body has them, the attributes do not
		if errs := s.Publish(t.Context(), append(someEvents(0), e)); errs[0] != nil {
			t.Fatal(errs[0])
		}
		want := sinktest.Message{
			ID: "0", To: text, Body: string(e.JSON), Attributes: map[string]string{"type": e.Type, "status": "accepted", "project_id": "project"},
		}
		if fifo {
			want.GroupID, want.DeduplicationID = e.Subject, e.ID
		}
		if diff := cmp.Diff([]sinktest.Message{want}, server.Taken()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		server.Close()
	}
}
