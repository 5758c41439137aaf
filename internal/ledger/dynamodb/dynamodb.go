// Package dynamodb implements [deletion.Ledger] in a table of Amazon DynamoDB, or of a service that speaks its protocol.
package dynamodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// Ledger is a ledger in a DynamoDB table that all processes share. A write is one conditional PutItem; if its
// condition fails, Amazon's answer has the item that is there, so no read is needed.
//
// The table has the string key "backup", "expires_at" as its time to live, and a global secondary index
// "due" with the partition key due_kind (S), the sort key due_at (N) and the keys only. An item has:
//
//	backup        project/backup
//	version       random, new with each write
//	lease_token   of the lease; missing if there is none
//	lease_until   its end, in milliseconds since 1970
//	maybe_sent    true if an earlier holder may have sent the DELETE; otherwise missing
//	final_status  accepted or unconfirmed, with final_event and final_at
//	refused       the answers to single requests, {status, event, at} by request
//	plan          the text of a [deletion.Plan]
//	due_kind      what is due next, with due_at in milliseconds; missing if nothing is due
//	expires_at    in seconds since 1970; missing if something is due
//
// The version before this one may use the same table at the same time, while functions are replaced or after a
// roll-back. It knows neither version, final_at, plan nor due_*, and leaves them as they are. It sets expires_at
// with every write, and lease_after: the token of the expired lease that it replaced, or an empty text.
type Ledger struct {
	client *dynamodb.Client
	table  string
	now    func() time.Time
}

// dueIndex is the name of the index.
const dueIndex = "due"

// maxItem is the largest item, in bytes, that DynamoDB stores.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const maxItem = 400 << 10

// New returns the ledger in that table. The clock now is for the expiry; nil for [time.Now].
func New(client *dynamodb.Client, table string, now func() time.Time) *Ledger {
	if now == nil {
		now = time.Now
	}
	return &Ledger{client: client, table: table, now: now}
}

// Get implements [deletion.Ledger].
func (l *Ledger) Get(ctx context.Context, key deletion.Key) (*deletion.Item, error) {
	out, err := l.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &l.table, Key: item{"backup": text(key.String())}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, redact(err)
	}
	if len(out.Item) == 0 {
		return nil, nil //nolint:nilnil // there is no item, and no error
	}
	return parse(key, out.Item)
}

// Swap implements [deletion.Ledger].
func (l *Ledger) Swap(ctx context.Context, old, next *deletion.Item) (*deletion.Item, error) {
	next.Version, next.ExpiresAt = rand.Text(), next.Expiry(l.now())
	attributes := attributesOf(next)
	if size := sizeOf(attributes); size > maxItem {
		return nil, fmt.Errorf("ledger: the item of backup %s has %d bytes; expected at most %d", next.BackupID, size, maxItem)
	}
	condition, names, values := unchanged(old)
	_, err := l.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &l.table, Item: attributes, ConditionExpression: &condition,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	switch {
	case !ok && err != nil:
		return nil, redact(err)
	case !ok, stringOf(failed.Item["version"]) == next.Version: // or the SDK wrote again after the first answer was lost
		return nil, nil //nolint:nilnil // nothing else was there, and no error
	case len(failed.Item) == 0:
		return l.found(ctx, next)
	}
	return parse(next.Key, failed.Item)
}

// found returns the item that is there instead of next, if the answer to a failed condition had none: it expired
// and was removed, or the table is not Amazon's, and does not answer with the item.
func (l *Ledger) found(ctx context.Context, next *deletion.Item) (*deletion.Item, error) {
	there, err := l.Get(ctx, next.Key)
	switch {
	case err != nil:
		return nil, err
	case there == nil:
		return &deletion.Item{Key: next.Key}, nil
	case there.Version == next.Version:
		return nil, nil //nolint:nilnil // it was written, and the first answer was lost
	}
	return there, nil
}

// unchanged returns the condition that the item old is still there. Its version does not tell everything,
// because the version before this one does not change it. What that changes with each write is compared,
// too: the lease, the answer, the warning that the DELETE may have been sent, and the expiry.
func unchanged(old *deletion.Item) (condition string, names map[string]string, values item) {
	names = map[string]string{"#backup": "backup"}
	if old == nil || old.Version == "" {
		return "attribute_not_exists(#backup)", names, nil
	}
	was := state(old)
	condition, values = "#backup = :backup", item{":backup": was["backup"]}
	for _, name := range []string{"version", "lease_token", "final_status", "maybe_sent", "expires_at"} {
		switch value := was[name]; {
		case value == nil:
			condition += " AND attribute_not_exists(#" + name + ")"
		case name == "maybe_sent": // it may come from lease_after, and to lose that it is false now does no harm
			continue
		default:
			condition += " AND #" + name + " = :" + name
			values[":"+name] = value
		}
		names["#"+name] = name
	}
	return condition, names, values
}

