package dynamodbtest

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// ledgerIndex is the index of tables that were not created.
var ledgerIndex = secondaryIndex{IndexName: "due", KeySchema: keySchema{{"due_kind"}, {"due_at"}}}

// query answers the query of an index with a sort key, in ascending order. As in DynamoDB, an item without the
// attributes of the index is not there, and a full page has a LastEvaluatedKey even if nothing follows.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
func (t *Tables) query(in *input) (status int, answer []byte) {
	indexes, primary := []secondaryIndex{ledgerIndex}, []string{"id", "backup"}
	if table := t.created[in.TableName]; table != nil {
		indexes, primary = table.GlobalSecondaryIndexes, []string{table.KeySchema[0].AttributeName}
	}
	at := slices.IndexFunc(indexes, func(i secondaryIndex) bool { return i.IndexName == in.IndexName })
	if at < 0 {
		return refuse(errorValidation, errors.New("the table does not have the specified index: "+in.IndexName), nil)
	}
	partition, sort := indexes[at].KeySchema[0].AttributeName, indexes[at].KeySchema[1].AttributeName
	order := func(a, b item) int {
		byValue, _ := compare(a[sort], b[sort])
		return cmp.Or(byValue, bytes.Compare(encode(a), encode(b)))
	}
	found := []item{}
	for place, of := range t.items {
		if !strings.HasPrefix(place, in.TableName+" ") || of[partition] == nil || of[sort] == nil {
			continue
		}
		holds, err := in.holds(in.KeyConditionExpression, of)
		if err != nil {
			return refuse(errorValidation, err, nil)
		}
		keys := item{partition: of[partition], sort: of[sort]}
		for _, name := range primary {
			if of[name] != nil {
				keys[name] = of[name]
			}
		}
		if holds && (in.ExclusiveStartKey == nil || order(keys, in.ExclusiveStartKey) > 0) {
			found = append(found, keys)
		}
	}
	slices.SortFunc(found, order)
	out := struct {
		Items            []item
		Count            int
		LastEvaluatedKey item `json:",omitempty"`
	}{Items: found}
	if in.Limit > 0 && len(found) >= in.Limit {
		out.Items, out.LastEvaluatedKey = found[:in.Limit], found[in.Limit-1]
	}
	out.Count = len(out.Items)
	return http.StatusOK, encode(out)
}
