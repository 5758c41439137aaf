package event

import (
	"fmt"
	"strings"
	"sync"
)

// expectedPayload ends the message about a payload of no known source.
const expectedPayload = `expected an event of a source in docs/sources.md, or {"backup_id": "…"}`

// serviceNames are the services that put their name into the member eventSource.
var serviceNames = map[string]string{
	sqsEventSource:   "Amazon SQS",
	snsEventSource:   "Amazon SNS",
	"aws:kafka":      "Amazon MSK",
	"aws:mq":         "Amazon MQ for ActiveMQ",
	"aws:amq":        "Amazon MQ for ActiveMQ",
	"aws:rmq":        "Amazon MQ for RabbitMQ",
	"aws:docdb":      "Amazon DocumentDB",
	"aws:dynamodb":   "Amazon DynamoDB Streams",
	"aws:kinesis":    "Amazon Kinesis Data Streams",
	"aws:s3":         "Amazon S3",
	"aws:ses":        "Amazon SES",
	"aws:codecommit": "AWS CodeCommit",
	"OBS":            "Huawei Cloud OBS",
}

// otherServices are events of services that ask for no deletion. An object is such an event if
// it has all the members of a line. A dot leads into a member that is an object; with nothing
// behind it, the member only has to be an object. No known source has these members, so they are
// looked for before anything else.
var otherServices = []struct {
	what    string
	members []string
}{
	{"an API Gateway authorizer event", []string{"methodArn"}},
	{"an API Gateway authorizer event", []string{"routeArn"}},
	{"an API Gateway authorizer event", []string{"identitySource"}},
	{"an API Gateway WebSocket event", []string{"requestContext.connectionId"}},
	{"an API Gateway WebSocket event", []string{"requestContext.messageDirection"}},
	{"an AppSync authorizer event", []string{"authorizationToken"}},
	{"an AppSync resolver event", []string{"info.fieldName"}},
	{"an AppSync resolver event", []string{"info.parentTypeName"}},
	{"an AppSync resolver event", []string{"arguments.", "identity"}},
	{"an AppSync Events handler", []string{"info.channel"}},
	{"an Alexa request", []string{"session.application"}},
	{"an Alexa request", []string{"session.sessionId"}},
	{"an Alexa request", []string{"context.System"}},
	{"an Alexa Smart Home directive", []string{"directive.header"}},
	{"an Amazon Aurora or Redshift function call", []string{"external_function"}},
	{"an Amazon Athena federation request", []string{"@type"}},
	{"an Amazon Bedrock agent event", []string{"messageVersion", "agent"}},
	{"an Amazon Bedrock agent event", []string{"messageVersion", "actionGroup"}},
	{"an Amazon Bedrock flow event", []string{"messageVersion", "flow"}},
	{"an Amazon Chime event", []string{"InvocationEventType"}},
	{"an Amazon Connect event", []string{"Details.ContactData"}},
	{"an Amazon Data Firehose event", []string{"deliveryStreamArn"}},
	{"an Amazon Kinesis Data Analytics event", []string{"applicationArn"}},
	{"an Amazon Lex event", []string{"bot", "inputTranscript"}},
	{"an Amazon Lex event", []string{"bot", "currentIntent"}},
	{"an Amazon Lex event", []string{"bot", "sessionState"}},
	{"an Amazon Lex event", []string{"bot", "invocationSource"}},
	{"an Amazon Pinpoint event", []string{"ApplicationId", "Endpoints"}},
	{"an Amazon SES notification", []string{"mail.messageId"}},
	{"an Amazon SageMaker labeling job", []string{"labelingJobArn"}},
	{"an Amazon WorkMail event", []string{"summaryVersion"}},
	{"an S3 test event", []string{"Service", "Bucket", "HostId"}},
	{"an S3 Batch Operations task", []string{"invocationSchemaVersion"}},
	{"an S3 Object Lambda event", []string{"getObjectContext"}},
	{"an S3 Object Lambda event", []string{"headObjectContext"}},
	{"an S3 Object Lambda event", []string{"listObjectsContext"}},
	{"an S3 Object Lambda event", []string{"listObjectsV2Context"}},
	{"an S3 Object Lambda event", []string{"xAmzRequestId", "userRequest"}},
	{"an Auto Scaling event", []string{"AutoScalingGroupARN"}},
	{"an AWS Client VPN event", []string{"connection-id", "endpoint-id"}},
	{"an AWS Config event", []string{"configRuleName"}},
	{"an AWS Config event", []string{"configRuleArn"}},
	{"an AWS Config event", []string{"invokingEvent"}},
	{"a CloudFormation custom resource request", []string{"RequestType", "ResponseURL"}},
	{"a CloudFormation custom resource request", []string{"RequestType", "StackId"}},
	{"a CloudFormation custom resource request", []string{"RequestType", "ResourceProperties"}},
	{"a CloudFormation macro", []string{"transformId", "fragment"}},
	{"a CloudFormation hook", []string{"actionInvocationPoint"}},
	{"a CloudWatch alarm action", []string{"alarmArn"}},
	{"a CloudWatch alarm notification", []string{"AlarmName", "NewStateValue"}},
	{"a CloudWatch Logs subscription event", []string{"awslogs."}},
	{"a CodeDeploy lifecycle hook", []string{"LifecycleEventHookExecutionId"}},
	{"an Amazon ECS deployment hook", []string{"executionDetails", "executionId"}},
	{"a CodePipeline job", []string{"CodePipeline.job"}},
	{"a Cognito user pool trigger", []string{"triggerSource"}},
	{"a Cognito sync trigger", []string{"datasetName", "identityPoolId"}},
	{"an AWS IoT authorizer event", []string{"signatureVerified"}},
	{"an AWS IoT authorizer event", []string{"protocolData"}},
	{"an AWS IoT provisioning event", []string{"templateArn", "certificateId"}},
	{"an AWS IoT button event", []string{"serialNumber", "clickType"}},
	{"an AWS IoT 1-Click event", []string{"deviceEvent", "deviceInfo"}},
	{"an AWS IoT device shadow", []string{"state.reported"}},
	{"an AWS IoT device shadow", []string{"state.desired"}},
	{"a Lambda record of a stream batch", []string{"requestContext.functionArn", "KinesisBatchInfo"}},
	{"a Lambda record of a stream batch", []string{"requestContext.functionArn", "DDBStreamBatchInfo"}},
	{"a Lambda record of a stream batch", []string{"requestContext.functionArn", "KafkaBatchInfo"}},
	{"a Secrets Manager rotation", []string{"SecretId", "ClientRequestToken"}},
	{"a Secrets Manager rotation", []string{"SecretId", "Step"}},
	{"an AWS Transfer Family event", []string{"serverId", "username"}},
	{"an AWS Transfer Family event", []string{"serviceMetadata", "fileLocation"}},
	{"a VPC Lattice event", []string{"requestContext.serviceNetworkArn"}},
	{"a VPC Lattice event", []string{"raw_path", "method"}},
	{"a Huawei Cloud FunctionGraph trigger event", []string{"trigger_type"}},
	{"a Huawei Cloud CTS event", []string{"cts."}},
	{"a Huawei Cloud LTS event", []string{"lts."}},
	{"a Huawei Cloud DIS event", []string{"StreamName", "ShardID"}},
	{"an Azure Event Grid event", []string{"eventType", "dataVersion"}},
	{"an Azure Event Grid event", []string{"eventType", "eventTime"}},
	{"an Azure Functions call", []string{"Data", "Metadata"}},
	{"a Google Cloud Pub/Sub push", []string{"subscription", "message."}},
	{"a Google Cloud background event", []string{"context.eventId"}},
	{"a MongoDB change event", []string{"operationType", "ns."}},
	{"a Kubernetes object", []string{"apiVersion", "kind"}},
}

