// Package stacktest proves that template.yaml describes a working system. It expands the template,
// deploys it to moto through CloudFormation, and runs the real binary against the deployed resources
// with the environment of the deployed function. `make test-stack` runs it.
package stacktest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"dds-backup-delete/internal/contracttest"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/lambdatest"
)

const (
	region  = "eu-central-1"
	account = "123456789012"
)

// binary is the path of the handler, built as for deployment but for this machine. endpoint is the URL of moto.
var binary, endpoint string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if endpoint = os.Getenv("MOTO_ENDPOINT"); endpoint == "" {
		fmt.Println("MOTO_ENDPOINT is not set; make test-stack starts one")
		return 0
	}
	dir, err := os.MkdirTemp("", "stack")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "bootstrap")
	if err := lambdatest.Build(context.Background(), "../../cmd/handler", ".", binary); err != nil {
		panic(err)
	}
	return m.Run()
}

// stack is a deployed template, as tools/stack/deploy.py describes it.
type stack struct {
	Stack     string
	Outputs   map[string]string
	Resources map[string]string // physical ids
	Template  struct {          // expanded
		Resources map[string]struct{ Properties map[string]any }
	}
	Function struct {
		FunctionName, FunctionArn string
		Timeout, MemorySize       int
		Environment               struct{ Variables map[string]string }
	}
	Concurrency *int // reserved for the function
	Mappings    []struct {
		UUID, State, EventSourceArn string
		BatchSize                   int
		FunctionResponseTypes       []string
		ScalingConfig               struct{ MaximumConcurrency int }
	}
	Boundary string // of the role; empty for none

	Role   []statement
	Trust  []statement
	Policy []statement // of the function: who may invoke it
	Table  struct {
		TableArn               string
		GlobalSecondaryIndexes []struct {
			IndexName  string
			KeySchema  []struct{ AttributeName, KeyType string }
			Projection struct{ ProjectionType string }
		}
	}
	Rules map[string]struct { // on the default bus
		Arn, State, ScheduleExpression, EventPattern string

		Targets []struct{ Arn, Input string }
	}
	Queues map[string]map[string]string // attributes
	Routes []struct {
		Key, Auth, Function string
		Scopes              []string
	}
	Alarms map[string]struct {
		AlarmArn, Namespace, MetricName      string
		ComparisonOperator, TreatMissingData string
		Period, EvaluationPeriods            int
		Threshold                            float64

		AlarmActions, OKActions []string
		Dimensions              []struct{ Name, Value string }
	}
	Dashboards []string
}

// secretARN returns the ARN of the secret that an operator creates before the first deployment.
var secretARN = sync.OnceValues(func() (string, error) {
	client := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: aws.String(endpoint), Credentials: keys})
	made, err := client.CreateSecret(context.Background(), &secretsmanager.CreateSecretInput{
		Name:         aws.String("huaweicloud"),
		SecretString: aws.String(`{"HUAWEICLOUD_SDK_AK":"` + ddstest.AccessKey + `","HUAWEICLOUD_SDK_SK":"` + ddstest.SecretKey + "\"}\n"),
	})
	if err != nil {
		return "", err
	}
	return *made.ARN, nil
})

// deploy deploys the template as a new stack, or as an update of the stack with that name. It stops a
// new stack as the runbook does, because moto runs no function. A later parameter overrides an earlier one.
func deploy(t *testing.T, name string, parameters ...string) (*stack, error) {
	t.Helper()
	secret, err := secretARN()
	if err != nil {
		t.Fatal(err)
	}
	arguments := slices.Concat([]string{
		"../../tools/stack/deploy.py", name,
		"HuaweiCloudProjectId=" + ddstest.ProjectID, "DdsRegion=" + ddstest.Region, "HuaweiCloudSecretArn=" + secret,
	}, parameters)
	cmd := exec.CommandContext(t.Context(), os.Getenv("MOTO_PYTHON"), arguments...)
	var out, diagnosis bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnosis
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, diagnosis.String())
	}
	return readStack(out.Bytes())
}

// readStack reads what deploy.py writes.
func readStack(description []byte) (*stack, error) {
	var s stack
	if err := json.Unmarshal(description, &s); err != nil {
		return nil, err
	}
	if s.Stack != "CREATE_COMPLETE" && s.Stack != "UPDATE_COMPLETE" {
		return nil, fmt.Errorf("the stack is %s", s.Stack)
	}
	return &s, nil
}

// world is a deployed stack, its running function, and all services that the function calls.
type world struct {
	t        *testing.T
	stack    *stack
	dds      *ddstest.Server
	front    *front
	function *lambdatest.Function

	sqs      *sqs.Client
	sns      *sns.Client
	bus      *eventbridge.Client
	table    *dynamodb.Client
	outcomes string // URL of the queue to which a rule on the outcome bus sends

	env []string // what else the function gets
}

var keys = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "moto", SecretAccessKey: "moto"}, nil
})

