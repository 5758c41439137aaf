package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// store is an idempotency table like that of Powertools: a conditional put before the work, and an
// update after it.
type store struct {
	client *dynamodb.Client
	table  string
}

var errBusy = errors.New("another delivery is being worked")

// begin claims a backup, or returns its earlier outcome.
func (s *store) begin(ctx context.Context, id string) (*outcome, error) {
	now := time.Now()
	_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(s.table),
		Item: map[string]types.AttributeValue{
			"id":         &types.AttributeValueMemberS{Value: id},
			"state":      &types.AttributeValueMemberS{Value: "in progress"},
			"expires_at": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Add(time.Hour).Unix(), 10)},
		},
		ConditionExpression:       aws.String("attribute_not_exists(id) OR expires_at < :now"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":now": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Unix(), 10)}},

		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return nil, err
	}
	text, ok := failed.Item["result"].(*types.AttributeValueMemberS)
	if !ok {
		return nil, errBusy
	}
	var o outcome
	return &o, json.Unmarshal([]byte(text.Value), &o)
}

// finish stores the outcome of a backup.
func (s *store) finish(ctx context.Context, o *outcome) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                aws.String(s.table),
		Key:                      map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: o.BackupID}},
		UpdateExpression:         aws.String("SET #state = :done, #result = :result"),
		ExpressionAttributeNames: map[string]string{"#state": "state", "#result": "result"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":done": &types.AttributeValueMemberS{Value: "done"}, ":result": &types.AttributeValueMemberS{Value: string(text)},
		},
	})
	return err
}
