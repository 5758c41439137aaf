package dynamodbtest

import "encoding/json"

// value is an attribute value in its wire format: {"S": "…"}, {"N": "…"}, {"M": {…}}.
type value map[string]json.RawMessage

// item is the attributes of an item.
type item map[string]value

// input has the parameters of all operations.
type input struct {
	TableName                           string
	KeySchema                           keySchema
	GlobalSecondaryIndexes              []secondaryIndex
	Key                                 item
	Item                                item
	UpdateExpression                    string
	ConditionExpression                 string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           item
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	IndexName                           string
	KeyConditionExpression              string
	ExclusiveStartKey                   item
	Limit                               int
}

// keySchema has the partition key and, of an index, the sort key.
type keySchema []struct{ AttributeName string }

type secondaryIndex struct {
	IndexName string
	KeySchema keySchema
}

// members returns the attributes of a map, and nil for a value of another type.
func members(v value) item {
	var m item
	if err := json.Unmarshal(v["M"], &m); err != nil {
		return nil // no map
	}
	return m
}

// sizeOfItem approximates the size that DynamoDB counts: the bytes of all names and values.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func sizeOfItem(of item) int {
	total := 0
	for name, v := range of {
		total += len(name)
		if inner := members(v); inner != nil {
			total += sizeOfItem(inner)
			continue
		}
		for _, text := range v {
			total += len(text)
		}
	}
	return total
}
