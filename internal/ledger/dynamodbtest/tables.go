// Package dynamodbtest is a stand-in for Amazon DynamoDB, for tests and benchmarks: it keeps items
// in memory and evaluates condition and update expressions, so that a ledger meets the same
// conflicts as in a real table. It checks no signatures, and it knows only the operations on single
// items that a ledger makes, and queries of an index.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
package dynamodbtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// TargetPrefix starts the X-Amz-Target header of every DynamoDB call; the operation follows.
const TargetPrefix = "DynamoDB_20120810."

// maxItem is the largest item, in bytes, that a table accepts: DynamoDB's own limit.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
const maxItem = 400 << 10

// Tables holds the items of all tables. A table exists from its first use; its key is "id" or
// "backup", and it has the index of the ledger, unless CreateTable named others. The zero value is
// ready for concurrent use.
type Tables struct {
	mu      sync.Mutex
	created map[string]*input // by table; the input of CreateTable
	items   map[string]item   // by table and key
}

// The error types that DynamoDB answers with.
const (
	errorSerialization = "SerializationException"
	errorValidation    = "ValidationException"
	errorCondition     = "ConditionalCheckFailedException"
)

var errCondition = errors.New("the conditional request failed")

// ServeHTTP answers one call of DynamoDB's JSON protocol.
func (t *Tables) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	status, answer := t.Answer(strings.TrimPrefix(r.Header.Get("X-Amz-Target"), TargetPrefix), body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_, _ = w.Write(answer) //nolint:gosec // JSON for a test's own client, which may be gone
}

// Answer returns the HTTP status and the body of the answer to one call.
func (t *Tables) Answer(operation string, body []byte) (status int, answer []byte) {
	var in input
	if err := json.Unmarshal(body, &in); err != nil {
		return refuse(errorSerialization, err, nil)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.items == nil {
		t.created, t.items = make(map[string]*input), make(map[string]item)
	}
	switch operation {
	case "CreateTable":
		return t.create(&in)
	case "Query":
		return t.query(&in)
	}
	place, err := t.place(&in)
	if err != nil {
		return refuse(errorValidation, err, nil)
	}
	old := t.items[place]
	changed, err := in.apply(operation, old)
	switch {
	case errors.Is(err, errCondition):
		if in.ReturnValuesOnConditionCheckFailure != "ALL_OLD" {
			old = nil
		}
		return refuse(errorCondition, err, old)
	case err != nil:
		return refuse(errorValidation, err, nil)
	}
	out := make(map[string]item)
	switch {
	case operation == "GetItem":
		if old != nil {
			out["Item"] = old
		}
	case changed == nil:
		delete(t.items, place)
	default:
		t.items[place] = changed
		if in.ReturnValues == "ALL_NEW" {
			out["Attributes"] = changed
		}
	}
	return http.StatusOK, encode(out)
}

// create remembers the keys of a table.
func (t *Tables) create(in *input) (status int, answer []byte) {
	if len(in.KeySchema) != 1 {
		return refuse(errorValidation, fmt.Errorf("%d key attributes, expected one: sort keys are not supported", len(in.KeySchema)), nil)
	}
	t.created[in.TableName] = in
	return http.StatusOK, encode(map[string]any{"TableDescription": map[string]string{"TableName": in.TableName, "TableStatus": "ACTIVE"}})
}

// place returns where the items map holds the item of a call. PutItem sends its key in the item.
func (t *Tables) place(in *input) (string, error) {
	if in.Key == nil {
		in.Key = make(item)
		names := []string{"id", "backup"}
		if table := t.created[in.TableName]; table != nil {
			names = []string{table.KeySchema[0].AttributeName}
		}
		for _, name := range names {
			if v, ok := in.Item[name]; ok {
				in.Key[name] = v
			}
		}
	}
	if len(in.Key) != 1 {
		return "", fmt.Errorf("%d key attributes, expected one", len(in.Key))
	}
	return in.TableName + " " + string(encode(in.Key)), nil
}

// apply returns the item after an operation; nil for an operation that leaves none.
func (in *input) apply(operation string, old item) (item, error) {
	if in.ConditionExpression != "" {
		ok, err := in.holds(in.ConditionExpression, old)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errCondition
		}
	}
	var changed item
	var err error
	switch operation {
	case "GetItem", "DeleteItem":
	case "PutItem":
		changed = in.Item
	case "UpdateItem":
		changed, err = in.update(old)
	default:
		err = fmt.Errorf("operation %q is not supported", operation)
	}
	size := sizeOfItem(changed)
	if err == nil && size > maxItem {
		err = fmt.Errorf("the item has %d bytes, the maximum is %d", size, maxItem)
	}
	return changed, err
}

// refuse returns an error answer. DynamoDB adds the item to a failed condition if the call
// asks for it.
func refuse(kind string, err error, old item) (status int, answer []byte) {
	return http.StatusBadRequest, encode(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Item    item   `json:",omitempty"`
	}{"com.amazonaws.dynamodb.v20120810#" + kind, err.Error(), old})
}

// encode returns the JSON of an answer: strings, and what was JSON before.
func encode(answer any) []byte {
	text, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	return text
}
