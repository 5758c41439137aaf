package event_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// others are events of services that ask for no deletion, and what the error calls them.
var others = map[string]struct{ event, says string }{
	"REST authorizer":             {`{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:1:a/test/DELETE/backups/x","resource":"/backups/{backup_id}","path":"/backups/x","httpMethod":"DELETE","headers":{},"pathParameters":{"backup_id":"x"},"requestContext":{"requestId":"r","stage":"test"}}`, "authorizer"},
	"HTTP API authorizer":         {`{"version":"2.0","type":"REQUEST","routeArn":"arn","identitySource":["t"],"routeKey":"DELETE /backups/{backup_id}","rawPath":"/backups/x","headers":{},"requestContext":{"http":{"method":"DELETE","path":"/backups/x"},"requestId":"r","stage":"$default"},"pathParameters":{"backup_id":"x"}}`, "authorizer"},
	"authorizer without an ARN":   {`{"version":"2.0","type":"REQUEST","rawPath":"/backups/x","requestContext":{"http":{"method":"DELETE","path":"/backups/x"},"stage":"$default"}}`, "authorizer"},
	"WebSocket authorizer":        {`{"type":"REQUEST","methodArn":"arn","headers":{},"requestContext":{"routeKey":"$connect","connectionId":"c","stage":"s"}}`, "authorizer"},
	"token authorizer":            {`{"type":"TOKEN","authorizationToken":"t","methodArn":"arn"}`, "authorizer"},
	"AppSync authorizer":          {`{"authorizationToken":"t","requestContext":{"apiId":"a","requestId":"r"}}`, "AppSync"},
	"WebSocket":                   {`{"requestContext":{"connectionId":"c","eventType":"MESSAGE","stage":"s"},"body":"{\"backup_id\":\"x\"}"}`, "WebSocket"},
	"DocumentDB":                  {`{"eventSource":"aws:docdb","eventSourceArn":"arn","events":[]}`, "DocumentDB"},
	"Kinesis Analytics":           {`{"invocationId":"i","applicationArn":"arn","records":[{"recordId":"1","data":"e30="}]}`, "Kinesis Data Analytics"},
	"Firehose":                    {`{"deliveryStreamArn":"arn","records":[]}`, "Firehose"},
	"Firehose without a stream":   {`{"invocationId":"i","records":[{"recordId":"1","data":"e30="}]}`, "Firehose"},
	"CloudWatch Logs":             {`{"awslogs":{"data":"H4sI"}}`, "CloudWatch Logs"},
	"CloudWatch alarm":            {`{"source":"aws.cloudwatch","alarmArn":"arn","alarmData":{}}`, "CloudWatch alarm"},
	"alarm on a topic":            {`{"AlarmName":"a","NewStateValue":"ALARM"}`, "CloudWatch alarm"},
	"S3":                          {`{"Records":[{"eventSource":"aws:s3","s3":{}}]}`, "Amazon S3"},
	"SES":                         {`{"Records":[{"eventSource":"aws:ses","ses":{}}]}`, "Amazon SES"},
	"CodeCommit":                  {`{"Records":[{"eventSource":"aws:codecommit"}]}`, "CodeCommit"},
	"a service nobody knows":      {`{"Records":[{"eventSource":"aws:new"}]}`, `"aws:new"`},
	"OBS":                         {`{"Records":[{"eventSource":"OBS","obs":{}}]}`, "OBS"},
	"MinIO":                       {`{"EventName":"s3:ObjectCreated:Put","Key":"k","Records":[{"eventSource":"minio:s3"}]}`, "minio:s3"},
	"Lambda@Edge":                 {`{"Records":[{"cf":{"request":{"uri":"/backups/x","method":"DELETE"}}}]}`, "CloudFront"},
	"S3 Batch":                    {`{"invocationSchemaVersion":"1.0","invocationId":"i","job":{"id":"j"},"tasks":[]}`, "S3 Batch"},
	"S3 Object Lambda":            {`{"xAmzRequestId":"r","getObjectContext":{},"userRequest":{}}`, "S3 Object Lambda"},
	"CodePipeline":                {`{"CodePipeline.job":{"id":"j"}}`, "CodePipeline"},
	"CodeDeploy":                  {`{"DeploymentId":"d","LifecycleEventHookExecutionId":"l"}`, "CodeDeploy"},
	"CloudFormation":              {`{"RequestType":"Delete","ResponseURL":"https://x","ResourceProperties":{}}`, "CloudFormation"},
	"Config":                      {`{"invokingEvent":"{}","configRuleName":"r"}`, "Config"},
	"Connect":                     {`{"Name":"ContactFlowEvent","Details":{"ContactData":{}}}`, "Connect"},
	"Lex":                         {`{"messageVersion":"1.0","bot":{"name":"b"},"currentIntent":{}}`, "Lex"},
	"Lex V2":                      {`{"messageVersion":"1.0","bot":{"name":"b"},"sessionState":{}}`, "Lex"},
	"Cognito":                     {`{"triggerSource":"PreSignUp_SignUp","userPoolId":"p","request":{}}`, "Cognito"},
	"Alexa":                       {`{"version":"1.0","session":{"sessionId":"s","application":{}},"request":{"type":"IntentRequest"}}`, "Alexa"},
	"AppSync":                     {`{"arguments":{},"identity":null,"source":{"id":"0"},"request":{},"info":{"fieldName":"f","parentTypeName":"T"}}`, "AppSync"},
	"Bedrock":                     {`{"messageVersion":"1.0","agent":{"name":"a"},"actionGroup":"g"}`, "Bedrock"},
	"Secrets Manager":             {`{"SecretId":"arn","ClientRequestToken":"t","Step":"createSecret"}`, "Secrets Manager"},
	"IoT button":                  {`{"serialNumber":"s","clickType":"SINGLE","batteryVoltage":"1mV"}`, "IoT button"},
	"IoT authorizer":              {`{"token":"t","signatureVerified":true,"protocols":["mqtt"]}`, "IoT"},
	"VPC Lattice":                 {`{"raw_path":"/backups/x","method":"DELETE","headers":{},"query_string_parameters":{}}`, "VPC Lattice"},
	"VPC Lattice 2.0":             {`{"version":"2.0","path":"/backups/x","method":"DELETE","requestContext":{"serviceNetworkArn":"arn"}}`, "VPC Lattice"},
	"Transfer Family":             {`{"username":"u","password":"p","protocol":"SFTP","serverId":"s"}`, "Transfer Family"},
	"Client VPN":                  {`{"connection-id":"c","endpoint-id":"e"}`, "Client VPN"},
	"a stream's failed batch":     {`{"requestContext":{"requestId":"r","functionArn":"arn","condition":"RetryAttemptsExhausted"},"requestPayload":{"backup_id":"x"},"KinesisBatchInfo":{}}`, "stream batch"},
	"FunctionGraph DDS":           {`{"records":[{"event_source":"dds","dds":{}}]}`, `"dds"`},
	"FunctionGraph DDS, type":     {`{"trigger_type":"DDS","records":[{"event_source":"dds","dds":{"full_document":"{\"backup_id\":\"x\"}"}}]}`, "changed documents of Huawei Cloud DDS"},
	"FunctionGraph GaussDB":       {`{"trigger_type":"GAUSSMONGO","backup_id":"x"}`, "changed documents of Huawei Cloud GaussDB"},
	"FunctionGraph, unknown":      {`{"trigger_type":"NEW","user_event":"{\"backup_id\":\"x\"}"}`, `FunctionGraph event of "NEW"`},
	"FunctionGraph, no type":      {`{"trigger_type":["TIMER"],"user_event":"{\"backup_id\":\"x\"}"}`, "trigger_type is not a string"},
	"FunctionGraph OBS":           {`{"Records":[{"eventVersion":"2.0","eventSource":"aws:s3","awsRegion":"cn-north-4","eventName":"ObjectCreated:Post","s3":{"object":{"key":"backup_id"}}}]}`, "Huawei Cloud OBS"},
	"FunctionGraph RabbitMQ":      {`{"trigger_type":"RABBITMQ","records":[{"messages":["{\"backup_id\":\"x\"}"]}]}`, `"RABBITMQ"`},
	"CTS":                         {`{"cts":{"trace_name":"ddsDeleteBackup","resource_id":"x"}}`, "CTS event, an audit record"},
	"LTS":                         {`{"lts":{"data":"e30="}}`, "LTS"},
	"DIS":                         {`{"ShardID":"s","StreamName":"n","Message":{"records":[]}}`, "DIS"},
	"Azure Event Grid":            {`{"id":"i","topic":"t","subject":"s","eventType":"e","eventTime":"2026","data":{},"dataVersion":"1"}`, "Event Grid"},
	"Pub/Sub":                     {`{"message":{"data":"e30=","messageId":"1"},"subscription":"s"}`, "Pub/Sub"},
	"a record of a queue, single": {`{"messageId":"m","receiptHandle":"h","body":"{\"backup_id\":\"x\"}","eventSource":"aws:sqs"}`, "Amazon SQS"},
}

