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
func newDynamoDBTable(t *testing.T) (endpoint, table string) {
	t.Helper()
	if endpoint = os.Getenv("DYNAMODB_ENDPOINT"); endpoint == "" {
		server := httptest.NewServer(new(dynamodbtest.Tables))
		t.Cleanup(server.Close)
		endpoint = server.URL
	}
	client := newClient(endpoint)
	table = fmt.Sprintf("ledger-%d-%d", time.Now().UnixNano(), tables.Add(1))
	if _, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            aws.String(table),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("backup"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("backup"), KeyType: types.KeyTypeHash}},
	}); err != nil {
		t.Fatal(err)
	}
	return endpoint, table
}
