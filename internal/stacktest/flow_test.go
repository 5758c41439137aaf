package stacktest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"dds-backup-delete/internal/dds/ddstest"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/ledger/ledgertest"
)

const nothing = "00000000000000000000000000000000br02"

// backup returns the id of a sample backup. The ones at restoring and automatic cannot be deleted.
func backup(i int) string { return ddstest.SampleBackups()[i].ID }

const (
	restoring = 10
	automatic = 11
)

func ask(id string) string { return `{"backup_id":"` + id + `"}` }

// send sends requests to the request queue.
func (w *world) send(group string, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		in := &sqs.SendMessageInput{QueueUrl: aws.String(w.stack.Outputs["RequestQueueUrl"]), MessageBody: aws.String(ask(id))}
		if group != "" {
			in.MessageGroupId = aws.String(group)
		}
		_, err := w.sqs.SendMessage(w.t.Context(), in)
		w.must(err)
	}
}

// A request in the deployed queue becomes an event on the deployed bus.
func TestQueueToBus(t *testing.T) {
	w := newWorld(t)
	w.start("queue")
	w.send("", backup(0), backup(restoring), backup(automatic), nothing)

	// The poller hides messages for one second, so a longer time was set by the function.
	givenBack := w.poll(time.Second)
	w.want("given back", []string{ask(backup(restoring))}, givenBack)
	w.want("events", []string{"accepted " + backup(0), "not_found " + nothing, "rejected " + backup(automatic)}, w.events())
	if jobs := w.dds.Jobs(); len(jobs) != 1 {
		t.Errorf("%d jobs", len(jobs))
	}
	if !slices.Equal(w.front.hidden, []int{300}) {
		t.Errorf("hidden for %v seconds", w.front.hidden)
	}
	time.Sleep(1500 * time.Millisecond)
	if again := w.receive(w.stack.Outputs["RequestQueueUrl"], time.Second); len(again) != 0 {
		t.Errorf("%d messages came back at once", len(again))
	}

	// The ledger has an item for each backup, and one outcome is final.
	items, err := w.table.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(w.stack.Outputs["LedgerTable"])})
	w.must(err)
	var final int
	for _, item := range items.Items {
		if item["final_status"] != nil {
			final++
		}
	}
	if len(items.Items) != 4 || final != 1 {
		t.Errorf("%d items in the ledger, %d of them final", len(items.Items), final)
	}

	// A repeat gets the same event again, and no deletion is asked for. It is a new message, so its backup is looked up first.
	calls := len(w.dds.Calls())
	w.send("", backup(0))
	w.want("given back", nil, w.poll(time.Minute))
	w.want("events", []string{"accepted " + backup(0)}, w.events())
	for _, call := range w.dds.Calls()[calls:] {
		if call.Method != http.MethodGet {
			t.Errorf("a call of DDS for a repeat: %s %s", call.Method, call.Path)
		}
	}

	// An expired item is removed.
	_, err = w.table.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String(w.stack.Outputs["LedgerTable"]),
		Item: map[string]types.AttributeValue{
			"backup": &types.AttributeValueMemberS{Value: ddstest.ProjectID + "/" + backup(8)}, "expires_at": &types.AttributeValueMemberN{Value: "1"},
		},
	})
	w.must(err)
	w.send("", backup(8))
	w.want("given back", nil, w.poll(time.Minute))
	w.want("events", []string{"accepted " + backup(8)}, w.events())

	// A tick asks the index what is due, and looks at the deletions that began more than a minute ago.
	ledgertest.Pass(t, ddbledger.New(w.table, w.stack.Outputs["LedgerTable"], nil), 2*time.Minute)
	looked := len(w.dds.Calls())
	w.invoke([]byte(w.stack.Rules["TickSchedule"].Targets[0].Input))
	if len(w.dds.Calls()) == looked {
		t.Error("the tick did not look at the deletions")
	}

	// Every permission of the role is used, by the function or by Lambda on its behalf.
	lambdas := []string{
		"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage",
		"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords",
	}
	for _, s := range w.stack.Role {
		for _, action := range s.Action {
			if !w.front.used[action] && !slices.Contains(lambdas, action) {
				t.Errorf("%s: %s is never used", s.Sid, action)
			}
		}
	}
	w.checkMetrics()
}