// graft returns an event with a member more at its top and in each of its records.
func graft(t *testing.T, text string) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var members map[string]any
	if err := decoder.Decode(&members); err != nil {
		t.Fatal(err)
	}
	members["backup_id"] = backup
	grafted := []string{text, string(marshal(t, members))}
	for _, name := range []string{"Records", "records", "record", "events", "messages", "requestContext", "detail"} {
		switch v := members[name].(type) {
		case []any:
			for _, element := range v {
				if record, ok := element.(map[string]any); ok {
					record["backup_id"] = backup
				}
			}
		case map[string]any:
			v["backup_id"] = backup
		}
	}
	return append(grafted, string(marshal(t, members)))
}

// Another service's event is named and asks for nothing, whatever else it carries: as the payload,
// in an array, and in every envelope of every source.
func TestOtherServices(t *testing.T) {
	for name, tc := range others {
		for _, text := range graft(t, tc.event) {
			for _, payload := range []string{text, "\ufeff" + text, "[" + text + "," + text + "]"} {
				if strings.Contains(payload, `[{"messageId"`) || (payload[0] == '[' && strings.Contains(text, `"aws:sqs"`)) {
					continue // that is a batch of a pipe
				}
				if _, err := decode([]byte(payload)); err == nil || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%s: error %v, want one that says %q", name, err, tc.says)
				}
			}
			for _, body := range []string{text, notification(t, text), cloudEvent(event.RequestType, text), busEvent(event.RequestType, text), destination("Success", "{}", text)} {
				_, got := decodeOne(t, marshal(t, sqs(body)))
				checkRefused(t, got, got.ID, tc.says)
				for name, payload := range huawei(t, body) {
					if name == "eventgrid" && body != text {
						continue // a CloudEvent holds no envelopes
					}
					if batch, err := decode(payload); err == nil { // a list of events is refused as a whole
						for _, got := range batch.Requests {
							checkRefused(t, got, got.ID, tc.says)
						}
					} else if name != "eventgrid" {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		}
	}
}

// Every sample of the AWS library that is not one of our sources is refused, whatever is grafted
// onto it, and none of them is ever a deletion.
func TestEventsOfTheLibrary(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(string(bytes.TrimSpace(dir)), "events", "testdata", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("the module has no samples: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(file); !json.Valid(text) || bytes.TrimSpace(text)[0] != '{' || strings.Contains(name, "response") || strings.Contains(name, "identity") {
			continue // it is not an event
		}
		for i, payload := range graft(t, string(text)) {
			batch, err := decode([]byte(payload))
			if err != nil {
				continue
			}
			for _, r := range batch.Requests {
				if r.Err == nil && r.BackupID != "" {
					t.Errorf("%s, %d: deletes %q", filepath.Base(file), i, r.BackupID)
				}
			}
			for _, name := range []string{"authorizer", "custom-auth", "websocket", "docdb", "analytics", "firehose", "cognito", "codepipeline-job", "connect", "lex-", "s3-", "ses-", "config"} {
				if strings.Contains(filepath.Base(file), name) && !strings.Contains(file, "apigw-v2-request") {
					t.Errorf("%s, %d: taken for %s", filepath.Base(file), i, batch.Source)
				}
			}
		}
	}
}

// A request has an allow-list of members, wherever it stands.
func TestMembersOfARequest(t *testing.T) {
	for body, says := range map[string]string{
		`{"event":"BackupCreated","backup_id":"a"}`:                                `"event": unknown member; expected only backup_id, backups_id`,
		`{"delete":false,"backup_id":"a"}`:                                         `"delete": unknown member`,
		`{"projectId":"p","backup_id":"a"}`:                                        `"projectId": unknown member; did you mean "project_id"?`,
		`{"Region":"r","backup_id":"a"}`:                                           `"Region": unknown member; did you mean "region"?`,
		`{"dry-run":true,"backup_id":"a"}`:                                         `"dry-run": unknown member; did you mean "dry_run"?`,
		`{"DryRun":true,"backup_id":"a"}`:                                          `did you mean "dry_run"?`,
		`{"dry_rum":true,"backup_id":"a"}`:                                         `did you mean "dry_run"?`,
		`{"metdata":{},"backup_id":"a"}`:                                           `did you mean "metadata"?`,
		`{"backupId":"a"}`:                                                         `"backupId": unknown member; did you mean "backup_id"?`,
		`{"dry_run":"true","backup_id":"a"}`:                                       `dry_run: the string "true"; expected true or false`,
		`{"dry_run":1,"backup_id":"a"}`:                                            `dry_run: a JSON number; expected true or false`,
		`{"dry_run":null,"backup_id":"a"}`:                                         `dry_run: a JSON null`,
		`{"traceparent":5,"backup_id":"a"}`:                                        `traceparent: a JSON number; expected a string`,
		`{"metadata":"x","backup_id":"a"}`:                                         `metadata: the string "x"; expected a JSON object`,
		`{"metadata":{"x":"` + strings.Repeat("x", 1017) + `"},"backup_id":"a"}`:   "metadata: 1025 bytes; expected 1024 at most",
		`{"metadata":{},"backup_id":"a","metadata":{}}`:                            `"metadata" is given twice`,
		`{"backup_ids":["a"],"dry_run":"false"}`:                                   "dry_run: the string",
		`{"backup_ids":["a"],"records":[]}`:                                        `"records": unknown member`,
		`{"eventSource":"mine","backup_id":"a"}`:                                   `"mine"`,
		`{"backup_id":"a","\u0062ackup_id":"b"}`:                                   `"backup_id" is given twice`,
		`{"backup_id":"a","` + strings.Repeat("x", 5000) + `":1}`:                  "unknown member",
		`{"backup_id":"a","dry_run":"` + strings.Repeat("\u00e4", 5000) + `"}`:     "dry_run: the string",
		`{"backup_id":"a","ba\u212aup_id":"b"}`:                                    "unknown member",
		`{"backup_id":"a","project_id":["p"]}`:                                     "project_id: a JSON array; expected a string that is not empty",
		`{"backup_id":"a","metadata":{"a":` + strings.Repeat(" ", 1024) + `null}}`: "metadata: ",
	} {
		for _, in := range []string{body, notification(t, body), cloudEvent(event.RequestType, body), busEvent(event.RequestType, body), destination("Success", "{}", body)} {
			_, got := decodeOne(t, marshal(t, sqs(in)))
			checkRefused(t, got, got.ID, says)
			if got.Err != nil && len(got.Err.Message) > 300 {
				t.Errorf("a message of %d bytes", len(got.Err.Message))
			}
		}
		batch, err := decode([]byte(body))
		if err != nil {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: error %v, want one that says %q", body, err, says)
			}
			continue
		}
		checkRefused(t, batch.Requests[0], "invocation", says)
	}
	full := `{"metadata":{"x":"` + strings.Repeat("x", 1016) + `"},"dry_run":true,"backup_ids":["a","b"]}`
	batch, err := decode(marshal(t, sqs(full)))
	if err != nil || len(batch.Requests) != 2 {
		t.Fatalf("requests %+v, error %v", batch.Requests, err)
	}
	for _, r := range batch.Requests {
		if r.Err != nil || !r.DryRun || len(r.Metadata) != 1024 {
			t.Errorf("request %+v", r)
		}
	}
}

// Text comes as the world writes it, and what cannot be read is named in words of its own.
func TestText(t *testing.T) {
	const mark = "\ufeff"
	for _, in := range [][]byte{
		[]byte(mark + plain),
		marshal(t, sqs(mark+plain)),
		marshal(t, sqs(mark+notification(t, mark+plain))),
		[]byte(mark + string(marshal(t, sqs(plain)))),
		sns(t, mark+plain),
		kafka(t, map[string][]string{"t-0": {mark + plain}}),
		kafka(t, map[string][]string{"t-0": {"\x00\x00\x00\x00\x07" + mark + plain}}),
		kafka(t, map[string][]string{"t-0": {"\x00\x00\x00\x00\x07" + plain}}),
		kafka(t, map[string][]string{"t-0": {"\x00\x01\x02\x03\x04\n[" + plain + "]"}}),
		rabbitMQ(t, mark+plain), activeMQ(t, mark+plain),
		[]byte(strings.Replace(cloudEvent(event.RequestType, `"`+base64.StdEncoding.EncodeToString([]byte(mark+plain))+`"`), `"data"`, `"data_base64"`, 1)),
		marshal(t, httpAPI("POST", "/deletions", mark+plain)),
	} {
		if _, got := decodeOne(t, in); got.Err != nil || got.BackupID != backup {
			t.Errorf("%q: %+v", in, got)
		}
	}
	deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	utf16 := []byte{0xff, 0xfe}
	for _, c := range plain {
		utf16 = append(utf16, byte(c), 0)
	}
	for body, says := range map[string]string{
		"":                                  "the body is empty; expected a JSON object",
		strings.Repeat(" \r\n\t", 2):        "the body is empty",
		mark:                                "the body is empty",
		deep:                                "the body is nested too deep; expected 10000 levels at the most",
		`{"metadata":` + deep + `}`:         "nested too deep",
		string(utf16):                       "the body is text in UTF-16; expected UTF-8",
		string(utf16[2:]):                   "the body is text in UTF-16",
		"\x00\x00\x00\x00\x07Avro":          "malformed JSON at byte 1 of 9",
		"\x01\x00\x00\x00\x07" + plain:      "text in UTF-16",
		`{"backup_id":"a","backup_id":"a"}`: `"backup_id" is given twice`,
		"[]":                                "an array of 0 elements; expected 1 to 1000",
		`[1,"` + backup + `"]`:              "an array in which no element is a request; the first is a JSON number",
		`{"detail-type":"` + event.RequestType + `"}`:                                    "detail: missing; expected a JSON object",
		`{"specversion":"1.0","id":"i","source":"s","type":"` + event.RequestType + `"}`: "data: missing; expected a JSON object",
	} {
		value := base64.StdEncoding.EncodeToString([]byte(body))
		for _, in := range []string{
			`{"eventSource":"aws:kafka","records":{"t-0":[{"offset":1,"value":"` + value + `"}]}}`, `{"eventSource":"aws:mq","messages":[{"messageID":"m","data":"` + value + `"}]}`,
		} {
			_, got := decodeOne(t, []byte(in))
			checkRefused(t, got, got.ID, says)
		}
	}
	for payload, says := range map[string]string{
		"": "the payload is empty; expected a JSON object, for example", mark: "the payload is empty", deep: "nested too deep", string(utf16): "UTF-16",
	} {
		if _, err := decode([]byte(payload)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
	// An event without its content was sent to us, and so has an outcome.
	for _, payload := range []string{`{"detail-type":"` + event.RequestType + `","id":"i"}`, `{"specversion":"1.0","id":"i","source":"s"}`} {
		_, got := decodeOne(t, []byte(payload))
		checkRefused(t, got, "i", "")
	}
}

// pipe returns the records of a batch as EventBridge Pipes sends them.
func pipe(t *testing.T, batch any) []byte {
	t.Helper()
	var in struct{ Records []json.RawMessage }
	if err := json.Unmarshal(marshal(t, batch), &in); err != nil {
		t.Fatal(err)
	}
	return marshal(t, in.Records)
}

func pipeKafka(source, servers string, values ...string) string {
	var records []string
	for i, value := range values {
		records = append(records, `{"eventSource":"`+source+`","`+servers+`","eventSourceKey":"t-0","topic":"t","partition":0,"offset":`+
			string(rune('1'+i))+`,"value":"`+base64.StdEncoding.EncodeToString([]byte(value))+`","headers":[]}`)
	}
	return "[" + strings.Join(records, ",") + "]"
}

// A pipe sends the records of a batch without the envelope.
func TestPipes(t *testing.T) {
	batch, err := decode(pipe(t, sqs(plain, `{"backup_id":5}`, outcomeEvent, plain)))
	if err != nil || batch.Source != "sqs" || batch.SourceARN == "" || len(batch.Requests) != 3 || len(batch.OwnEvents) != 1 {
		t.Fatalf("batch %+v, error %v", batch, err)
	}
	reply, err := batch.Reply([]deletion.Outcome{outcome(batch.Requests[0], deletion.ClassConflict), outcome(batch.Requests[1], deletion.ClassInvalid), outcome(batch.Requests[2], "")})
	if err != nil || string(reply) != `{"batchItemFailures":[{"itemIdentifier":"message-0"}]}` {
		t.Errorf("reply %s, error %v", reply, err)
	}
	for _, source := range []string{"aws:kafka", "SelfManagedKafka", "aws:SelfManagedKafka"} {
		batch, err := decode([]byte(pipeKafka(source, `bootstrapServers":"b:9092`, plain, "["+plain+","+plain+"]")))
		if err != nil || batch.Source != "kafka" || len(batch.Requests) != 3 {
			t.Fatalf("%s: batch %+v, error %v", source, batch, err)
		}
		want := deletion.Request{ID: "t-0@2", MessageID: "t-0@2", Source: "kafka", Origin: "b:9092", Order: "t-0", Field: "[1].backup_id", BackupID: backup}
		if diff := cmp.Diff(want, batch.Requests[2]); diff != "" {
			t.Errorf("%s: request (-want +got):\n%s", source, diff)
		}
		done := []deletion.Outcome{outcome(batch.Requests[0], ""), outcome(batch.Requests[1], deletion.ClassInvalid), outcome(batch.Requests[2], "")}
		if reply, err := batch.Reply(done); err != nil || string(reply) != `{"batchItemFailures":[]}` {
			t.Errorf("%s: reply %s, error %v", source, reply, err)
		}
		done[1] = outcome(batch.Requests[1], deletion.ClassConflict)
		if _, err := batch.Reply(done); err == nil { // a pipe knows no single records of Kafka
			t.Errorf("%s: no error", source)
		}
	}
	unnamed := sqs(plain)
	unnamed.Records[0].MessageId = "a\u0000b"
	foreign := sqs(plain, plain)
	foreign.Records[1].EventSource = "aws:s3"
	record := strings.Trim(string(pipe(t, sqs(plain))), "[]")
	for payload, says := range map[string]string{
		string(pipe(t, unnamed)):         "messageId: ",
		string(pipe(t, foreign)):         `records of "aws:sqs" and "aws:s3"`,
		string(marshal(t, foreign)):      `record 1 is of "aws:s3"`,
		"[" + record + "," + plain + "]": "records or requests alone",
		"[" + plain + "," + record + "]": "records or requests alone",
		"[" + record + ",5]":             "records or requests alone",
		"[" + record + ",null]":          "records or requests alone",
		`[{"eventSource":"aws:dynamodb","dynamodb":{"NewImage":{"backup_id":{"S":"a"}}}}]`:         "Amazon DynamoDB Streams",
		`[{"eventSource":"aws:kinesis","data":"e30=","backup_id":"a"}]`:                            "Amazon Kinesis",
		`[{"eventSource":"aws:rmq","eventSourceArn":"arn","eventSourceKey":"q::/","data":"e30="}]`: "Amazon MQ for RabbitMQ",
		`[{"eventSource":"aws:amq","messageID":"m","data":"e30="}]`:                                "Amazon MQ for ActiveMQ",
		`[{"eventSource":"aws:kafka","offset":1,"value":"e30="}]`:                                  "partition: ",
		`[{"eventSource":"aws:kafka","topic":"t","partition":0,"value":"e30="}]`:                   "offset: ",
		`[]`:                 "an empty array",
		`[null]`:             "no element is a request; the first is a JSON null",
		`["a",{"x":1}]`:      "no element is a request",
		`[{"backupId":"a"}]`: `did you mean "backup_id"?`,
		`[[` + plain + `]]`:  "no element is a request; the first is a JSON array",
	} {
		if batch, err := decode([]byte(payload)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: batch %+v, error %v, want one that says %q", payload, batch, err, says)
		}
	}
}

// A batch without records says nothing else, so that nothing is acknowledged and not done.
func TestNothingIsSwallowed(t *testing.T) {
	for _, payload := range []string{
		`{"Records":[],"backup_id":"a"}`, `{"Records":[],"x":1}`, `{"Records":[],"Records":[]}`, `{"Records":null}`, `{"Records":{}}`, `{"Records":[null]}`, `{"Records":null,"backup_id":"a"}`,
		`{"eventSource":"aws:kafka","records":{},"backup_id":"a"}`, `{"eventSource":"aws:kafka","records":{"t-0":[]},"x":1}`, `{"eventSource":"aws:kafka","records":null}`,
		`{"eventSource":"aws:kafka","records":{"t-0":[null]}}`, `{"eventSource":"aws:kafka","records":{"t-0":null}}`, `{"eventSource":"aws:kafka","records":{"t\u0000-0":[{"offset":1}]}}`,
		`{"eventSource":"aws:rmq","rmqMessagesByQueue":{},"backup_id":"a"}`, `{"eventSource":"aws:rmq","rmqMessagesByQueue":null}`, `{"eventSource":"aws:rmq","rmqMessagesByQueue":{"q":[null]}}`,
		`{"eventSource":"aws:mq","messages":[],"backup_id":"a"}`, `{"eventSource":"aws:mq","messages":null}`, `{"eventSource":"aws:mq"}`, `{"eventSource":"aws:mq","messages":[null]}`,
		`{"Records":[{"EventSource":"aws:sns","Sns":{}},{"EventSource":"aws:s3"}]}`,
	} {
		if batch, err := decode([]byte(payload)); err == nil {
			t.Errorf("%s: batch %+v", payload, batch)
		}
	}
	for _, payload := range []string{`{"Records":[]}`, `{"eventSource":"aws:kafka","eventSourceArn":"arn","records":{}}`, `{"eventSource":"aws:mq","messages":[]}`} {
		if batch, err := decode([]byte(payload)); err != nil || len(batch.Requests) != 0 {
			t.Errorf("%s: error %v", payload, err)
		}
	}
}

// A tombstone of a compacted topic asks for nothing and is acknowledged.
func TestTombstones(t *testing.T) {
	value := base64.StdEncoding.EncodeToString([]byte(plain))
	batch, err := decode([]byte(`{"eventSource":"aws:SelfManagedKafka","bootstrapServers":"b","records":{"t-0":[{"offset":1,"key":"a2V5","value":null},{"offset":2},{"offset":3,"value":"` + value + `"}]}}`))
	if err != nil || len(batch.Requests) != 1 || batch.Tombstones != 2 || batch.Source != "kafka" {
		t.Fatalf("batch %+v, error %v", batch, err)
	}
	reply, err := batch.Reply([]deletion.Outcome{outcome(batch.Requests[0], deletion.ClassConflict)})
	if want := `{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":3}}]}`; err != nil || string(reply) != want {
		t.Errorf("reply %s, error %v", reply, err)
	}
}

// A queue, a topic, a stream and a broker may send a list, as a caller may.
func TestListInABody(t *testing.T) {
	body := "[" + plain + "," + outcomeEvent + `,{"backup_ids":["a","b"]},5]`
	for _, payload := range [][]byte{
		marshal(t, sqs(body)), marshal(t, sqs(notification(t, body))), sns(t, body), kafka(t, map[string][]string{"t-0": {body}}), rabbitMQ(t, body), activeMQ(t, body),
	} {
		batch, err := decode(payload)
		if err != nil || len(batch.Requests) != 4 || len(batch.OwnEvents) != 1 {
			t.Fatalf("batch %+v, error %v", batch, err)
		}
		var fields []string
		for _, r := range batch.Requests[:3] {
			fields = append(fields, r.Field+" "+r.BackupID)
		}
		if want := []string{"[0].backup_id " + backup, "[2].backup_ids[0] a", "[2].backup_ids[1] b"}; !cmp.Equal(fields, want) {
			t.Errorf("%s: %v, want %v", batch.Source, fields, want)
		}
		if last := batch.Requests[3]; last.Err == nil || !strings.HasPrefix(last.Err.Message, "[3]: ") && !strings.Contains(last.Err.Message, "a JSON number") {
			t.Errorf("%s: %+v", batch.Source, last)
		}
	}
}

// What a source calls things goes into events, logs and the ledger only in a form that they take.
func TestIDsOfSources(t *testing.T) {
	long := strings.Repeat("i", 1025)
	for _, id := range []string{"a\u0000b", "a\nb", "a\uffffb", long} {
		batch := sqs(plain, plain)
		batch.Records[1].MessageId = id
		if _, err := decode(marshal(t, batch)); err == nil || !strings.Contains(err.Error(), "record 1: messageId: ") || strings.ContainsAny(err.Error(), "\x00\n\uffff") || len(err.Error()) > 300 {
			t.Errorf("%q: error %v", id, err)
		}
		topic := strings.Replace(string(sns(t, plain)), `"notification-0"`, string(marshal(t, id)), 1)
		if _, got := decodeOne(t, []byte(topic)); got.ID != "invocation" || len(got.MessageID) != 32 {
			t.Errorf("%q: request %q of message %q", id, got.ID, got.MessageID)
		}
		got, err := new(event.Decoder).Decode([]byte(plain), event.Invocation{ID: id})
		if err != nil || len(got.Requests[0].ID) != 32 {
			t.Errorf("%q: batch %+v, error %v", id, got, err)
		}
		arn := strings.ReplaceAll(string(kafka(t, map[string][]string{"t-0": {plain}})), `"arn:aws:kafka:eu-central-1:123456789012:cluster/c/1"`, string(marshal(t, id)))
		if got, err := decode([]byte(arn)); err != nil || len(got.SourceARN) != 32 || len(got.Requests[0].Origin) != 32 {
			t.Errorf("%q: batch %+v, error %v", id, got, err)
		}
	}
}