// otherService names the service whose event an object is, and returns "" for an object that is
// no other service's. It must know another service's event whatever else the object holds.
func otherService(members object) string {
	for _, name := range []string{"eventSource", "EventSource"} {
		if members.has(name) {
			service, isText := members.text(name)
			if !isText {
				return "an event whose " + name + " is not a string"
			}
			if !isBatchSource(service) {
				return nameService("an event of", service)
			}
		}
	}
	if what := otherRecords(members); what != "" {
		return what
	}
	if kind, _ := members.text("type"); (kind == "REQUEST" || kind == "TOKEN") && !members.has("specversion") {
		return "an API Gateway authorizer event"
	}
	first := len(otherServices)
	byMember := otherByMember()
	for _, m := range members {
		for _, line := range byMember[string(m.name)] {
			if line < first && hasAll(members, otherServices[line].members) {
				first = line // the first line counts, whatever the order of the members
			}
		}
	}
	if first == len(otherServices) {
		return ""
	}
	return otherServices[first].what
}

// otherByMember returns the lines of otherServices by the name of their first member, since nearly
// every object has none of them.
var otherByMember = sync.OnceValue(func() map[string][]int {
	lines := make(map[string][]int)
	for i, s := range otherServices {
		name, _, _ := strings.Cut(s.members[0], ".")
		lines[name] = append(lines[name], i)
		if name != s.members[0] { // the name itself may have a dot
			lines[s.members[0]] = append(lines[s.members[0]], i)
		}
	}
	return lines
})

