package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// DynamoDB is a ledger in an Amazon DynamoDB table, shared by all processes. The straight path
// is two conditional writes and no read: a condition that fails brings the item with it.
//
// The table has the string key "backup", and "expires_at" for its time to live. An item:
//
//	backup        project/backup
//	lease_token   of the lease; missing where there is none
//	lease_until   its end, in milliseconds since 1970
//	lease_after   the token of a lease that ran out before this one
//	maybe_sent    true where an earlier holder may have sent the DELETE
//	final_status  accepted or unconfirmed, with final_event
//	refused       the other outcomes, {status, event, at} by request; see maxRefusals
//	expires_at    in seconds since 1970
type DynamoDB struct {
	client *dynamodb.Client
	table  string
	now    func() time.Time
}

// keep is how long an item is kept after its last write. DynamoDB removes it some days later,
// so what has expired is also recognised here.
const keep = 35 * 24 * time.Hour

// NewDynamoDB returns the ledger in that table. The clock is that of leases; nil for [time.Now].
func NewDynamoDB(client *dynamodb.Client, table string, now func() time.Time) *DynamoDB {
	if now == nil {
		now = time.Now
	}
	return &DynamoDB{client: client, table: table, now: now}
}

// Begin implements [deletion.Ledger].
func (d *DynamoDB) Begin(ctx context.Context, r *deletion.Request, lease time.Duration) (deletion.Begun, error) {
	begun, item, err := d.begin(ctx, r, lease)
	if errors.Is(err, errExpired) {
		if err := d.remove(ctx, r); err != nil {
			return deletion.Begun{}, err
		}
		begun, item, err = d.begin(ctx, r, lease)
	}
	if err != nil || begun.Token == "" {
		return begun, err
	}
	if err := d.trim(ctx, r, begun.Token, item); err != nil {
		_ = d.Release(ctx, r, begun.Token, begun.MaybeSent) // else the lease would count as maybe sent
		return deletion.Begun{}, err
	}
	return begun, nil
}

// errExpired says that an item must be removed first.
var errExpired = errors.New("ledger: the item has expired")

// begin asks once, and returns the item as it found or left it.
func (d *DynamoDB) begin(ctx context.Context, r *deletion.Request, lease time.Duration) (begun deletion.Begun, item map[string]types.AttributeValue, err error) {
	now := d.now()
	token := rand.Text()
	out, err := d.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(d.table),
		Key:       itemKey(r),
		UpdateExpression: aws.String("SET lease_token = :token, lease_until = :until, expires_at = :expires, " +
			"lease_after = if_not_exists(lease_token, :nobody), refused = if_not_exists(refused, :none)"),
		ConditionExpression: aws.String("attribute_not_exists(final_status) AND attribute_not_exists(refused.#request)" +
			" AND (attribute_not_exists(lease_token) OR lease_until <= :now)" +
			" AND (attribute_not_exists(expires_at) OR expires_at > :seconds)"),
		ExpressionAttributeNames: map[string]string{"#request": requestKey(r)},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":token":   text(token),
			":until":   number(now.Add(lease).UnixMilli()),
			":expires": number(now.Add(keep).Unix()),
			":nobody":  text(""),
			":none":    &types.AttributeValueMemberM{},
			":now":     number(now.UnixMilli()),
			":seconds": number(now.Unix()),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		return deletion.Begun{Token: token, MaybeSent: maybeSent(out.Attributes)}, out.Attributes, nil
	}
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return deletion.Begun{}, nil, wrap(err)
	}
	item = failed.Item
	if integer(item["expires_at"]) <= now.Unix() {
		return deletion.Begun{}, nil, errExpired
	}
	if done := recordOf(item, r); done != nil {
		return deletion.Begun{Done: done}, item, nil
	}
	if stringOf(item["lease_token"]) == token { // the SDK tried twice, and the first answer was lost
		return deletion.Begun{Token: token, MaybeSent: maybeSent(item)}, item, nil
	}
	return deletion.Begun{BusyFor: time.UnixMilli(integer(item["lease_until"])).Sub(now)}, item, nil
}

// maybeSent reports whether an earlier holder of the lease may have sent the DELETE.
func maybeSent(item map[string]types.AttributeValue) bool {
	return item["maybe_sent"] != nil || stringOf(item["lease_after"]) != ""
}

// remove removes an item that has expired.
func (d *DynamoDB) remove(ctx context.Context, r *deletion.Request) error {
	_, err := d.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                 aws.String(d.table),
		Key:                       itemKey(r),
		ConditionExpression:       aws.String("expires_at <= :seconds"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":seconds": number(d.now().Unix())},
	})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return nil // another process was faster
	}
	return wrap(err)
}

// trim forgets the oldest refusals of an item that holds too many bytes of them. It needs the
// lease, whose holder alone writes refusals.
func (d *DynamoDB) trim(ctx context.Context, r *deletion.Request, token string, item map[string]types.AttributeValue) error {
	refused, _ := item["refused"].(*types.AttributeValueMemberM)
	if refused == nil {
		return nil
	}
	refusals := make([]refusal, 0, len(refused.Value))
	for key, value := range refused.Value {
		one := refusal{key: key}
		if record, ok := value.(*types.AttributeValueMemberM); ok {
			one.at, one.size = integer(record.Value["at"]), len(stringOf(record.Value["event"]))
		}
		refusals = append(refusals, one)
	}
	keys := forgettable(refusals)
	if len(keys) == 0 {
		return nil
	}
	for _, key := range keys {
		delete(refused.Value, key)
	}
	_, err := d.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 aws.String(d.table),
		Key:                       itemKey(r),
		UpdateExpression:          aws.String("SET refused = :kept"),
		ConditionExpression:       aws.String("lease_token = :token"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":kept": refused, ":token": text(token)},
	})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return nil // the lease ran out, and Record will say so
	}
	return wrap(err)
}

