package sinktest

import (
	"crypto/md5" //nolint:gosec // SQS answers with it, and clients check it
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
)

// NewSQS starts the SendMessageBatch call of Amazon SQS. It fails each entry for which refuse returns
// a refusal, in an answer that otherwise succeeds; nil refuses none.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
func NewSQS(refuse func(Message) *Refusal) *Broker {
	b := &Broker{refuse: refuse}
	b.Server = httptest.NewServer(http.HandlerFunc(b.sqs))
	return b
}

type attribute struct{ DataType, StringValue string }

func (b *Broker) sqs(w http.ResponseWriter, r *http.Request) {
	var in struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []struct {
			ID                                                  string `json:"Id"`
			MessageBody, MessageGroupID, MessageDeduplicationID string
			MessageAttributes, MessageSystemAttributes          map[string]attribute
		}
	}
	err := json.NewDecoder(limit(w, r).Body).Decode(&in)
	if target := r.Header.Get("X-Amz-Target"); err != nil || target != "AmazonSQS.SendMessageBatch" {
		http.Error(w, fmt.Sprintf(`{"__type":"InvalidAction","message":"%s, %v"}`, target, err), http.StatusBadRequest)
		return
	}
	batch := make([]Message, len(in.Entries))
	bodies := make(map[string]string, len(in.Entries))
	for i, e := range in.Entries {
		batch[i] = Message{
			ID: e.ID, To: in.QueueURL, Body: e.MessageBody, Attributes: make(map[string]string), GroupID: e.MessageGroupID,
			DeduplicationID: e.MessageDeduplicationID, TraceHeader: e.MessageSystemAttributes["AWSTraceHeader"].StringValue,
		}
		for name, a := range e.MessageAttributes {
			if a.DataType == "String" {
				batch[i].Attributes[name] = a.StringValue
			}
		}
		bodies[e.ID] = e.MessageBody
	}
	results, code := b.take(batch)
	if code != "" {
		http.Error(w, fmt.Sprintf(`{"__type":"com.amazonaws.sqs#%s"}`, code), http.StatusBadRequest)
		return
	}
	type successful struct {
		ID               string `json:"Id"`
		MessageID        string `json:"MessageId"`
		MD5OfMessageBody string
	}
	type failed struct {
		ID            string `json:"Id"`
		Code, Message string
		SenderFault   bool
	}
	var out struct {
		Successful []successful
		Failed     []failed
	}
	for _, result := range results {
		if result.refused != nil {
			out.Failed = append(out.Failed, failed{result.entry, result.refused.Code, "refused by the test", result.refused.SenderFault})
			continue
		}
		sum := md5.Sum([]byte(bodies[result.entry])) //nolint:gosec // as above
		out.Successful = append(out.Successful, successful{result.entry, result.id, hex.EncodeToString(sum[:])})
	}
	answerJSON(w, "application/x-amz-json-1.0", out)
}