// Topic and bus reach the function through the request queue.
func TestTopicAndBusToQueue(t *testing.T) {
	w := newWorld(t)
	topic, err := w.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("requests")})
	w.must(err)
	_, err = w.bus.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("requests")})
	w.must(err)
	w.start("sources", "RequestTopicArn="+*topic.TopicArn, `RequestTopicFilterPolicy={"purpose":["delete-backup"]}`,
		"RequestBusName=requests", "RequestBusSource=cleanup", "RequireManual=false", "Follow=false")

	for purpose, id := range map[string]string{"delete-backup": backup(1), "report": backup(13)} {
		_, err = w.sns.Publish(t.Context(), &sns.PublishInput{
			TopicArn: topic.TopicArn, Message: aws.String(ask(id)),
			MessageAttributes: map[string]snstypes.MessageAttributeValue{"purpose": {DataType: aws.String("String"), StringValue: aws.String(purpose)}},
		})
		w.must(err)
	}
	put := func(source, detailType, id string) {
		out, err := w.bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{{
			EventBusName: aws.String("requests"), Source: aws.String(source), DetailType: aws.String(detailType), Detail: aws.String(ask(id)),
		}}})
		w.must(err)
		if out.FailedEntryCount != 0 {
			t.Fatalf("PutEvents: %v", out.Entries)
		}
	}
	put("cleanup", "dds.backup.deletion.requested.v1", backup(2))
	put("cleanup", "Backup Created", backup(3))
	put("another", "dds.backup.deletion.requested.v1", backup(14))

	w.want("given back", nil, w.poll(time.Minute))
	w.want("events", []string{"accepted " + backup(1), "accepted " + backup(2)}, w.events())
	if left := w.receive(w.stack.Outputs["RequestQueueUrl"], time.Second); len(left) != 0 {
		t.Errorf("the rule lets through an event that is not a request: %s", *left[0].Body)
	}
	pattern, _ := json.Marshal(w.stack.Template.Resources["RequestRule"].Properties["EventPattern"])
	if !strings.Contains(string(pattern), `"account":[{"Ref":"AWS::AccountId"}]`) {
		t.Errorf("the rule takes events of other accounts: %s", pattern)
	}

	rule := "arn:aws:events:" + region + ":" + account + ":rule/requests/" + w.stack.Resources["RequestRule"]
	sources := strings.Split(w.stack.Function.Environment.Variables["REQUEST_SOURCES"], ",")
	w.want("REQUEST_SOURCES", []string{
		"arn:aws:events:eu-central-1:123456789012:event-bus/requests", *topic.TopicArn, "arn:aws:sqs:eu-central-1:123456789012:sources-requests",
	}, slices.Sorted(slices.Values(sources)))
	for _, queue := range []string{"RequestQueue", "UndeliveredQueue"} {
		w.policyOf(queue, "sns.amazonaws.com", *topic.TopicArn, true)
		w.policyOf(queue, "sns.amazonaws.com", *topic.TopicArn+"2", false)
		w.policyOf(queue, "events.amazonaws.com", rule, true)
		w.policyOf(queue, "events.amazonaws.com", rule+"2", false)
	}
	w.policyOf("DeadLetterQueue", "sns.amazonaws.com", *topic.TopicArn, false)
}

// policyOf checks whether the policy of a queue lets a service send, and that it never allows plain HTTP.
func (w *world) policyOf(queue, service, source string, want bool) {
	w.t.Helper()
	attributes := w.stack.Queues[queue]
	var policy struct{ Statement []statement }
	w.must(json.Unmarshal([]byte(attributes["Policy"]), &policy))
	for secure, want := range map[string]bool{"true": want, "false": false} {
		allowed, err := allows(policy.Statement, call{
			Service: service, Action: "sqs:SendMessage", Resource: attributes["QueueArn"],
			Keys: map[string][]string{"aws:SourceArn": {source}, "aws:SecureTransport": {secure}},
		})
		w.must(err)
		if allowed != want {
			w.t.Errorf("%s, %s for %s, TLS %s: allowed %v, want %v", queue, service, source, secure, allowed, want)
		}
	}
}

