// Package dynamodb implements [deletion.Ledger] in an Amazon DynamoDB table.
package dynamodb

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
	"dds-backup-delete/internal/ledger"
	"dds-backup-delete/internal/secret"
)

// Ledger is a ledger in an Amazon DynamoDB table that all processes share. A deletion normally
// needs two conditional writes and no read: a failed condition returns the item.
//
// The table has the string key "backup", and "expires_at" as its time to live. An item has:
//
//	backup        project/backup
//	lease_token   of the lease; missing if there is none
//	lease_until   its end, in milliseconds since 1970
//	lease_after   the token of a lease that expired before this one
//	maybe_sent    true if an earlier holder may have sent the DELETE
//	final_status  accepted or unconfirmed, with final_event
//	refused       the other outcomes, {status, event, at} by request; see [ledger.Forgettable]
//	expires_at    in seconds since 1970
type Ledger struct {
	client *dynamodb.Client
	table  string
	now    func() time.Time
}

// keep is how long an item is kept after its last write. DynamoDB may remove it days later, so this
// package checks the expiry itself.
const keep = 35 * 24 * time.Hour

// New returns the ledger in that table. The clock now is for leases; nil for [time.Now].
func New(client *dynamodb.Client, table string, now func() time.Time) *Ledger {
	if now == nil {
		now = time.Now
	}
	return &Ledger{client: client, table: table, now: now}
}

// Begin implements [deletion.Ledger].
func (l *Ledger) Begin(ctx context.Context, r *deletion.Request, duration time.Duration) (deletion.Claim, error) {
	claim, item, err := l.begin(ctx, r, duration)
	if errors.Is(err, errExpired) {
		if err := l.remove(ctx, r); err != nil {
			return deletion.Claim{}, err
		}
		claim, item, err = l.begin(ctx, r, duration)
	}
	if err != nil || claim.Lease == "" {
		return claim, err
	}
	if err := l.trim(ctx, r, claim.Lease, item); err != nil {
		_ = l.Release(ctx, r, claim.Lease, claim.MaybeSent) // otherwise the lease would count as maybe sent
		return deletion.Claim{}, err
	}
	return claim, nil
}

// errExpired says that an item must be removed first.
var errExpired = errors.New("ledger: the item has expired")

// begin tries to take the lease once, and also returns the item as it is now.
func (l *Ledger) begin(ctx context.Context, r *deletion.Request, duration time.Duration) (claim deletion.Claim, item map[string]types.AttributeValue, err error) {
	now := l.now()
	token := rand.Text()
	out, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(l.table),
		Key:       itemKey(r),
		UpdateExpression: aws.String("SET lease_token = :token, lease_until = :until, expires_at = :expires, " +
			"lease_after = if_not_exists(lease_token, :nobody), refused = if_not_exists(refused, :none)"),
		ConditionExpression: aws.String("attribute_not_exists(final_status) AND attribute_not_exists(refused.#request)" +
			" AND (attribute_not_exists(lease_token) OR lease_until <= :now)" +
			" AND (attribute_not_exists(expires_at) OR expires_at > :seconds)"),
		ExpressionAttributeNames: map[string]string{"#request": requestKey(r)},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":token":   text(token),
			":until":   number(now.Add(duration).UnixMilli()),
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
		return deletion.Claim{Lease: token, MaybeSent: maybeSent(out.Attributes)}, out.Attributes, nil
	}
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return deletion.Claim{}, nil, wrap(err)
	}
	item = failed.Item
	if integer(item["expires_at"]) <= now.Unix() {
		return deletion.Claim{}, nil, errExpired
	}
	if done := recordOf(item, r); done != nil {
		return deletion.Claim{Record: done}, item, nil
	}
	if stringOf(item["lease_token"]) == token { // the SDK retried after the first answer was lost
		return deletion.Claim{Lease: token, MaybeSent: maybeSent(item)}, item, nil
	}
	return deletion.Claim{BusyFor: time.UnixMilli(integer(item["lease_until"])).Sub(now)}, item, nil
}

// maybeSent reports whether an earlier holder of the lease may have sent the DELETE.
func maybeSent(item map[string]types.AttributeValue) bool {
	return item["maybe_sent"] != nil || stringOf(item["lease_after"]) != ""
}

// remove removes an item that has expired.
func (l *Ledger) remove(ctx context.Context, r *deletion.Request) error {
	_, err := l.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                 aws.String(l.table),
		Key:                       itemKey(r),
		ConditionExpression:       aws.String("expires_at <= :seconds"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":seconds": number(l.now().Unix())},
	})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return nil // another process was faster
	}
	return wrap(err)
}

