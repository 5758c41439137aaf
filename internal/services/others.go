package services

import (
	"slices"
	"strings"
	"sync"

	"dds-backup-delete/internal/strictjson"
)

// others are events that ask for no deletion. An object is such an event if it has all the members of
// one of the lists. A dot leads into a first member that is an object; with nothing behind the dot, the
// member only has to be an object. No known source has these members, so they are looked for before
// anything else.
var others = []struct {
	what  string
	lists []string // each is member names with a space between them
}{
	{"an API Gateway authorizer event", []string{"methodArn", "routeArn", "identitySource"}},
	{"an API Gateway WebSocket event", []string{"requestContext.connectionId", "requestContext.messageDirection"}},
	{"an AppSync authorizer event", []string{"authorizationToken"}},
	{"an AppSync resolver event", []string{"info.fieldName", "info.parentTypeName", "arguments. identity"}},
	{"an AppSync Events handler", []string{"info.channel"}},
	{"an Alexa request", []string{"session.application", "session.sessionId", "context.System"}},
	{"an Alexa Smart Home directive", []string{"directive.header"}},
	{"an Amazon Aurora or Redshift function call", []string{"external_function"}},
	{"an Amazon Athena federation request", []string{"@type"}},
	{"an Amazon Bedrock agent event", []string{"messageVersion agent", "messageVersion actionGroup"}},
	{"an Amazon Bedrock flow event", []string{"messageVersion flow"}},
	{"an Amazon Chime event", []string{"InvocationEventType"}},
	{"an Amazon Connect event", []string{"Details.ContactData"}},
	{"an Amazon Data Firehose event", []string{"deliveryStreamArn"}},
	{"an Amazon Kinesis Data Analytics event", []string{"applicationArn"}},
	{"an Amazon Lex event", []string{"bot inputTranscript", "bot currentIntent", "bot sessionState", "bot invocationSource"}},
	{"an Amazon Pinpoint event", []string{"ApplicationId Endpoints"}},
	{"an Amazon SES notification", []string{"mail.messageId"}},
	{"an Amazon SageMaker labeling job", []string{"labelingJobArn"}},
	{"an Amazon WorkMail event", []string{"summaryVersion"}},
	{"an S3 test event", []string{"Service Bucket HostId"}},
	{"an S3 Batch Operations task", []string{"invocationSchemaVersion"}},
	{"an S3 Object Lambda event", []string{"getObjectContext", "headObjectContext", "listObjectsContext", "listObjectsV2Context", "xAmzRequestId userRequest"}},
	{"an Auto Scaling event", []string{"AutoScalingGroupARN"}},
	{"an AWS Client VPN event", []string{"connection-id endpoint-id"}},
	{"an AWS Config event", []string{"configRuleName", "configRuleArn", "invokingEvent"}},
	{"a CloudFormation custom resource request", []string{"RequestType ResponseURL", "RequestType StackId", "RequestType ResourceProperties"}},
	{"a CloudFormation macro", []string{"transformId fragment"}},
	{"a CloudFormation hook", []string{"actionInvocationPoint"}},
	{"a CloudWatch alarm action", []string{"alarmArn"}},
	{"a CloudWatch alarm notification", []string{"AlarmName NewStateValue"}},
	{"a CloudWatch Logs subscription event", []string{"awslogs."}},
	{"a CodeDeploy lifecycle hook", []string{"LifecycleEventHookExecutionId"}},
	{"an Amazon ECS deployment hook", []string{"executionDetails executionId"}},
	{"a CodePipeline job", []string{"CodePipeline.job"}},
	{"a Cognito user pool trigger", []string{"triggerSource"}},
	{"a Cognito sync trigger", []string{"datasetName identityPoolId"}},
	{"an AWS IoT authorizer event", []string{"signatureVerified", "protocolData"}},
	{"an AWS IoT provisioning event", []string{"templateArn certificateId"}},
	{"an AWS IoT button event", []string{"serialNumber clickType"}},
	{"an AWS IoT 1-Click event", []string{"deviceEvent deviceInfo"}},
	{"an AWS IoT device shadow", []string{"state.reported", "state.desired"}},
	{"a Lambda record of a stream batch", []string{"requestContext.functionArn KinesisBatchInfo", "requestContext.functionArn DDBStreamBatchInfo", "requestContext.functionArn KafkaBatchInfo"}},
	{"a Secrets Manager rotation", []string{"SecretId ClientRequestToken", "SecretId Step"}},
	{"an AWS Transfer Family event", []string{"serverId username", "serviceMetadata fileLocation"}},
	{"a VPC Lattice event", []string{"requestContext.serviceNetworkArn", "raw_path method"}},
	{"a Huawei Cloud CTS event, an audit record of what was done", []string{"cts."}},
	{"a Huawei Cloud LTS event, log lines", []string{"lts."}},
	{"a Huawei Cloud DIS event", []string{"StreamName ShardID"}},
	{"an Azure Event Grid event", []string{"eventType dataVersion", "eventType eventTime"}},
	{"an Azure Functions call", []string{"Data Metadata"}},
	{"a Google Cloud Pub/Sub push", []string{"message. subscription"}},
	{"a Google Cloud background event", []string{"context.eventId"}},
	{"a MongoDB change event", []string{"ns. operationType"}},
	{"a Kubernetes object", []string{"apiVersion kind"}},
}

// list is one of the lists of others, by its first member.
type list struct {
	place  int      // in others
	dotted bool     // the member must be an object
	inner  string   // what that must have; empty for anything
	others []string // the other members
}

// listsByMember returns the lists by the name of their first member, since nearly every object has
// none of them.
var listsByMember = sync.OnceValue(func() map[string][]list {
	found := make(map[string][]list)
	for place, other := range others {
		for _, text := range other.lists {
			names := strings.Fields(text)
			found[names[0]] = append(found[names[0]], list{place: place, others: names[1:]}) // a name may have a dot
			if outer, inner, dotted := strings.Cut(names[0], "."); dotted {
				found[outer] = append(found[outer], list{place, true, inner, names[1:]})
			}
		}
	}
	return found
})

// listed names the event of others that an object is; empty if it is none of them.
func listed(members strictjson.Object) string {
	first := len(others)
	byMember := listsByMember()
	for _, m := range members {
		lists := byMember[string(m.Name)]
		var nested strictjson.Object
		if len(lists) > 0 {
			nested, _ = m.Value.Object() // another value has no members
		}
		for _, l := range lists {
			fits := !l.dotted || nested != nil && (l.inner == "" || nested.Has(l.inner))
			if fits && l.place < first && !slices.ContainsFunc(l.others, func(name string) bool { return !members.Has(name) }) {
				first = l.place // the first line counts, whatever the order of the members
			}
		}
	}
	if first == len(others) {
		return ""
	}
	return others[first].what
}
