package upstream

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"
)

// value is an attribute value as it is on the wire: {"S": "…"}, {"N": "…"}, {"M": {…}}.
type value map[string]json.RawMessage

// item is the attributes of an item.
type item map[string]value

// table is every table there is, items by their key: the four calls on one item that an
// idempotency store makes, with their conditions.
type table struct {
	mu    sync.Mutex
	items map[string]item
}

// input is what the four calls take.
type input struct {
	TableName                           string
	Key                                 item
	Item                                item
	UpdateExpression                    string
	ConditionExpression                 string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           item
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
}

var errCondition = errors.New("the conditional request failed")

// serve answers one call.
func (t *table) serve(operation string, body []byte) (status int, answer []byte) {
	var in input
	if err := json.Unmarshal(body, &in); err != nil {
		return refused("SerializationException", err, nil)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.items == nil {
		t.items = make(map[string]item)
	}
	if in.Key == nil { // PutItem: the tables here have one key attribute, whose name is one of these
		in.Key = make(item)
		for _, name := range []string{"id", "backup"} {
			if v, ok := in.Item[name]; ok {
				in.Key[name] = v
			}
		}
	}
	text, err := json.Marshal(in.Key)
	if err != nil {
		return refused("ValidationException", err, nil)
	}
	key := in.TableName + " " + string(text)
	old := t.items[key]
	changed, err := in.apply(operation, old)
	switch {
	case errors.Is(err, errCondition):
		if in.ReturnValuesOnConditionCheckFailure != "ALL_OLD" {
			old = nil
		}
		return refused("ConditionalCheckFailedException", err, old)
	case err != nil:
		return refused("ValidationException", err, nil)
	}
	out := make(map[string]item)
	switch {
	case operation == "GetItem":
		if old != nil {
			out["Item"] = old
		}
	case changed == nil:
		delete(t.items, key)
	default:
		t.items[key] = changed
		if in.ReturnValues == "ALL_NEW" {
			out["Attributes"] = changed
		}
	}
	answer, err = json.Marshal(out)
	if err != nil {
		return refused("InternalServerError", err, nil)
	}
	return http.StatusOK, answer
}

// apply returns what an item becomes; nil for none.
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
	switch operation {
	case "GetItem", "DeleteItem":
		return nil, nil //nolint:nilnil // no item
	case "PutItem":
		return in.Item, nil
	case "UpdateItem":
		return in.update(old)
	default:
		return nil, errors.New("no such operation: " + operation)
	}
}

// refused is an error of DynamoDB.
func refused(kind string, err error, old item) (status int, answer []byte) {
	answer, _ = json.Marshal(struct { // strings and what was JSON before
		Type    string `json:"__type"`
		Message string `json:"message"`
		Item    item   `json:",omitempty"`
	}{"com.amazonaws.dynamodb.v20120810#" + kind, err.Error(), old})
	return http.StatusBadRequest, answer
}