// Due implements [deletion.Ledger]. The index lags behind the table, mostly by less than a second.
func (l *Ledger) Due(ctx context.Context, kind deletion.Agenda, at time.Time, limit int, cursor string) (keys []deletion.Key, next string, err error) {
	in := dynamodb.QueryInput{
		TableName: &l.table, IndexName: aws.String(dueIndex), Limit: aws.Int32(int32(limit)), //nolint:gosec // callers ask for pages, not for billions
		KeyConditionExpression:    aws.String("#kind = :kind AND #at <= :at"),
		ExpressionAttributeNames:  map[string]string{"#kind": "due_kind", "#at": "due_at"},
		ExpressionAttributeValues: item{":kind": text(string(kind)), ":at": number(at.UnixMilli())},
	}
	if since, backup, ok := strings.Cut(cursor, " "); ok {
		in.ExclusiveStartKey = item{"due_kind": text(string(kind)), "due_at": &types.AttributeValueMemberN{Value: since}, "backup": text(backup)}
	}
	out, err := l.client.Query(ctx, &in)
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "ValidationException" && strings.Contains(api.ErrorMessage(), "index") {
		return nil, "", fmt.Errorf("LEDGER: the table has no index named %s, or it is still being created; expected a global secondary index "+
			"with the partition key due_kind (S), the sort key due_at (N) and the keys only: %w", dueIndex, secret.RedactError(err))
	}
	if err != nil {
		return nil, "", redact(err)
	}
	for _, found := range out.Items {
		project, backup, _ := strings.Cut(stringOf(found["backup"]), "/")
		keys = append(keys, deletion.Key{ProjectID: project, BackupID: backup})
	}
	if last := out.LastEvaluatedKey; len(last) > 0 {
		next = as[types.AttributeValueMemberN](last["due_at"]).Value + " " + stringOf(last["backup"])
	}
	return keys, next, nil
}

// unversioned stands for the version of an item that the version before this one wrote.
const unversioned = "none"

// state returns those attributes of an item that say whether it is still the same.
func state(i *deletion.Item) item {
	s := item{"backup": text(i.String())}
	if i.Version != unversioned {
		s["version"] = text(i.Version)
	}
	if i.Lease != "" {
		s["lease_token"] = text(i.Lease)
	}
	if i.MaybeSent {
		s["maybe_sent"] = &types.AttributeValueMemberBOOL{Value: true}
	}
	if i.Answer.Status != "" {
		s["final_status"] = text(string(i.Answer.Status))
	}
	if !i.ExpiresAt.IsZero() {
		s["expires_at"] = number(i.ExpiresAt.Unix())
	}
	return s
}

// attributesOf returns all attributes of an item.
func attributesOf(i *deletion.Item) item {
	all := state(i)
	if !i.LeaseUntil.IsZero() {
		all["lease_until"] = number(i.LeaseUntil.UnixMilli())
	}
	if i.Answer.Status != "" {
		all["final_event"], all["final_at"] = text(i.Answer.Event), number(i.Answer.At.UnixMilli())
	}
	refused := make(item, len(i.Answers))
	for request, a := range i.Answers {
		refused[request] = &types.AttributeValueMemberM{Value: item{
			"status": text(string(a.Status)), "event": text(a.Event), "at": number(a.At.UnixMilli()),
		}}
	}
	// It is never missing, because the version before this one, if it has the lease, adds its members only.
	all["refused"] = &types.AttributeValueMemberM{Value: refused}
	if plan := i.Plan.Text(); plan != "" {
		all["plan"] = text(plan)
	}
	if kind, at := i.Due(); !at.IsZero() {
		all["due_kind"], all["due_at"] = text(string(kind)), number(at.UnixMilli())
	}
	return all
}

// parse returns the item that has those attributes.
func parse(key deletion.Key, all item) (*deletion.Item, error) {
	plan, err := deletion.ParsePlan(stringOf(all["plan"]))
	if err != nil {
		return nil, fmt.Errorf("ledger: the item of backup %s: plan: %w", key.BackupID, secret.RedactError(err))
	}
	i := &deletion.Item{
		Key: key, Version: stringOf(all["version"]), Lease: stringOf(all["lease_token"]), LeaseUntil: milliseconds(all["lease_until"]),
		MaybeSent: all["maybe_sent"] != nil, Plan: plan,
		Answer: deletion.Answer{Status: deletion.Status(stringOf(all["final_status"])), Event: stringOf(all["final_event"]), At: milliseconds(all["final_at"])},
	}
	if i.Version == "" {
		i.Version = unversioned
	}
	if i.Lease != "" && stringOf(all["lease_after"]) != "" {
		i.MaybeSent = true // the holder of the lease before that may have sent the DELETE
	}
	if seconds := integer(all["expires_at"]); seconds != 0 {
		i.ExpiresAt = time.Unix(seconds, 0).UTC()
	}
	for request, value := range mapOf(all["refused"]) {
		if i.Answers == nil {
			i.Answers = make(map[string]deletion.Answer)
		}
		a := mapOf(value)
		i.Answers[request] = deletion.Answer{Status: deletion.Status(stringOf(a["status"])), Event: stringOf(a["event"]), At: milliseconds(a["at"])}
	}
	return i, nil
}

// milliseconds returns the zero time for a missing attribute.
func milliseconds(v types.AttributeValue) time.Time {
	ms := integer(v)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