func newWorld(t *testing.T) *world {
	at := aws.String(endpoint)
	return &world{
		t:     t,
		sqs:   sqs.New(sqs.Options{Region: region, BaseEndpoint: at, Credentials: keys}),
		sns:   sns.New(sns.Options{Region: region, BaseEndpoint: at, Credentials: keys}),
		bus:   eventbridge.New(eventbridge.Options{Region: region, BaseEndpoint: at, Credentials: keys}),
		table: dynamodb.New(dynamodb.Options{Region: region, BaseEndpoint: at, Credentials: keys}),
	}
}

// start deploys the template and starts the binary with the environment of the deployed function.
func (w *world) start(name string, parameters ...string) {
	t := w.t
	t.Helper()
	var err error
	w.stack, err = deploy(t, name, parameters...)
	w.must(err)
	if w.stack.Outputs["OutcomeBusArn"] != "" {
		w.listen(name)
	}
	w.run()
}

// run starts the binary with the environment of the deployed function.
func (w *world) run() {
	t := w.t
	t.Helper()
	w.dds = ddstest.NewServer(ddstest.Options{})
	t.Cleanup(w.dds.Close)
	w.dds.Add(ddstest.SampleBackups()...)
	w.front = newFront(t, w.stack)
	env := w.env
	for name, value := range w.stack.Function.Environment.Variables {
		if strings.Contains(value, ddstest.AccessKey) || strings.Contains(value, ddstest.SecretKey) {
			t.Errorf("%s of the function has a key in it", name)
		}
		env = append(env, name+"="+w.resolved(value))
	}
	var err error
	w.function, err = lambdatest.Start(t.Context(), lambdatest.Options{
		Binary: binary, Timeout: time.Duration(w.stack.Function.Timeout) * time.Second,
		// These are not in the stack: they point to the simulations.
		Env: append(env, "AWS_ENDPOINT_URL="+w.front.URL, "DDS_ENDPOINT="+w.dds.URL(), "AWS_LAMBDA_FUNCTION_NAME="+w.stack.Function.FunctionName),
	})
	w.must(err)
	t.Cleanup(func() {
		if err := w.function.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the function's log:\n%s%s", w.function.Stdout(), w.function.Stderr())
		}
	})
}

// resolved returns the value of a variable, for which CloudFormation reads a member of a secret where it is such a
// reference. moto does not.
func (w *world) resolved(value string) string {
	reference, isReference := strings.CutPrefix(value, "{{resolve:secretsmanager:")
	if !isReference {
		return value
	}
	arn, member, _ := strings.Cut(strings.TrimSuffix(reference, "}}"), ":SecretString:")
	client := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: aws.String(endpoint), Credentials: keys})
	secret, err := client.GetSecretValue(w.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn)})
	w.must(err)
	var members map[string]string
	w.must(json.Unmarshal([]byte(*secret.SecretString), &members))
	if members[member] == "" {
		w.t.Fatalf("the secret has no member %s", member)
	}
	return members[member]
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// listen makes a rule on the outcome bus that sends all outcomes to a queue.
func (w *world) listen(name string) {
	w.t.Helper()
	ctx := w.t.Context()
	made, err := w.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name + "-listener")})
	w.must(err)
	w.outcomes = *made.QueueUrl
	bus := aws.String(w.stack.Outputs["OutcomeBusArn"])
	_, err = w.bus.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: aws.String("all"), EventBusName: bus, EventPattern: aws.String(`{"source":["dds-backup-delete"],"detail-type":[{"prefix":"dds.backup.deletion."}]}`),
	})
	w.must(err)
	_, err = w.bus.PutTargets(ctx, &eventbridge.PutTargetsInput{
		Rule: aws.String("all"), EventBusName: bus,
		Targets: []ebtypes.Target{{Id: aws.String("listener"), Arn: aws.String("arn:aws:sqs:" + region + ":" + account + ":" + name + "-listener")}},
	})
	w.must(err)
}

// receive receives messages from a queue, as Lambda's poller does.
func (w *world) receive(queue string, hidden time.Duration) []sqstypes.Message {
	w.t.Helper()
	out, err := w.sqs.ReceiveMessage(w.t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(queue), MaxNumberOfMessages: 10, VisibilityTimeout: int32(hidden / time.Second), MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameAll},
	})
	w.must(err)
	return out.Messages
}

// poll does what the event-source mapping does: it receives from the request queue, invokes the
// function, and deletes the messages that the function does not return. It returns the bodies of the others.
func (w *world) poll(hidden time.Duration) (givenBack []string) {
	w.t.Helper()
	queue := w.stack.Outputs["RequestQueueUrl"]
	messages := w.receive(queue, hidden)
	if len(messages) == 0 {
		w.t.Fatal("the request queue is empty")
	}
	var records []map[string]any
	for _, m := range messages {
		records = append(records, map[string]any{
			"messageId": *m.MessageId, "receiptHandle": *m.ReceiptHandle, "body": *m.Body, "attributes": m.Attributes, "messageAttributes": map[string]any{},
			"md5OfBody": *m.MD5OfBody, "eventSource": "aws:sqs", "eventSourceARN": w.stack.Mappings[0].EventSourceArn, "awsRegion": region,
		})
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	w.must(err)
	var reply struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	w.must(json.Unmarshal(w.invoke(payload), &reply))
	for _, m := range messages {
		if slices.ContainsFunc(reply.BatchItemFailures, func(f struct{ ItemIdentifier string }) bool { return f.ItemIdentifier == *m.MessageId }) {
			givenBack = append(givenBack, *m.Body)
			continue
		}
		_, err := w.sqs.DeleteMessage(w.t.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(queue), ReceiptHandle: m.ReceiptHandle})
		w.must(err)
	}
	return givenBack
}