// trim forgets the oldest refusals of an item if they take too many bytes. It needs the lease,
// because only its holder writes refusals.
func (l *Ledger) trim(ctx context.Context, r *deletion.Request, lease string, item map[string]types.AttributeValue) error {
	refused, _ := item["refused"].(*types.AttributeValueMemberM)
	if refused == nil {
		return nil
	}
	refusals := make([]ledger.Refusal, 0, len(refused.Value))
	for key, value := range refused.Value {
		one := ledger.Refusal{Key: key}
		if record, ok := value.(*types.AttributeValueMemberM); ok {
			one.At, one.Size = integer(record.Value["at"]), len(stringOf(record.Value["event"]))
		}
		refusals = append(refusals, one)
	}
	keys := ledger.Forgettable(refusals)
	if len(keys) == 0 {
		return nil
	}
	for _, key := range keys {
		delete(refused.Value, key)
	}
	_, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 aws.String(l.table),
		Key:                       itemKey(r),
		UpdateExpression:          aws.String("SET refused = :kept"),
		ConditionExpression:       aws.String("lease_token = :token"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":kept": refused, ":token": text(lease)},
	})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return nil // the lease expired, and Record will return that
	}
	return wrap(err)
}

// Record implements [deletion.Ledger].
func (l *Ledger) Record(ctx context.Context, lease string, maybeSent bool, records []deletion.Record) (deletion.Recorded, error) {
	first := &records[0]
	in := &dynamodb.UpdateItemInput{
		TableName: aws.String(l.table),
		Key:       itemKey(&first.Request),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":expires": number(l.now().Add(keep).Unix()),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	values := in.ExpressionAttributeValues
	sets, remove := []string{"expires_at = :expires"}, " REMOVE lease_token, lease_until, maybe_sent"
	condition := "lease_token = :token AND attribute_not_exists(final_status)"
	switch {
	case first.Final():
		sets = append(sets, "final_status = :status", "final_event = :event")
		remove += ", refused" // a final record answers every request
		values[":status"], values[":event"] = text(string(first.Status)), text(string(first.Event))
		if first.Status == deletion.Accepted { // a job id needs no lease, and only another job id prevents it
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
				"at": number(l.now().UnixMilli()),
			}}
		}
		if maybeSent {
			sets = append(sets, "maybe_sent = :yes")
			remove = " REMOVE lease_token, lease_until"
			values[":yes"] = &types.AttributeValueMemberBOOL{Value: true}
		}
	}
	if first.Status != deletion.Accepted {
		values[":token"] = text(lease)
	}
	in.UpdateExpression, in.ConditionExpression = aws.String("SET "+strings.Join(sets, ", ")+remove), aws.String(condition)
	_, err := l.client.UpdateItem(ctx, in)
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return deletion.Recorded{}, wrap(err)
	}
	if done := recordOf(failed.Item, &first.Request); done != nil && done.Final() {
		return deletion.Recorded{Earlier: done}, nil
	}
	for i := range records { // after a lost answer, the records are already there
		done := recordOf(failed.Item, &records[i].Request)
		if done == nil || !bytes.Equal(done.Event, records[i].Event) {
			return deletion.Recorded{}, deletion.ErrLeaseLost
		}
	}
	return deletion.Recorded{}, nil
}

// Release implements [deletion.Ledger].
func (l *Ledger) Release(ctx context.Context, r *deletion.Request, lease string, maybeSent bool) error {
	update := "REMOVE lease_token, lease_until, maybe_sent"
	values := map[string]types.AttributeValue{":token": text(lease)}
	if maybeSent {
		update = "SET maybe_sent = :yes REMOVE lease_token, lease_until"
		values[":yes"] = &types.AttributeValueMemberBOOL{Value: true}
	}
	_, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 aws.String(l.table),
		Key:                       itemKey(r),
		UpdateExpression:          aws.String(update),
		ConditionExpression:       aws.String("lease_token = :token"),
		ExpressionAttributeValues: values,
	})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return nil // it expired, and another holder has it
	}
	return wrap(err)
}

// recordOf returns the record in an item that answers a request: the final one, or its own refusal.
// It returns nil if there is none.
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

// requestKey returns the key of a request inside an item. It is a hash because an id may be any text.
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

// wrap redacts the error of a call to DynamoDB, because its text may contain what was sent.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ledger: %w", secret.RedactError(err))
}
