package dynamodb

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"dds-backup-delete/internal/secret"
)

// item is the attributes of an item, or the values of an expression.
type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func stringOf(v types.AttributeValue) string { return as[types.AttributeValueMemberS](v).Value }

// integer returns 0 for what this package did not write.
func integer(v types.AttributeValue) int64 {
	i, _ := strconv.ParseInt(as[types.AttributeValueMemberN](v).Value, 10, 64)
	return i
}

func mapOf(v types.AttributeValue) item { return as[types.AttributeValueMemberM](v).Value }

// sizeOf returns the bytes of an item as DynamoDB counts them, and some more for numbers.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func sizeOf(of item) int {
	total := 0
	for name, value := range of {
		total += len(name)
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			total += len(v.Value)
		case *types.AttributeValueMemberN:
			total += len(v.Value)
		case *types.AttributeValueMemberM:
			total += 3 + len(v.Value) + sizeOf(v.Value) // one byte for each member
		default:
			total++ // a BOOL
		}
	}
	return total
}

// as returns a value of one type; empty for a value of another type, or none.
func as[T any](v types.AttributeValue) *T {
	if typed, ok := any(v).(*T); ok {
		return typed
	}
	return new(T)
}

// redact returns the error of a call to DynamoDB without secrets: its text may contain what was sent.
func redact(err error) error { return fmt.Errorf("ledger: %w", secret.RedactError(err)) }
