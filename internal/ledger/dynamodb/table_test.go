package dynamodb_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"dds-backup-delete/internal/ledger/dynamodbtest"
)

var tables atomic.Int64

func newClient(endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond }),
	})
}

// newDynamoDBTable creates a table: in the DynamoDB that DYNAMODB_ENDPOINT names (`make test-aws`
// starts Amazon's own DynamoDB Local), otherwise in a stand-in.
func newDynamoDBTable(t *testing.T, change ...func(*dynamodb.CreateTableInput)) (endpoint, table string) {
	t.Helper()
	if endpoint = os.Getenv("DYNAMODB_ENDPOINT"); endpoint == "" {
		server := httptest.NewServer(new(dynamodbtest.Tables))
		t.Cleanup(server.Close)
		endpoint = server.URL
	}
	client := newClient(endpoint)
	table = fmt.Sprintf("ledger-%d-%d", time.Now().UnixNano(), tables.Add(1))
	attribute := func(name string, of types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: of}
	}
	key := func(name string, of types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: of}
	}
	in := dynamodb.CreateTableInput{
		TableName:   aws.String(table),
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute("backup", types.ScalarAttributeTypeS), attribute("due_kind", types.ScalarAttributeTypeS), attribute("due_at", types.ScalarAttributeTypeN),
		},
		KeySchema: []types.KeySchemaElement{key("backup", types.KeyTypeHash)},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("due"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			KeySchema: []types.KeySchemaElement{key("due_kind", types.KeyTypeHash), key("due_at", types.KeyTypeRange)},
		}},
	}
	for _, c := range change {
		c(&in)
	}
	if _, err := client.CreateTable(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	return endpoint, table
}