// Record implements [deletion.Ledger].
func (d *DynamoDB) Record(ctx context.Context, token string, maybeSent bool, records []deletion.Record) (earlier *deletion.Record, err error) {
	first := &records[0]
	in := &dynamodb.UpdateItemInput{
		TableName: aws.String(d.table),
		Key:       itemKey(&first.Request),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":expires": number(d.now().Add(keep).Unix()),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	values := in.ExpressionAttributeValues
	sets, remove := []string{"expires_at = :expires"}, " REMOVE lease_token, lease_until, maybe_sent"
	condition := "lease_token = :token AND attribute_not_exists(final_status)"
	switch {
	case first.Final():
		sets = append(sets, "final_status = :status", "final_event = :event")
		remove += ", refused" // what is final for the backup answers every request
		values[":status"], values[":event"] = text(string(first.Status)), text(string(first.Event))
		if first.Status == deletion.Accepted { // a job id needs no lease, and gives way to none but another
			condition = "attribute_not_exists(final_status) OR final_status = :unconfirmed"
			values[":unconfirmed"] = text(string(deletion.Unconfirmed))
		}
	default:
		in.ExpressionAttributeNames = make(map[string]string)
		for i := range records {
			n := strconv.Itoa(i)
			sets = append(sets, "refused.#r"+n+" = :r"+n)
			in.ExpressionAttributeNames["#r"+n] = requestKey(&records[i].Request)
			values[":r"+n] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
				"status": text(string(records[i].Status)), "event": text(string(records[i].Event)),
				"at": number(d.now().UnixMilli()),
			}}
		}
		if maybeSent {
			sets = append(sets, "maybe_sent = :yes")
			remove = " REMOVE lease_token, lease_until"
			values[":yes"] = &types.AttributeValueMemberBOOL{Value: true}
		}
	}
	if first.Status != deletion.Accepted {
		values[":token"] = text(token)
	}
	in.UpdateExpression, in.ConditionExpression = aws.String("SET "+strings.Join(sets, ", ")+remove), aws.String(condition)
	_, err = d.client.UpdateItem(ctx, in)
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return nil, wrap(err)
	}
	if done := recordOf(failed.Item, &first.Request); done != nil && done.Final() {
		return done, nil
	}
	for i := range records { // a repeat of a write whose answer was lost finds its own records
		done := recordOf(failed.Item, &records[i].Request)
		if done == nil || !bytes.Equal(done.Event, records[i].Event) {
			return nil, deletion.ErrLeaseLost
		}
	}
	return nil, nil //nolint:nilnil // they are there already
}

// Release implements [deletion.Ledger].
func (d *DynamoDB) Release(ctx context.Context, r *deletion.Request, token string, maybeSent bool) error {
	update := "REMOVE lease_token, lease_until, maybe_sent"
	values := map[string]types.AttributeValue{":token": text(token)}
	if maybeSent {
		update = "SET maybe_sent = :yes REMOVE lease_token, lease_until"
		values[":yes"] = &types.AttributeValueMemberBOOL{Value: true}
	}
	_, err := d.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 aws.String(d.table),
		Key:                       itemKey(r),
		UpdateExpression:          aws.String(update),
		ConditionExpression:       aws.String("lease_token = :token"),
		ExpressionAttributeValues: values,
	})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return nil // it ran out, and somebody else has it
	}
	return wrap(err)
}

// recordOf returns what an item holds for a request: the final record, or its own refusal.
func recordOf(item map[string]types.AttributeValue, r *deletion.Request) *deletion.Record {
	if status := stringOf(item["final_status"]); status != "" {
		return &deletion.Record{
			Request: *r, Status: deletion.Status(status), Event: []byte(stringOf(item["final_event"])),
		}
	}
	refused, _ := item["refused"].(*types.AttributeValueMemberM)
	if refused == nil {
		return nil
	}
	own, _ := refused.Value[requestKey(r)].(*types.AttributeValueMemberM)
	if own == nil {
		return nil
	}
	return &deletion.Record{
		Request: *r, Status: deletion.Status(stringOf(own.Value["status"])), Event: []byte(stringOf(own.Value["event"])),
	}
}

// requestKey names a request inside an item; a source may use any text as an id.
func requestKey(r *deletion.Request) string {
	digest := sha256.Sum256([]byte(r.Identity()))
	return hex.EncodeToString(digest[:16])
}

func itemKey(r *deletion.Request) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"backup": text(r.ProjectID + "/" + r.BackupID)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func stringOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func integer(v types.AttributeValue) int64 {
	if n, ok := v.(*types.AttributeValueMemberN); ok {
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
	}
	return 0
}

// wrap returns the error of a call to DynamoDB, which may repeat in its text what it was sent.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ledger: %w", secret.RedactError(err))
}
