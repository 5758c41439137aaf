package dynamodb

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
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

const removeLease = " REMOVE lease_token, lease_until"

var yes = &types.AttributeValueMemberBOOL{Value: true}

// New returns the ledger in that table. The clock now is for leases; nil for [time.Now].
func New(client *dynamodb.Client, table string, now func() time.Time) *Ledger {
	if now == nil {
		now = time.Now
	}
	return &Ledger{client: client, table: table, now: now}
}

// Begin implements [deletion.Ledger].
func (l *Ledger) Begin(ctx context.Context, r *deletion.Request, duration time.Duration) (deletion.Claim, error) {
	claim, current, err := l.begin(ctx, r, duration)
	if errors.Is(err, errExpired) {
		if err := l.remove(ctx, r); err != nil {
			return deletion.Claim{}, err
		}
		claim, current, err = l.begin(ctx, r, duration)
	}
	if err != nil || claim.Lease == "" {
		return claim, err
	}
	if err := l.trim(ctx, r, claim.Lease, current); err != nil {
		_ = l.Release(ctx, r, claim.Lease, claim.MaybeSent) // otherwise the lease would count as maybe sent
		return deletion.Claim{}, err
	}
	return claim, nil
}

// errExpired says that an item must be removed first.
var errExpired = errors.New("ledger: the item has expired")

// begin tries to take the lease once, and also returns the item as it is now.
func (l *Ledger) begin(ctx context.Context, r *deletion.Request, duration time.Duration) (deletion.Claim, item, error) {
	now := l.now()
	token := rand.Text()
	current, ok, err := l.update(ctx, r, dynamodb.UpdateItemInput{
		UpdateExpression: aws.String("SET lease_token = :token, lease_until = :until, expires_at = :expires, " +
			"lease_after = if_not_exists(lease_token, :empty), refused = if_not_exists(refused, :none)"),
		ConditionExpression: aws.String("attribute_not_exists(final_status) AND attribute_not_exists(refused.#request)" +
			" AND (attribute_not_exists(lease_token) OR lease_until <= :now)" +
			" AND (attribute_not_exists(expires_at) OR expires_at > :seconds)"),
		ExpressionAttributeNames: map[string]string{"#request": requestKey(r)},
		ExpressionAttributeValues: item{
			":token":   text(token),
			":until":   number(now.Add(duration).UnixMilli()),
			":expires": number(now.Add(keep).Unix()),
			":empty":   text(""),
			":none":    &types.AttributeValueMemberM{},
			":now":     number(now.UnixMilli()),
			":seconds": number(now.Unix()),
		},
		ReturnValues: types.ReturnValueAllNew,
	})
	maybeSent := current["maybe_sent"] != nil || stringOf(current["lease_after"]) != ""
	record := recordOf(current, r)
	switch {
	case err != nil:
		return deletion.Claim{}, nil, err
	case !ok && integer(current["expires_at"]) <= now.Unix():
		return deletion.Claim{}, nil, errExpired
	case record != nil:
		return deletion.Claim{Record: record}, current, nil
	case ok, stringOf(current["lease_token"]) == token: // or the SDK retried after the first answer was lost
		return deletion.Claim{Lease: token, MaybeSent: maybeSent}, current, nil
	}
	return deletion.Claim{BusyFor: time.UnixMilli(integer(current["lease_until"])).Sub(now)}, current, nil
}

// remove removes an item that has expired, unless another process was faster.
func (l *Ledger) remove(ctx context.Context, r *deletion.Request) error {
	_, err := l.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                 aws.String(l.table),
		Key:                       keyOf(r),
		ConditionExpression:       aws.String("expires_at <= :seconds"),
		ExpressionAttributeValues: item{":seconds": number(l.now().Unix())},
	})
	if _, kept := errors.AsType[*types.ConditionalCheckFailedException](err); err == nil || kept {
		return nil
	}
	return redact(err)
}

// trim forgets the oldest refusals of an item if they take too many bytes. It needs the lease,
// because only its holder writes refusals. If the lease has expired, [Ledger.Record] reports that.
func (l *Ledger) trim(ctx context.Context, r *deletion.Request, token string, current item) error {
	refused := mapOf(current["refused"])
	refusals := make([]ledger.Refusal, 0, len(refused))
	for key, value := range refused {
		record := mapOf(value)
		refusals = append(refusals, ledger.Refusal{Key: key, At: integer(record["at"]), Size: len(stringOf(record["event"]))})
	}
	keys := ledger.Forgettable(refusals)
	if len(keys) == 0 {
		return nil
	}
	for _, key := range keys {
		delete(refused, key)
	}
	return l.updateWithLease(ctx, r, token, "SET refused = :kept", item{":kept": &types.AttributeValueMemberM{Value: refused}})
}