// A FIFO queue keeps the order of a group and accepts events from a bus.
func TestFIFO(t *testing.T) {
	w := newWorld(t)
	_, err := w.bus.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("fifo-requests")})
	w.must(err)
	w.start("fifo", "QueueType=fifo", "RequestBusName=fifo-requests", "RequestBusSource=cleanup")
	w.send("one", backup(restoring), backup(4))
	w.send("two", backup(5))
	_, err = w.bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{{
		EventBusName: aws.String("fifo-requests"), Source: aws.String("cleanup"), DetailType: aws.String("dds.backup.deletion.requested.v1"), Detail: aws.String(ask(backup(6))),
	}}})
	w.must(err)
	w.want("given back", []string{ask(backup(restoring)), ask(backup(4))}, slices.Sorted(slices.Values(w.poll(time.Minute))))
	w.want("events", []string{"accepted " + backup(5), "accepted " + backup(6)}, w.events())
	if arn := w.stack.Queues["DeadLetterQueue"]["QueueArn"]; !strings.HasSuffix(arn, ".fifo") {
		t.Errorf("the dead-letter queue is %s", arn)
	}
}

// The function knows every route of the API, and no route is open to everyone.
func TestRoutes(t *testing.T) {
	w := newWorld(t)
	w.start("routes")
	if len(w.stack.Routes) == 0 {
		t.Error("no routes")
	}
	for i, route := range w.stack.Routes {
		if route.Auth != "AWS_IAM" || route.Function != w.stack.Function.FunctionArn {
			t.Errorf("route %+v", route)
		}
		id := backup(20 + i)
		method, path, _ := strings.Cut(route.Key, " ")
		want := http.StatusAccepted
		if method == http.MethodGet { // nobody has asked for this backup to be deleted
			want = http.StatusNotFound
		}
		path = strings.NewReplacer("{backup_id}", id, "{project_id}", ddstest.ProjectID).Replace(path)
		request := map[string]any{
			"version": "2.0", "routeKey": route.Key, "rawPath": path, "headers": map[string]string{"content-type": "application/json"},
			"requestContext": map[string]any{"stage": "$default", "requestId": id, "http": map[string]string{"method": method, "path": path}},
		}
		switch route.Key {
		case "POST /deletions":
			request["body"] = ask(id)
		case "POST /":
			request["headers"] = map[string]string{"content-type": "application/cloudevents+json"}
			request["body"] = fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"cleanup","type":"dds.backup.deletion.requested.v1","data":%s}`, ask(id))
		}
		payload, err := json.Marshal(request)
		w.must(err)
		var reply struct{ StatusCode int }
		w.must(json.Unmarshal(w.invoke(payload), &reply))
		if reply.StatusCode != want {
			t.Errorf("%s: %d, want %d", route.Key, reply.StatusCode, want)
		}
	}
}

func TestRoutesWithJWT(t *testing.T) {
	s, err := deploy(t, "jwt", "HttpApi=jwt", "JwtIssuer=https://issuer.example.com", "JwtAudience=backups", "JwtScope=backups/delete", "FunctionUrl=true")
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range s.Routes {
		if route.Auth != "JWT" || !slices.Equal(route.Scopes, []string{"backups/delete"}) {
			t.Errorf("route %+v", route)
		}
	}
	if len(s.Routes) == 0 || !strings.HasPrefix(s.Outputs["FunctionUrl"], "https://") {
		t.Errorf("routes %v, outputs %v", s.Routes, s.Outputs)
	}
}

// Each optional part can be left out, and then none of its resources exist.
func TestLeast(t *testing.T) {
	w := newWorld(t)
	w.start("least", "HttpApi=none", "Monitoring=false", "Tracing=false", "OutcomeArchiveDays=0")
	w.want("resources", []string{
		"DeadLetterQueue", "DeadLetterQueuePolicy", "Function", "FunctionEventInvokeConfig", "FunctionLog", "FunctionRequests", "FunctionRole",
		"Ledger", "NextTickPermission", "NextTickRule", "OutcomeBus", "RequestQueue", "RequestQueuePolicy", "TickSchedule", "TickSchedulePermission",
		"UndeliveredQueue", "UndeliveredQueuePolicy",
	}, slices.Sorted(func(yield func(string) bool) {
		for name := range w.stack.Resources {
			if !yield(name) {
				return
			}
		}
	}))
	w.send("", backup(7))
	w.want("given back", nil, w.poll(time.Minute))
	w.want("events", []string{"accepted " + backup(7)}, w.events())
}

// A JWT without a scope is accepted only if the operator chose that.
func TestRoutesWithJWTWithoutScope(t *testing.T) {
	s, err := deploy(t, "jwt-none", "HttpApi=jwt", "JwtIssuer=https://issuer.example.com", "JwtAudience=backups", "JwtScope=none")
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range s.Routes {
		if route.Auth != "JWT" || len(route.Scopes) > 0 {
			t.Errorf("route %+v", route)
		}
	}
}

// CloudFormation would refuse these parameters before it creates anything.
func TestRefusedParameters(t *testing.T) {
	for _, test := range []struct {
		parameters []string
		want       string
	}{
		{[]string{"HuaweiCloudSecretArn="}, "not of the form"},
		{[]string{"HttpApi=jwt", "JwtIssuer=https://issuer.example.com", "JwtScope=none"}, "needs JwtIssuer, JwtAudience and JwtScope"},
		{[]string{"HttpApi=jwt", "JwtIssuer=https://issuer.example.com", "JwtAudience=backups"}, "needs JwtIssuer, JwtAudience and JwtScope"},
		{[]string{"RequestBusName=requests"}, "needs RequestBusSource"},
		{[]string{"RequireManual=false"}, "Follow needs RequireManual"},
		{[]string{"MaxRequestAge=36"}, "not of the form"},
		{[]string{"FollowAlarmAfter=2 hours"}, "not of the form"},
		{[]string{"DirectCalls=Event"}, "want one of"},
		{[]string{"RequestTopicFilterPolicy=purpose"}, "not of the form"},
		{[]string{"RequestsEnabled=true"}, "no such parameter"},
		{[]string{"HuaweiCloudAccessKey=key"}, "no such parameter"},
		{[]string{"QueueType=fifo", "RequestTopicArn=arn:aws:sns:eu-central-1:123456789012:requests"}, "cannot deliver to a FIFO queue"},
		{[]string{"LogLevel=WARN"}, "want one of"},
		{[]string{"MaximumConcurrency=1"}, "out of bounds"},
		{[]string{"MemorySize=64"}, "out of bounds"},
		{[]string{"DdsConcurrency=0"}, "out of bounds"},
		{[]string{"OutcomeSink=http://broker.example.com"}, "not of the form"},
		{[]string{"OutcomeSink=https://user:password@broker.example.com"}, "not of the form"},
		{[]string{"OutcomeSink=arn:aws:lambda:eu-central-1:123456789012:function:other"}, "not of the form"},
		{[]string{"OutcomeHttpAuth=token"}, "needs an https:// address"},
		{[]string{"OutcomeSinkKmsKeyArn=arn:aws:kms:eu-central-1:123456789012:key/1"}, "needs a topic or queue in OutcomeSink"},
		{[]string{"OutcomeSink=arn:aws:sns:eu-central-1:123456789012:t", "RequestTopicArn=arn:aws:sns:eu-central-1:123456789012:t"}, "are the same topic"},
		{[]string{"PermissionsBoundaryArn=boundary"}, "not of the form"},
		{[]string{"HuaweiCloudSecretArn=arn:aws:secretsmanager:eu-central-1:123456789012:secret:key"}, "not of the form"},
	} {
		if _, err := deploy(t, "refused", test.parameters...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.parameters, err, test.want)
		}
	}
}
