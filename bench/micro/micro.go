// Package micro compares the parts that cost CPU time with the usual libraries for the same work: the
// decoder, the signer, the way from a request to its event, and the reply to each source.
package micro

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
)

// Case is one part, ours and the peer's.
type Case struct {
	// Name says what is done. Peer is what the other side uses for it.
	Name, Peer string
	// Ours and Theirs do the work once.
	Ours, Theirs func() error
}

// Cases returns all cases; samples is the folder of the sample events.
func Cases(samples string) ([]Case, error) {
	cases := []Case{signing(), encoding()}
	for _, source := range []struct {
		file  string
		full  func() any
		reply any // the reply of a function; nil if the source ignores it
	}{
		{"sqs", func() any { return new(events.SQSEvent) }, nil}, // as sqs-batch
		{"sqs-batch", func() any { return new(events.SQSEvent) }, new(events.SQSEventResponse)},
		{"sqs-sns", func() any { return new(events.SQSEvent) }, nil}, // as sqs-batch
		{"sns", func() any { return new(events.SNSEvent) }, nil},
		{"eventbridge", func() any { return new(events.EventBridgeEvent) }, nil},
		{"apigateway-http-delete", func() any { return new(events.APIGatewayV2HTTPRequest) }, new(events.APIGatewayV2HTTPResponse)},
		{"apigateway-http-post", func() any { return new(events.APIGatewayV2HTTPRequest) }, nil}, // as apigateway-http-delete
		{"apigateway-rest-delete", func() any { return new(events.APIGatewayProxyRequest) }, new(events.APIGatewayProxyResponse)},
		{"function-url-delete", func() any { return new(events.LambdaFunctionURLRequest) }, new(events.LambdaFunctionURLResponse)},
		{"alb-delete", func() any { return new(events.ALBTargetGroupRequest) }, new(events.ALBTargetGroupResponse)},
		{"kafka-msk", func() any { return new(events.KafkaEvent) }, nil}, // no type of aws-lambda-go,
		{"rabbitmq", func() any { return new(events.RabbitMQEvent) }, nil},
		{"activemq", func() any { return new(events.ActiveMQEvent) }, nil},
		{"direct", func() any { return new(map[string]any) }, new(deletion.Data)},
		{"functiongraph-smn", func() any { return new(map[string]any) }, nil}, // what returns is dropped
		{"functiongraph-kafka", func() any { return new(map[string]any) }, nil},
	} {
		payload, err := os.ReadFile(filepath.Join(samples, source.file+".json"))
		if err != nil {
			return nil, err
		}
		cases = append(cases, Case{
			Name: "decode " + source.file, Peer: fmt.Sprintf("encoding/json, %T", source.full()),
			Ours: func() error {
				var d event.Decoder
				_, err := d.Decode(payload, event.Invocation{ID: "invocation"})
				return err
			},
			Theirs: func() error { return json.Unmarshal(payload, source.full()) },
		})
		if source.reply == nil {
			continue
		}
		c, err := replying(source.file, payload, source.reply)
		if err != nil {
			return nil, err
		}
		cases = append(cases, c)
	}
	return cases, nil
}

const (
	jobID     = "3711e2ad-5787-49bc-a47f-3f0b066af9f5"
	backupID  = "8d9586c40b33449a815518d4635a2cd9br02"
	projectID = "0549b4a43100d4f32f51c01c2fe4acdb"
	path      = "/v3/" + projectID + "/backups/" + backupID
	host      = "dds.cn-north-4.myhuaweicloud.com"
	date      = "20261124T060000Z"
)

// signing signs an existing request for a deletion.
func signing() Case {
	const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	credentials := dds.Credentials{AccessKey: secret.New("AKEXAMPLEAKEXAMPLE12"), SecretKey: secret.New("SKEXAMPLESKEXAMPLESKEXAMPLESKEXAMPLE1234")}
	ours := &http.Request{
		Method: http.MethodDelete, URL: &url.URL{Scheme: "https", Host: host, Path: path},
		Header: http.Header{"X-Sdk-Date": {date}, "X-Project-Id": {projectID}},
	}
	headers := []string{"Host", "X-Project-Id", "X-Sdk-Date"}
	theirs := request.NewHttpRequestBuilder().WithEndpoint("https://"+host).WithMethod(http.MethodDelete).WithPath(path).
		AddHeaderParam("X-Sdk-Date", date).AddHeaderParam("X-Project-Id", projectID).Build()
	return Case{
		Name: "sign a DELETE", Peer: "signer of the official SDK",
		Ours: func() error {
			dds.Sign(ours, emptySHA256, credentials, headers)
			return nil
		},
		Theirs: func() error {
			_, err := signer.Sign(theirs, "AKEXAMPLEAKEXAMPLE12", "SKEXAMPLESKEXAMPLESKEXAMPLESKEXAMPLE1234")
			return err
		},
	}
}