// Record implements [deletion.Ledger].
func (l *Ledger) Record(ctx context.Context, token string, maybeSent bool, records []deletion.Record) (deletion.Recorded, error) {
	first := &records[0]
	values := item{":expires": number(l.now().Add(keep).Unix())}
	var names map[string]string
	sets, remove := []string{"expires_at = :expires"}, removeLease+", maybe_sent"
	condition := "lease_token = :token AND attribute_not_exists(final_status)"
	if first.Final() {
		sets = append(sets, "final_status = :status", "final_event = :event")
		remove += ", refused" // a final record answers every request
		values[":status"], values[":event"] = text(string(first.Status)), text(string(first.Event))
	} else {
		names = make(map[string]string, len(records))
		for i := range records {
			n := strconv.Itoa(i)
			sets = append(sets, "refused.#r"+n+" = :r"+n)
			names["#r"+n] = requestKey(&records[i].Request)
			values[":r"+n] = &types.AttributeValueMemberM{Value: item{
				"status": text(string(records[i].Status)), "event": text(string(records[i].Event)),
				"at": number(l.now().UnixMilli()),
			}}
		}
		if maybeSent {
			sets = append(sets, "maybe_sent = :yes")
			remove = removeLease
			values[":yes"] = yes
		}
	}
	if first.Status == deletion.Accepted { // a job id needs no lease, and only another job id prevents it
		condition = "attribute_not_exists(final_status) OR final_status = :unconfirmed"
		values[":unconfirmed"] = text(string(deletion.Unconfirmed))
	} else {
		values[":token"] = text(token)
	}
	current, ok, err := l.update(ctx, &first.Request, dynamodb.UpdateItemInput{
		UpdateExpression:          aws.String("SET " + strings.Join(sets, ", ") + remove),
		ConditionExpression:       aws.String(condition),
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: values,
	})
	if ok || err != nil {
		return deletion.Recorded{}, err
	}
	earlier := recordOf(current, &first.Request)
	if earlier != nil && earlier.Final() {
		return deletion.Recorded{Earlier: earlier}, nil
	}
	for i := range records { // after a lost answer, the records are already there
		earlier = recordOf(current, &records[i].Request)
		if earlier == nil || !bytes.Equal(earlier.Event, records[i].Event) {
			return deletion.Recorded{}, deletion.ErrLeaseLost
		}
	}
	return deletion.Recorded{}, nil
}

// Release implements [deletion.Ledger]. A lease that has expired may have another holder, who keeps it.
func (l *Ledger) Release(ctx context.Context, r *deletion.Request, token string, maybeSent bool) error {
	if maybeSent {
		return l.updateWithLease(ctx, r, token, "SET maybe_sent = :yes"+removeLease, item{":yes": yes})
	}
	return l.updateWithLease(ctx, r, token, removeLease+", maybe_sent", item{})
}

// updateWithLease updates the item of a backup if the lease with that token still holds.
func (l *Ledger) updateWithLease(ctx context.Context, r *deletion.Request, token, update string, values item) error {
	values[":token"] = text(token)
	_, _, err := l.update(ctx, r, dynamodb.UpdateItemInput{
		UpdateExpression: &update, ConditionExpression: aws.String("lease_token = :token"), ExpressionAttributeValues: values,
	})
	return err
}

// update updates the item of a backup and returns what in asks for. If its condition does not hold,
// update returns the item as it is, and false.
func (l *Ledger) update(ctx context.Context, r *deletion.Request, in dynamodb.UpdateItemInput) (current item, ok bool, err error) {
	in.TableName, in.Key = &l.table, keyOf(r)
	in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	out, err := l.client.UpdateItem(ctx, &in)
	if err == nil {
		return out.Attributes, true, nil
	}
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return failed.Item, false, nil
	}
	return nil, false, redact(err)
}

// recordOf returns the record in an item that answers a request: the final one, or its own refusal.
// It returns nil if there is none.
func recordOf(current item, r *deletion.Request) *deletion.Record {
	status, event := stringOf(current["final_status"]), stringOf(current["final_event"])
	if status == "" {
		own := mapOf(mapOf(current["refused"])[requestKey(r)])
		status, event = stringOf(own["status"]), stringOf(own["event"])
	}
	if status == "" {
		return nil
	}
	return &deletion.Record{Request: *r, Status: deletion.Status(status), Event: []byte(event)}
}

// requestKey returns the key of a request inside an item. It is a hash because an id may be any text.
func requestKey(r *deletion.Request) string {
	digest := sha256.Sum256([]byte(r.Identity()))
	return hex.EncodeToString(digest[:16])
}

func keyOf(r *deletion.Request) item { return item{"backup": text(ledger.Key(r))} }
