// Package services recognises the events of cloud services by their members. Its main use is to name
// the events that ask for no deletion, wherever they turn up: as a payload, in a message, in a list.
package services

import (
	"fmt"

	"dds-backup-delete/internal/strictjson"
)

// What the services that bring requests write into the member eventSource.
const (
	// SQS is in the records of Amazon SQS.
	SQS = "aws:sqs"
	// SNS is in the records of Amazon SNS, which spells the member EventSource.
	SNS = "aws:sns"
	// SMN is in the records of Huawei Cloud SMN, which spells the member event_source.
	SMN = "smn"
)

// What the triggers of Huawei FunctionGraph that bring requests write into the member trigger_type.
const (
	// Timer is a schedule.
	Timer = "TIMER"
	// EventGrid is a subscription of EventGrid.
	EventGrid = "EVENTGRID"
)

// names are the services that put their name into the member eventSource.
var names = map[string]string{
	SQS:              "Amazon SQS",
	SNS:              "Amazon SNS",
	"aws:kafka":      "Amazon MSK",
	"aws:mq":         "Amazon MQ for ActiveMQ",
	"aws:amq":        "Amazon MQ for ActiveMQ",
	"aws:rmq":        "Amazon MQ for RabbitMQ",
	"aws:docdb":      "Amazon DocumentDB",
	"aws:dynamodb":   "Amazon DynamoDB Streams",
	"aws:kinesis":    "Amazon Kinesis Data Streams",
	"aws:s3":         "Amazon S3 or Huawei Cloud OBS",
	"aws:ses":        "Amazon SES",
	"aws:codecommit": "AWS CodeCommit",
	"OBS":            "Huawei Cloud OBS",
	"obs":            "Huawei Cloud OBS",
	"dds":            "changed documents of Huawei Cloud DDS",
	"DDS":            "changed documents of Huawei Cloud DDS",
	"gaussmongo":     "changed documents of Huawei Cloud GaussDB(for Mongo)",
	"GAUSSMONGO":     "changed documents of Huawei Cloud GaussDB(for Mongo)",
	"CTS":            "audit records of Huawei Cloud CTS",
	"DIS":            "stream records of Huawei Cloud DIS",
	"LTS":            "log lines of Huawei Cloud LTS",
}

// IsKafka reports whether records of that eventSource are Kafka's. AWS spells a self-managed cluster
// in two ways.
func IsKafka(eventSource string) bool {
	return eventSource == "aws:kafka" || eventSource == "aws:SelfManagedKafka" || eventSource == "SelfManagedKafka"
}

// IsActiveMQ reports whether a batch of that eventSource is ActiveMQ's. Newer and older pages of AWS differ.
func IsActiveMQ(eventSource string) bool { return eventSource == "aws:mq" || eventSource == "aws:amq" }

// IsHuaweiKafka reports whether events of that trigger_type are those of a DMS for Kafka trigger of FunctionGraph.
func IsHuaweiKafka(triggerType string) bool {
	return triggerType == "KAFKA" || triggerType == "OPENSOURCEKAFKA"
}

// Other names the service whose event an object is if that asks for no deletion, for example
// `an event of Amazon S3 ("aws:s3")`; else it is empty. It recognises such an event whatever else the
// object holds.
func Other(members strictjson.Object) string {
	for _, name := range []string{"eventSource", "EventSource", "event_source"} {
		if members.Has(name) {
			service, isText := members.Text(name)
			if !isText {
				return "an event whose " + name + " is not a string"
			}
			if !IsKafka(service) && !IsActiveMQ(service) && service != "aws:rmq" { // their batches have it at the top
				return Describe("an event of", service)
			}
		}
	}
	if what := otherRecords(members); what != "" {
		return what
	}
	if kind, _ := members.Text("type"); (kind == "REQUEST" || kind == "TOKEN") && !members.Has("specversion") {
		return "an API Gateway authorizer event"
	}
	if members.Has("trigger_type") {
		trigger, isText := members.Text("trigger_type")
		switch {
		case !isText:
			return "a Huawei Cloud FunctionGraph event whose trigger_type is not a string"
		case trigger != Timer && trigger != EventGrid && !IsHuaweiKafka(trigger):
			return Describe("a Huawei Cloud FunctionGraph event of", trigger)
		}
	}
	return listed(members)
}

// otherRecords names the service whose records an object has, unless they may be requests.
func otherRecords(members strictjson.Object) string {
	if record, ok := members.FirstObject("Records"); ok {
		service, named := OfRecord(record)
		switch {
		case service == SQS || service == SNS:
			return ""
		case record.Has("cf"):
			return "a CloudFront event"
		case named:
			return Describe("a batch of records of", service)
		}
	}
	if record, ok := members.FirstObject("records"); ok && record.Has("recordId") {
		return "an Amazon Data Firehose or Kinesis Data Analytics event"
	}
	for _, name := range []string{"record", "records", "events"} {
		record, _ := members.FirstObject(name)
		for _, source := range []string{"event_source", "eventSource"} {
			if service, ok := record.Text(source); ok && (name != "record" || service != SMN) {
				return Describe("a batch of records of", service)
			}
		}
	}
	return ""
}

// OfRecord returns the service that a record of a batch names, and whether it names one.
func OfRecord(record strictjson.Object) (service string, named bool) {
	for _, name := range []string{"eventSource", "EventSource", "event_source"} {
		if record.Has(name) {
			service, _ = record.Text(name)
			return service, true
		}
	}
	return "", false
}

// Describe adds the name of a service to what is said of it, for example to "an event of".
func Describe(what, service string) string {
	if name := names[service]; name != "" {
		return fmt.Sprintf("%s %s (%q)", what, name, service)
	}
	return fmt.Sprintf("%s %q", what, strictjson.Shorten(service))
}
