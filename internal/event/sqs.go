package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/deletion"
)

// SourceSQS is a batch of an Amazon SQS queue.
const SourceSQS deletion.Source = "sqs"

const sqsEventSource = "aws:sqs"

// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
var sqsShape = shape{
	source: SourceSQS,
	fits: func(members object) error {
		records, err := sqsRecords(members)
		if err != nil || len(records) == 0 {
			return err // an empty batch asks for nothing, whoever sent it
		}
		first, err := parseObject(records[0])
		if err != nil {
			return fmt.Errorf("record 0 is %w", err)
		}
		if err := want(first, "eventSource", sqsEventSource); err != nil {
			return fmt.Errorf("record 0: %w", err)
		}
		return nil
	},
	decode: decodeSQS,
}

func sqsRecords(members object) ([]json.RawMessage, error) {
	value, ok := members.get("Records")
	if !ok {
		return nil, fmt.Errorf("the member Records: %w", errNoMember)
	}
	var records []json.RawMessage
	if kind(value) != "array" {
		return nil, fmt.Errorf("the member Records is a JSON %s, want an array", kind(value))
	}
	return records, json.Unmarshal(value, &records)
}

// decodeSQS reads one request from each message. A message without an id could be neither
// acknowledged nor given back, so it fails the batch before any work is done.
func decodeSQS(_ []byte, members object, _ string) (*Batch, error) {
	records, err := sqsRecords(members)
	if err != nil {
		return nil, err
	}
	batch := &Batch{Requests: make([]deletion.Request, 0, len(records)), reply: replySQS}
	for i, text := range records {
		record, err := parseObject(text)
		if err != nil {
			return nil, fmt.Errorf("record %d is %w", i, err)
		}
		id, _ := record.text("messageId")
		if id == "" {
			return nil, fmt.Errorf("record %d: messageId: missing or empty", i)
		}
		request, echo := requestOfMessage(record)
		if echo {
			batch.Echoes = append(batch.Echoes, id)
			continue
		}
		request.ID = id
		batch.Requests = append(batch.Requests, request)
	}
	return batch, nil
}

// requestOfMessage reads the request of one message, unless that is an echo.
func requestOfMessage(record object) (r deletion.Request, echo bool) {
	if err := want(record, "eventSource", sqsEventSource); err != nil {
		return refused(err.Error()), false
	}
	body, ok := record.text("body")
	if !ok {
		return refused("body: missing or no string"), false
	}
	r = parseRequest([]byte(body))
	r.TraceParent = messageTraceParent(record)
	r.Redelivered = redelivered(record)
	return r, r.Err != nil && isEcho([]byte(body))
}

// redelivered reports whether a message was received before.
func redelivered(record object) bool {
	value, ok := record.get("attributes")
	if !ok {
		return false
	}
	var attributes struct{ ApproximateReceiveCount string }
	count := 0
	if err := json.Unmarshal(value, &attributes); err == nil {
		count, _ = strconv.Atoi(attributes.ApproximateReceiveCount) // no number is no evidence
	}
	return count > 1
}

// messageTraceParent returns the trace context that a message carries as an attribute.
func messageTraceParent(record object) string {
	value, ok := record.get("messageAttributes")
	if !ok {
		return ""
	}
	var attributes map[string]struct {
		StringValue string `json:"stringValue"`
	}
	if err := json.Unmarshal(value, &attributes); err != nil {
		return ""
	}
	return traceParent(attributes["traceparent"].StringValue)
}

// replySQS gives back the messages that need another try; all others are deleted from the queue.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func replySQS(outcomes []deletion.Outcome) ([]byte, error) {
	// Never null: an empty list says plainly that all went well.
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i := range outcomes {
		if outcomes[i].Status == deletion.Retry {
			response.BatchItemFailures = append(response.BatchItemFailures,
				events.SQSBatchItemFailure{ItemIdentifier: outcomes[i].Request.ID})
		}
	}
	reply, err := json.Marshal(response)
	if err != nil {
		return nil, errors.Join(errors.New("the reply could not be written"), err)
	}
	return reply, nil
}