// isBatchSource reports whether a batch of that service has the member eventSource at its top.
func isBatchSource(service string) bool {
	return isKafka(service) || isActiveMQ(service) || service == "aws:rmq"
}

// otherRecords names the service whose records an object has.
func otherRecords(members object) string {
	if record, ok := firstOf(members, "Records"); ok {
		service, other := recordService(record)
		switch {
		case service == sqsEventSource || service == snsEventSource:
			return ""
		case record.has("cf"):
			return "a CloudFront event"
		case other:
			return nameService("a batch of records of", service)
		}
	}
	if record, ok := firstOf(members, "records"); ok && record.has("recordId") {
		return "an Amazon Data Firehose or Kinesis Data Analytics event"
	}
	for _, name := range []string{"record", "records", "events"} {
		record, _ := firstOf(members, name)
		for _, source := range []string{"event_source", "eventSource"} {
			if service, ok := record.text(source); ok {
				return nameService("a batch of records of", service)
			}
		}
	}
	return ""
}

// recordService returns the service that a record of a batch names, and whether it names one.
func recordService(record object) (service string, ok bool) {
	for _, name := range []string{"eventSource", "EventSource"} {
		if record.has(name) {
			service, _ = record.text(name)
			return service, true
		}
	}
	return "", false
}

func nameService(what, service string) string {
	if name := serviceNames[service]; name != "" {
		return fmt.Sprintf("%s %s (%q)", what, name, service)
	}
	return fmt.Sprintf("%s %q", what, shorten(service))
}

// hasAll reports whether an object has all of these members; a dot leads into one.
func hasAll(members object, names []string) bool {
	for _, name := range names {
		if members.has(name) {
			continue
		}
		outer, inner, _ := strings.Cut(name, ".")
		if outer == name || !members.has(outer) {
			return false
		}
		if nested := members.object(outer); nested == nil || (inner != "" && !nested.has(inner)) {
			return false
		}
	}
	return true
}

// firstOf returns the first element of a member that is an array, if that element is an object.
func firstOf(members object, name string) (record object, ok bool) {
	list, _ := members.get(name)
	if list == nil || kind(list) != "array" {
		return nil, false
	}
	at := skipSpace(list, skipSpace(list, 0)+1)
	if list[at] == ']' {
		return nil, false
	}
	record, err := objectOf(list[at:skipValue(list, at)])
	return record, err == nil
}

// unknownPayload describes an object of no known source.
func unknownPayload(members object) string {
	if why := notARequest(members); why != "" && namesBackup(members) {
		return "not a request: " + why
	}
	if len(members) == 0 {
		return "an empty JSON object; " + expectedPayload
	}
	if name, ok := misspelled(members); ok {
		return "not a request: " + unknownMember(name)
	}
	if checkMembers(members) == "" {
		return "a request without backup_id; " + expectedPayload
	}
	return "a JSON object with " + names(members) + ", which is of no known source; " + expectedPayload
}

// names lists the names of an object's first members, for a message.
func names(members object) string {
	const most = 5
	var quoted []string
	for i, m := range members {
		if i == most {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, fmt.Sprintf("%q", shorten(string(m.name))))
	}
	return strings.Join(quoted, ", ")
}
