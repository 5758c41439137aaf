package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"dds-backup-delete/internal/deletion"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
)

// long returns an event with as many bytes as an event can have.
func long(id string) string { return id + strings.Repeat("x", 6500-len(id)) }

// refuse records a refusal of one request.
func refuse(t *testing.T, l deletion.Ledger, id, event string) {
	t.Helper()
	note(t, l, begin(t, l, id, false), record(id, deletion.NotFound, event))
}

// forgotten reports whether a ledger has no record for a request. It releases the lease that it gets.
func forgotten(t *testing.T, l deletion.Ledger, id string) bool {
	t.Helper()
	b, err := l.Begin(t.Context(), request(id), lease)
	if err != nil {
		t.Fatal(err)
	}
	if b.Lease != "" {
		release(t, l, b.Lease, false)
	}
	return b.Record == nil
}

// Whatever the number and size of the refusals, there is room for the next request. The oldest are
// forgotten, the newest never.
func TestRefusalsAreBounded(t *testing.T) {
	for name, size := range map[string]int{"short": 2000, "long": 6500} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, l deletion.Ledger, c *clock) {
				event := func(id string) string { return id + strings.Repeat("x", size-len(id)) }
				n := 20 + 3*128<<10/(size+128) // three times as many as are remembered
				for i := range n {
					c.advance(time.Second)
					id := fmt.Sprintf("r%d", i)
					refuse(t, l, id, event(id))
					for recent := max(0, i-7); recent <= i; recent += 7 {
						id := fmt.Sprintf("r%d", recent)
						done(t, l, id, deletion.NotFound, event(id))
					}
				}
				if !forgotten(t, l, "r0") {
					t.Errorf("the oldest of %d is still remembered", n)
				}
			})
		})
	}
}

// The largest possible write fits beside as many refusals as a request can meet.
func TestTheLargestRecordFits(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, c *clock) {
		for round := range 3 {
			for i := range 19 { // just below the limit, so nothing is forgotten
				c.advance(time.Second)
				id := fmt.Sprintf("single-%d-%d", round, i)
				refuse(t, l, id, long(id))
			}
			var records []deletion.Record
			for i := range deletion.MaxRecorded / 6500 {
				id := fmt.Sprintf("batch-%d-%d", round, i)
				records = append(records, record(id, deletion.NotFound, long(id)))
			}
			c.advance(time.Second)
			note(t, l, begin(t, l, records[0].Request.ID, false), records...)
			for _, r := range records { // a redelivered batch finds them all
				done(t, l, r.Request.ID, deletion.NotFound, string(r.Event))
			}
		}
		note(t, l, begin(t, l, "last", false), record("last", deletion.Accepted, "e"))
		done(t, l, "single-0-0", deletion.Accepted, "e")
	})
}

// The next request trims an item that an earlier version filled with refusals.
func TestDynamoDBWorksFullItems(t *testing.T) {
	c := newClock()
	endpoint, table := newDynamoDBTable(t)
	client := newClient(endpoint)
	l := ddbledger.New(client, table, c.now)
	refused := make(map[string]types.AttributeValue)
	for i := range 62 {
		refused[fmt.Sprintf("%032d", i)] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"status": &types.AttributeValueMemberS{Value: "not_found"}, "event": &types.AttributeValueMemberS{Value: long("e")},
			"at": &types.AttributeValueMemberN{Value: fmt.Sprint(c.now().UnixMilli())},
		}}
	}
	if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: map[string]types.AttributeValue{
		"backup": &types.AttributeValueMemberS{Value: "project/backup"}, "refused": &types.AttributeValueMemberM{Value: refused},
		"expires_at": &types.AttributeValueMemberN{Value: fmt.Sprint(c.now().Add(time.Hour).Unix())},
	}}); err != nil {
		t.Fatal(err)
	}
	refuse(t, l, "r1", long("r1"))
	done(t, l, "r1", deletion.NotFound, long("r1"))
}