func (w *world) invoke(payload []byte) []byte {
	w.t.Helper()
	result, err := w.function.Invoke(w.t.Context(), lambdatest.Invocation{Payload: payload})
	w.must(err)
	if result.Err != nil {
		w.t.Fatal(result.Err)
	}
	return result.Payload
}

// events receives the events that came through the outcome bus: status and backup, sorted.
func (w *world) events() []string {
	w.t.Helper()
	var events []string
	for _, m := range w.receive(w.outcomes, time.Hour) {
		var e struct {
			Source     string
			DetailType string `json:"detail-type"`
			Detail     json.RawMessage
		}
		w.must(json.Unmarshal([]byte(*m.Body), &e))
		contracttest.Check(w.t, "outcome-event.json", e.Detail)
		var outcome struct {
			Type string
			Data deletion.Data
		}
		w.must(json.Unmarshal(e.Detail, &outcome))
		if e.Source != "dds-backup-delete" || e.DetailType != outcome.Type {
			w.t.Errorf("event %s", *m.Body)
		}
		events = append(events, string(outcome.Data.Status)+" "+outcome.Data.BackupID)
	}
	slices.Sort(events)
	return events
}

func (w *world) want(what string, want, got []string) {
	w.t.Helper()
	if slices.Sort(want); !slices.Equal(want, got) {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// front is a proxy in front of moto. It lets through what the deployed role allows.
type front struct {
	*httptest.Server

	mu     sync.Mutex
	used   map[string]bool // the actions
	hidden []int           // seconds that messages were hidden for
}

func newFront(t *testing.T, s *stack) *front {
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{used: make(map[string]bool)}
	moto := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && r.URL.Path == "/" && r.Header.Get("Authorization") == "" {
			http.NotFound(w, r) // it only opens a connection, which needs no permission
			return
		}
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err != nil {
			t.Error(err)
		}
		c := f.callOf(r.Header.Get("X-Amz-Target"), body)
		allowed, err := allows(s.Role, c)
		if !allowed {
			t.Errorf("the role of the stack does not allow %s: %v", c, err)
			http.Error(w, `{"__type":"AccessDeniedException"}`, http.StatusForbidden)
			return
		}
		moto.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// callOf returns the call of IAM that a request makes.
func (f *front) callOf(target string, body []byte) call {
	var in struct {
		SecretID             string `json:"SecretId"`
		TableName, IndexName string
		QueueURL             string `json:"QueueUrl"`
		Entries              []struct {
			EventBusName, Source, DetailType string
			VisibilityTimeout                int
		}
	}
	_ = json.Unmarshal(body, &in)           // any other body names no resource, and no statement allows that
	form, _ := url.ParseQuery(string(body)) // of SNS
	c := call{Action: target, Keys: map[string][]string{"aws:SecureTransport": {"true"}}}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch _, operation, _ := strings.Cut(target, "."); {
	case strings.HasPrefix(target, "secretsmanager."):
		c.Action, c.Resource = "secretsmanager:"+operation, in.SecretID
	case strings.HasPrefix(target, "DynamoDB_"):
		c.Action, c.Resource = "dynamodb:"+operation, "arn:aws:dynamodb:"+region+":"+account+":table/"+in.TableName
		if in.IndexName != "" {
			c.Resource += "/index/" + in.IndexName
		}
	case strings.HasPrefix(target, "AmazonSQS."):
		c.Action, c.Resource = "sqs:"+strings.TrimSuffix(operation, "Batch"), "arn:aws:sqs:"+region+":"+account+":"+in.QueueURL[strings.LastIndex(in.QueueURL, "/")+1:]
		for _, e := range in.Entries {
			f.hidden = append(f.hidden, e.VisibilityTimeout)
		}
	case form.Has("TopicArn"):
		c.Action, c.Resource = "sns:"+strings.TrimSuffix(form.Get("Action"), "Batch"), form.Get("TopicArn")
	case strings.HasPrefix(target, "AWSEvents."):
		c.Action = "events:" + operation
		for _, e := range in.Entries {
			c.Resource = e.EventBusName // all entries of a call are for one bus
			c.Keys["events:source"] = append(c.Keys["events:source"], e.Source)
			c.Keys["events:detail-type"] = append(c.Keys["events:detail-type"], e.DetailType)
		}
	}
	f.used[c.Action] = true
	return c
}
