package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/lambdatest"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/sink/sinktest"
)

const table = "chaos"

// onLambda is AWS Lambda with a queue, a topic, a table of DynamoDB Local and a bus.
func onLambda(w *world) *host {
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		w.t.Skip("no DYNAMODB_ENDPOINT; tools/with-dynamodb-local runs a command with one")
	}
	db, dbURL := w.startTable(endpoint)
	bus := sinktest.NewEventBridge(func(sinktest.Entry) string {
		if !w.calm.Load() && w.dice.n(50) == 0 {
			return "ThrottlingException"
		}
		return ""
	})
	w.t.Cleanup(bus.Close)
	faulty := httptest.NewServer(w.faulty(bus))
	w.t.Cleanup(faulty.Close)
	const maxReceives = 8 // the last one is told to the function
	return &host{
		folder: "./cmd/handler", ledger: ddbledger.New(db, table, nil), maxReceives: maxReceives,
		taken: func() (events []string) {
			for _, entry := range bus.Taken() {
				events = append(events, entry.Detail)
			}
			return events
		},
		start: func(ctx context.Context, binary string, timeout time.Duration) (*instance, error) {
			f, err := lambdatest.Start(ctx, lambdatest.Options{Binary: binary, Timeout: timeout, Env: []string{
				"HUAWEICLOUD_SDK_AK=" + ddstest.AccessKey, "HUAWEICLOUD_SDK_SK=" + ddstest.SecretKey,
				"HUAWEICLOUD_SDK_PROJECT_ID=" + ddstest.ProjectID, "DDS_REGION=" + ddstest.Region, "DDS_ENDPOINT=" + w.front.URL,
				"OUTCOME_SINK=arn:aws:events:eu-central-1:123456789012:event-bus/outcomes", "AWS_ENDPOINT_URL_EVENTBRIDGE=" + faulty.URL,
				"LEDGER=dynamodb://" + table, "AWS_ENDPOINT_URL_DYNAMODB=" + dbURL,
				"REQUIRE_MANUAL=true", "FOLLOW=true", fmt.Sprint("QUEUE_MAX_RECEIVES=", maxReceives),
			}})
			if err != nil {
				return nil, err
			}
			return &instance{
				invoke: func(ctx context.Context, payload []byte) ([]byte, error) {
					result, err := f.Invoke(ctx, lambdatest.Invocation{Payload: payload})
					if err == nil && result.Err != nil {
						err = errors.New(result.Err.Message)
					}
					return result.Payload, err
				},
				ended: func() bool { return f.State() != nil }, kill: f.Kill, close: f.Close, output: f.Stdout,
			}, nil
		},
		batch: func(messages []message) any {
			var records []map[string]any
			for _, m := range messages {
				records = append(records, map[string]any{
					"messageId": m.id, "body": m.body, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:requests",
					"attributes": map[string]string{"ApproximateReceiveCount": fmt.Sprint(m.receives)},
				})
			}
			return map[string]any{"Records": records}
		},
		notification: func(m *message) any {
			return map[string]any{"Records": []map[string]any{{
				"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": map[string]string{
					"MessageId": m.id, "Message": m.body, "TopicArn": "arn:aws:sns:eu-central-1:123456789012:requests",
				},
			}}}
		},
		tick: map[string]string{"type": "dds.backup.agenda.tick.v1"},
	}
}

// startTable makes the table and puts faults in front of it. Its client meets none.
func (w *world) startTable(endpoint string) (db *dynamodb.Client, faultyURL string) {
	db = dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDLAMBDATEST", SecretAccessKey: "lambdatest", SessionToken: "lambdatest"}, nil
		}),
	})
	if _, err := db.CreateTable(w.t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(table), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("backup"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("due_kind"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("due_at"), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("backup"), KeyType: types.KeyTypeHash}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String("due"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			KeySchema: []types.KeySchemaElement{
				{AttributeName: aws.String("due_kind"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("due_at"), KeyType: types.KeyTypeRange},
			},
		}},
	}); err != nil {
		w.t.Fatal(err)
	}
	target, err := url.Parse(endpoint)
	if err != nil {
		w.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	faulty := httptest.NewServer(w.faulty(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(rw, r.WithContext(context.WithoutCancel(r.Context()))) // a write that was sent happens even if its sender is killed
	})))
	w.t.Cleanup(faulty.Close)
	return db, faulty.URL
}
