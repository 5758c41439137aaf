package dynamodb_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"dds-backup-delete/internal/clocktest"
	"dds-backup-delete/internal/deletion"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/ledger/ledgertest"
)

// before writes to the table as the version before this one did: with its expressions, word for word. Both
// versions use a table at the same time while functions are replaced, and one after the other after a roll-back.
type before struct {
	*testing.T
	client *dynamodb.Client
	table  string
	now    func() time.Time
}

const leaseTime = time.Minute

type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// begin asks for the lease on a backup for a request. It returns the token, or the status that answers the
// request; neither if another holder has the lease.
func (b *before) begin(request string) (token, status string) {
	b.Helper()
	token = rand.Text()
	now := b.now()
	current, ok := b.update(attributes{
		":token": text(token), ":until": number(now.Add(leaseTime).UnixMilli()), ":expires": number(b.expires()),
		":empty": text(""), ":none": &types.AttributeValueMemberM{}, ":now": number(now.UnixMilli()), ":seconds": number(now.Unix()),
	}, map[string]string{"#request": keyOfRequest(request)},
		"SET lease_token = :token, lease_until = :until, expires_at = :expires, "+
			"lease_after = if_not_exists(lease_token, :empty), refused = if_not_exists(refused, :none)",
		"attribute_not_exists(final_status) AND attribute_not_exists(refused.#request)"+
			" AND (attribute_not_exists(lease_token) OR lease_until <= :now)"+
			" AND (attribute_not_exists(expires_at) OR expires_at > :seconds)")
	if ok {
		return token, ""
	}
	if final, ok := current["final_status"].(*types.AttributeValueMemberS); ok {
		return "", final.Value
	}
	if refused, ok := current["refused"].(*types.AttributeValueMemberM); ok {
		if own, ok := refused.Value[keyOfRequest(request)].(*types.AttributeValueMemberM); ok {
			refusal, _ := own.Value["status"].(*types.AttributeValueMemberS)
			return "", refusal.Value
		}
	}
	return "", ""
}

// lease calls begin and expects the lease.
func (b *before) lease(request string) string {
	b.Helper()
	token, status := b.begin(request)
	if token == "" {
		b.Fatalf("no lease; status %q", status)
	}
	return token
}

// accept records that a deletion was accepted, for which no lease is needed.
func (b *before) accept() bool {
	b.Helper()
	_, ok := b.update(attributes{
		":expires": number(b.expires()), ":status": text("accepted"), ":event": text("accepted event"), ":unconfirmed": text("unconfirmed"),
	}, nil,
		"SET expires_at = :expires, final_status = :status, final_event = :event REMOVE lease_token, lease_until, maybe_sent, refused",
		"attribute_not_exists(final_status) OR final_status = :unconfirmed")
	return ok
}

// refuse records that a request was refused.
func (b *before) refuse(token, request string) bool {
	b.Helper()
	_, ok := b.update(attributes{
		":expires": number(b.expires()), ":token": text(token), ":r0": &types.AttributeValueMemberM{Value: attributes{
			"status": text("not_found"), "event": text("refused event"), "at": number(b.now().UnixMilli()),
		}},
	}, map[string]string{"#r0": keyOfRequest(request)},
		"SET expires_at = :expires, refused.#r0 = :r0 REMOVE lease_token, lease_until, maybe_sent",
		"lease_token = :token AND attribute_not_exists(final_status)")
	return ok
}

// release gives the lease back.
func (b *before) release(token string, maybeSent bool) bool {
	b.Helper()
	values := attributes{":token": text(token)}
	update := " REMOVE lease_token, lease_until, maybe_sent"
	if maybeSent {
		values[":yes"] = &types.AttributeValueMemberBOOL{Value: true}
		update = "SET maybe_sent = :yes REMOVE lease_token, lease_until"
	}
	_, ok := b.update(values, nil, update, "lease_token = :token")
	return ok
}

func (b *before) expires() int64 { return b.now().Add(35 * 24 * time.Hour).Unix() }