// nothing is the DDS, ledger and sink of a service, and costs nothing.
type nothing struct {
	deletion.Backups
	deletion.Ledger
}

// DeleteBackup implements [deletion.Backups].
func (nothing) DeleteBackup(context.Context, deletion.Target, bool) (deletion.Deletion, error) {
	return deletion.Deletion{JobID: jobID}, nil
}

// Swap implements [deletion.Ledger].
func (nothing) Swap(context.Context, *deletion.Item, *deletion.Item) (*deletion.Item, error) {
	return nil, nil //nolint:nilnil // it replaced the item
}

// Publish implements [deletion.Sink].
func (nothing) Publish(_ context.Context, events []deletion.Event) []error {
	return make([]error, len(events))
}

// encoding takes a request through a service whose DDS, ledger and sink cost nothing. What remains
// is the bookkeeping and the encoding of the outcome. The peer only encodes the same event.
func encoding() Case {
	requests := []deletion.Request{{ID: "4fce6432-6221-41a2-86dc-c5557e824cf3", Source: "sqs", BackupID: backupID}}
	service := newService()
	data := service.Do(context.Background(), requests)[0].Data()
	return Case{
		Name: "request to encoded outcome", Peer: "CloudEvents SDK, encoding alone",
		Ours: func() error {
			if o := service.Do(context.Background(), requests); o[0].Status != deletion.Accepted {
				return errors.New("not accepted")
			}
			return nil
		},
		Theirs: func() error {
			e := cloudevents.NewEvent()
			e.SetID("0a25ebd72c2d2e682815914c9b1e9409")
			e.SetSource("urn:huaweicloud:dds:cn-north-4:" + projectID)
			e.SetType("dds.backup.deletion.accepted.v1")
			e.SetSubject(backupID)
			if err := e.SetData(cloudevents.ApplicationJSON, data); err != nil {
				return err
			}
			_, err := json.Marshal(e)
			return err
		},
	}
}

// newService returns a service whose DDS, ledger and sink cost nothing.
func newService() *deletion.Service {
	return &deletion.Service{
		Backups: nothing{}, Ledger: nothing{}, Sink: nothing{}, Concurrency: 1, Log: slog.New(slog.DiscardHandler),
		Scope: deletion.Scope{Region: "cn-north-4", ProjectID: projectID},
	}
}

// replying encodes the reply to a source. Every second request must be retried. The peer encodes the
// same reply from its full type.
func replying(name string, payload []byte, full any) (Case, error) {
	var d event.Decoder
	batch, err := d.Decode(payload, event.Invocation{ID: "invocation"})
	if err != nil {
		return Case{}, err
	}
	outcomes := newService().Do(context.Background(), batch.Requests)
	for i := range outcomes {
		if i%2 == 1 {
			outcomes[i] = deletion.Outcome{
				Request: outcomes[i].Request, Status: deletion.Retry, Err: &deletion.Error{Class: deletion.ClassConflict, Message: "busy", RetryAfter: time.Minute},
			}
		}
	}
	reply, err := batch.Reply(outcomes)
	if err == nil {
		err = json.Unmarshal(reply, full)
	}
	return Case{
		Name: "reply to " + name, Peer: fmt.Sprintf("encoding/json, %T", full),
		Ours: func() error {
			_, err := batch.Reply(outcomes)
			return err
		},
		Theirs: func() error {
			_, err := json.Marshal(full)
			return err
		},
	}, err
}

// Figures are the cost of doing the work once.
type Figures struct {
	// Time is in nanoseconds. Allocs is the number of allocations and Bytes their size.
	Time          float64
	Allocs, Bytes int64
}

// Measure does the work as often as a benchmark does and returns its cost.
func Measure(do func() error) Figures {
	r := testing.Benchmark(func(b *testing.B) { loop(b, do) })
	return Figures{float64(r.T.Nanoseconds()) / float64(r.N), r.AllocsPerOp(), r.AllocedBytesPerOp()}
}

func loop(b *testing.B, do func() error) {
	b.ReportAllocs()
	for b.Loop() {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
}
