package event

import (
	"fmt"
	"strings"
)

// strangers are payloads of services that ask for no deletion, told by members that only they have.
var strangers = []struct {
	what    string
	members []string
}{
	{"an API Gateway WebSocket event", []string{"requestContext.connectionId"}},
	{"an API Gateway authorizer event", []string{"methodArn"}},
	{"an API Gateway authorizer event", []string{"routeArn"}},
	{"an AppSync resolver event", []string{"info.fieldName"}},
	{"an Alexa request", []string{"session.application"}},
	{"an Amazon Connect event", []string{"Details.ContactData"}},
	{"an Amazon Data Firehose event", []string{"deliveryStreamArn"}},
	{"an Amazon Lex event", []string{"bot", "inputTranscript"}},
	{"an AWS Config event", []string{"configRuleName"}},
	{"a CloudFormation custom resource request", []string{"RequestType", "ResponseURL"}},
	{"a CloudWatch alarm action", []string{"alarmArn", "alarmData"}},
	{"a CloudWatch Logs subscription event", []string{"awslogs.data"}},
	{"a CodePipeline job", []string{"CodePipeline.job"}},
	{"a Cognito user pool trigger", []string{"triggerSource", "userPoolId"}},
	{"a Cognito sync trigger", []string{"datasetName", "identityPoolId"}},
	{"an Amazon Bedrock agent event", []string{"messageVersion", "agent"}},
	{"an S3 Batch Operations task", []string{"invocationSchemaVersion"}},
	{"an S3 Object Lambda event", []string{"getObjectContext"}},
	{"a Secrets Manager rotation", []string{"SecretId", "ClientRequestToken"}},
	{"a VPC Lattice event", []string{"requestContext.serviceNetworkArn"}},
}

// strange says what a payload of no known shape looks like.
func strange(members object) string {
	const want = "want an event of a source in docs/sources.md, or {\"backup_id\": \"…\"}"
	if why := foreign(members); why != "" && namesBackup(members) {
		return "no request: " + why
	}
	for _, name := range []string{"eventSource", "EventSource"} {
		if _, service := firstRecord(members, name); service != "" {
			return fmt.Sprintf("a batch of %q records, which asks for no deletion; %s", shorten(service), want)
		}
	}
	if service, _ := members.text("eventSource"); service != "" {
		return fmt.Sprintf("an event of %q, which asks for no deletion; %s", shorten(service), want)
	}
	if record, _ := firstRecord(members, ""); record.has("cf") {
		return "a CloudFront event, which asks for no deletion; " + want
	}
	for _, s := range strangers {
		if hasAll(members, s.members) {
			return s.what + ", which asks for no deletion; " + want
		}
	}
	if len(members) == 0 {
		return "an empty JSON object; " + want
	}
	return "a JSON object with " + names(members) + ", which is of no known source; " + want
}

// hasAll reports whether an object has all of these members; a point leads into one.
func hasAll(members object, names []string) bool {
	for _, name := range names {
		outer, inner, _ := strings.Cut(name, ".")
		if !members.has(name) && !members.object(outer).has(inner) {
			return false
		}
	}
	return true
}

// firstRecord returns the first element of the member Records, and the text of one of its members.
func firstRecord(members object, name string) (record object, text string) {
	list, ok := members.get("Records")
	if !ok || kind(list) != "array" {
		return nil, ""
	}
	at := skipSpace(list, skipSpace(list, 0)+1)
	if list[at] == ']' {
		return nil, ""
	}
	record, err := objectOf(list[at:skipValue(list, at)])
	if err != nil {
		return nil, ""
	}
	text, _ = record.text(name)
	return record, text
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