func (b *before) update(values attributes, names map[string]string, update, condition string) (current attributes, ok bool) {
	b.Helper()
	_, err := b.client.UpdateItem(b.Context(), &dynamodb.UpdateItemInput{
		TableName: &b.table, Key: attributes{"backup": text(key.String())}, UpdateExpression: &update, ConditionExpression: &condition,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	failed, refused := errors.AsType[*types.ConditionalCheckFailedException](err)
	switch {
	case err == nil:
		return nil, true
	case refused:
		return failed.Item, false
	}
	b.Fatal(err)
	return nil, false
}

func keyOfRequest(request string) string {
	return (&deletion.Request{ID: request, Source: "sqs", ProjectID: key.ProjectID, BackupID: key.BackupID}).Key()
}

// beside returns both versions on a table of their own.
func beside(t *testing.T) (*before, deletion.Ledger, *clocktest.Clock) {
	t.Helper()
	c := ledgertest.NewClock()
	endpoint, table := newDynamoDBTable(t)
	client := newClient(endpoint)
	return &before{t, client, table, c.Now}, ddbledger.New(client, table, c.Now), c
}

// The hash is the name of a member that the version before wrote.
func TestTheKeyOfARequestIsAsBefore(t *testing.T) {
	if got, want := keyOfRequest("r1"), "5910b91b3f1d76b6d022b132e3bc2488"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestReadsWhatTheVersionBeforeWrote(t *testing.T) {
	for name, test := range map[string]struct {
		write func(b *before, c *clocktest.Clock, want *deletion.Item)
	}{
		"lease": {func(b *before, c *clocktest.Clock, want *deletion.Item) {
			want.Lease, want.LeaseUntil = b.lease("r1"), c.Now().Add(leaseTime)
		}},
		"lease after an expired one": {func(b *before, c *clocktest.Clock, want *deletion.Item) {
			b.lease("r1")
			c.Pass(2 * leaseTime)
			want.Lease, want.LeaseUntil, want.MaybeSent = b.lease("r2"), c.Now().Add(leaseTime), true
		}},
		"released": {func(b *before, _ *clocktest.Clock, _ *deletion.Item) { b.release(b.lease("r1"), false) }},
		"released after an expired one": {func(b *before, c *clocktest.Clock, _ *deletion.Item) {
			b.lease("r1")
			c.Pass(2 * leaseTime)
			b.release(b.lease("r2"), false)
		}},
		"maybe sent": {func(b *before, _ *clocktest.Clock, want *deletion.Item) {
			b.release(b.lease("r1"), true)
			want.MaybeSent = true
		}},
		"refused": {func(b *before, c *clocktest.Clock, want *deletion.Item) {
			b.refuse(b.lease("r1"), "r1")
			want.Answers = map[string]deletion.Answer{keyOfRequest("r1"): {Status: deletion.NotFound, Event: "refused event", At: c.Now()}}
		}},
		"accepted": {func(b *before, _ *clocktest.Clock, want *deletion.Item) {
			b.lease("r1")
			b.accept()
			want.Answer = deletion.Answer{Status: deletion.Accepted, Event: "accepted event"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b, l, c := beside(t)
			want := &deletion.Item{Key: key}
			test.write(b, c, want)
			want.ExpiresAt = time.Unix(b.expires(), 0)
			got := ledgertest.Get(t, l, key)
			if got == nil || got.Version == "" {
				t.Fatalf("there is %+v", got)
			}
			want.Version = got.Version // any
			ledgertest.Same(t, got, want)
			next := ledgertest.FullItem(key.BackupID)
			ledgertest.Same(t, ledgertest.Conflict(t, l, nil, next), want)
			ledgertest.Swap(t, l, got, next)
			ledgertest.Same(t, ledgertest.Get(t, l, key), next)
			ledgertest.Same(t, ledgertest.Conflict(t, l, got, ledgertest.FullItem(key.BackupID)), next)
		})
	}
}

// After a roll-back, the version before deletes nothing again that this one has an answer for.
func TestTheVersionBeforeReadsWhatIsWritten(t *testing.T) {
	for name, test := range map[string]struct {
		change func(i *deletion.Item)
		status string // of the answer
		lease  bool   // it gets the lease
	}{
		"accepted":                 {func(i *deletion.Item) { i.Answer.Status = deletion.Accepted }, "accepted", false},
		"unconfirmed":              {func(i *deletion.Item) { i.Answer.Status = deletion.Unconfirmed }, "unconfirmed", false},
		"refused":                  {func(i *deletion.Item) { i.Answer = deletion.Answer{} }, "not_found", false},
		"leased":                   {func(i *deletion.Item) { i.Answer, i.Answers = deletion.Answer{}, nil }, "", false},
		"released":                 {func(i *deletion.Item) { i.Answer, i.Answers, i.Lease = deletion.Answer{}, nil, "" }, "", true},
		"released and nothing due": {func(i *deletion.Item) { *i = deletion.Item{Key: key} }, "", true},
		"another request's refusal": {func(i *deletion.Item) {
			*i = deletion.Item{Key: key, Answers: map[string]deletion.Answer{"r2": i.Answer}}
		}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			b, l, c := beside(t)
			i := ledgertest.FullItem(key.BackupID)
			i.LeaseUntil = c.Now().Add(time.Minute)
			i.Answers = map[string]deletion.Answer{keyOfRequest("r1"): {Status: deletion.NotFound, Event: "refused event", At: c.Now()}}
			test.change(i)
			ledgertest.Swap(t, l, nil, i)
			token, status := b.begin("r1")
			if status != test.status || (token != "") != test.lease {
				t.Fatalf("status %q, lease %q", status, token)
			}
			if token != "" && !b.refuse(token, "r1") {
				t.Error("it cannot record under its lease")
			}
		})
	}
}

// The version before keeps its lease if this version writes meanwhile, and records under it.
func TestTheVersionBeforeRecordsAfterAWrite(t *testing.T) {
	b, l, _ := beside(t)
	token := b.lease("r1")
	read := ledgertest.Get(t, l, key)
	next := read.Clone()
	next.Plan.Attempt = 1
	ledgertest.Swap(t, l, read, next)
	if !b.refuse(token, "r1") {
		t.Error("the lease is lost")
	}
	if got := ledgertest.Get(t, l, key); got.Plan.Attempt != 1 || got.Lease != "" || got.Answers[keyOfRequest("r1")].Event != "refused event" {
		t.Errorf("plan %+v, lease %q, answers %v", got.Plan, got.Lease, got.Answers)
	}
}

// The version before does not change the version of an item. What it writes is not lost for all that.
func TestWhatTheVersionBeforeChangesIsNotLost(t *testing.T) {
	nothing := func(*deletion.Item) {}
	leased := func(i *deletion.Item) { i.Lease = "token" }
	for name, test := range map[string]struct {
		start  func(i *deletion.Item)
		change func(b *before, c *clocktest.Clock)
	}{
		"a lease": {nothing, func(b *before, _ *clocktest.Clock) { b.lease("r1") }},
		"a lease after an expired one": {leased, func(b *before, c *clocktest.Clock) {
			c.Pass(2 * leaseTime)
			b.lease("r1")
		}},
		"a release":             {leased, func(b *before, _ *clocktest.Clock) { b.release("token", false) }},
		"a lease and a warning": {nothing, func(b *before, _ *clocktest.Clock) { b.release(b.lease("r1"), true) }},
		"a lease and a refusal": {nothing, func(b *before, c *clocktest.Clock) {
			c.Pass(time.Second)
			b.refuse(b.lease("r1"), "r1")
		}},
		"an answer without a lease": {nothing, func(b *before, _ *clocktest.Clock) { b.accept() }},
		"a better answer":           {func(i *deletion.Item) { i.Answer.Status = deletion.Unconfirmed }, func(b *before, _ *clocktest.Clock) { b.accept() }},
	} {
		for _, due := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, due %v", name, due), func(t *testing.T) {
				b, l, c := beside(t)
				old := &deletion.Item{Key: key, LeaseUntil: c.Now().Add(leaseTime)}
				if due {
					old.Plan.Check = &deletion.Check{Next: c.Now()}
				}
				test.start(old)
				ledgertest.Swap(t, l, nil, old)
				test.change(b, c)
				current := ledgertest.Conflict(t, l, old, &deletion.Item{Key: key})
				ledgertest.Same(t, ledgertest.Get(t, l, key), current)
				if due && current.Plan.Check == nil {
					t.Error("what is due is lost")
				}
				ledgertest.Swap(t, l, current, &deletion.Item{Key: key})
			})
		}
	}
}

// A warning is not lost, even if all of it happens within a second of the version before's last write.
func TestAWarningOfTheVersionBeforeIsNotLost(t *testing.T) {
	b, l, _ := beside(t)
	ledgertest.Swap(t, l, nil, &deletion.Item{Key: key})
	b.release(b.lease("r1"), false)
	read := ledgertest.Get(t, l, key)
	b.release(b.lease("r2"), true)
	if current := ledgertest.Conflict(t, l, read, &deletion.Item{Key: key}); !current.MaybeSent {
		t.Error("the warning is lost")
	}
}
