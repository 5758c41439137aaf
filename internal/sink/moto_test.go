package sink_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/contracttest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink"
	"dds-backup-delete/internal/sink/awssink"
	"dds-backup-delete/internal/transport"
)

// moto is EventBridge, SNS and SQS as moto simulates them: with rules, filters and deduplication.
type moto struct {
	t   *testing.T
	bus *eventbridge.Client
	sns *sns.Client
	sqs *sqs.Client
}

// newMoto returns clients of the moto server that MOTO_ENDPOINT names.
func newMoto(t *testing.T) *moto {
	t.Helper()
	endpoint := os.Getenv("MOTO_ENDPOINT")
	if endpoint == "" {
		t.Skip("MOTO_ENDPOINT is not set; make test-aws starts one")
	}
	at, client := aws.String(endpoint), transport.New(transport.Options{Connections: 10})
	return &moto{
		t:   t,
		bus: eventbridge.New(eventbridge.Options{Region: "eu-central-1", BaseEndpoint: at, Credentials: keys, HTTPClient: client, Retryer: aws.NopRetryer{}}),
		sns: sns.New(sns.Options{Region: "eu-central-1", BaseEndpoint: at, Credentials: keys, HTTPClient: client, Retryer: aws.NopRetryer{}}),
		sqs: sqs.New(sqs.Options{Region: "eu-central-1", BaseEndpoint: at, Credentials: keys, HTTPClient: client, Retryer: aws.NopRetryer{}}),
	}
}

var names atomic.Int64

// name returns a name that no other test has.
func name() string { return fmt.Sprintf("outcomes-%d-%d", time.Now().UnixNano(), names.Add(1)) }

func (m *moto) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// queue creates a queue and returns its URL and ARN.
func (m *moto) queue(suffix string) (url, arn string) {
	m.t.Helper()
	attributes := map[string]string{}
	if suffix == ".fifo" {
		attributes["FifoQueue"] = "true"
	}
	made, err := m.sqs.CreateQueue(m.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name() + suffix), Attributes: attributes})
	m.must(err)
	got, err := m.sqs.GetQueueAttributes(m.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	m.must(err)
	return *made.QueueUrl, got.Attributes["QueueArn"]
}

// topic creates a topic and returns its ARN.
func (m *moto) topic(suffix string) string {
	m.t.Helper()
	attributes := map[string]string{}
	if suffix == ".fifo" {
		attributes["FifoTopic"] = "true"
	}
	made, err := m.sns.CreateTopic(m.t.Context(), &sns.CreateTopicInput{Name: aws.String(name() + suffix), Attributes: attributes})
	m.must(err)
	return *made.TopicArn
}

// subscribe has a topic deliver to a queue what the filter policy lets through.
func (m *moto) subscribe(topic, queue, filter string) {
	m.t.Helper()
	attributes := map[string]string{"RawMessageDelivery": "true"}
	if filter != "" {
		attributes["FilterPolicy"] = filter
	}
	_, err := m.sns.Subscribe(m.t.Context(), &sns.SubscribeInput{
		TopicArn: aws.String(topic), Protocol: aws.String("sqs"), Endpoint: aws.String(queue), Attributes: attributes,
	})
	m.must(err)
}

// rule has a bus deliver to a queue what the pattern matches.
func (m *moto) rule(bus, queue, pattern string) {
	m.t.Helper()
	rule := aws.String(name())
	_, err := m.bus.PutRule(m.t.Context(), &eventbridge.PutRuleInput{Name: rule, EventBusName: aws.String(bus), EventPattern: aws.String(pattern)})
	m.must(err)
	_, err = m.bus.PutTargets(m.t.Context(), &eventbridge.PutTargetsInput{
		Rule: rule, EventBusName: aws.String(bus), Targets: []ebtypes.Target{{Id: aws.String("queue"), Arn: aws.String(queue)}},
	})
	m.must(err)
}

// receive returns all messages of a queue and deletes them.
func (m *moto) receive(url string) []sqstypes.Message {
	m.t.Helper()
	var all []sqstypes.Message
	for {
		out, err := m.sqs.ReceiveMessage(m.t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: aws.String(url), MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameAll},
		})
		m.must(err)
		if len(out.Messages) == 0 {
			return all
		}
		for _, message := range out.Messages {
			_, err := m.sqs.DeleteMessage(m.t.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(url), ReceiptHandle: message.ReceiptHandle})
			m.must(err)
		}
		all = append(all, out.Messages...)
	}
}

func bodiesOf(t *testing.T, messages []sqstypes.Message) []string {
	t.Helper()
	var bodies []string
	for _, m := range messages {
		contracttest.Check(t, "outcome-event.json", []byte(*m.Body))
		bodies = append(bodies, *m.Body)
	}
	slices.Sort(bodies)
	return bodies
}

// ofType returns the bodies of the events whose types end so, sorted; all of them without a suffix.
func ofType(events []deletion.Event, suffixes ...string) []string {
	var bodies []string
	for _, e := range events {
		if len(suffixes) == 0 || slices.ContainsFunc(suffixes, func(s string) bool { return e.Type == deletion.TypePrefix+s+".v1" }) {
			bodies = append(bodies, string(e.JSON))
		}
	}
	slices.Sort(bodies)
	return bodies
}

// publish publishes the events and expects that all are taken.
func publish(t *testing.T, s deletion.Sink, events []deletion.Event) {
	t.Helper()
	for i, err := range s.Publish(t.Context(), events) {
		if err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
}

func TestMotoBusToQueue(t *testing.T) {
	m := newMoto(t)
	made, err := m.bus.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String(name())})
	m.must(err)
	bus := *made.EventBusArn
	allURL, all := m.queue("")
	failedURL, failed := m.queue("")
	busName := bus[strings.LastIndex(bus, "/")+1:]
	m.rule(busName, all, documented(t, "rule for all")[0])
	m.rule(busName, failed, documented(t, "rule")[0])
	events := outcomes(t, 20)
	publish(t, awssink.NewEventBridge(m.bus, parse(bus), sink.EventSource), events)

	details := func(url string) []string {
		var details []string
		for _, message := range m.receive(url) {
			var got struct {
				Source     string
				DetailType string `json:"detail-type"`
				Resources  []string
				Detail     json.RawMessage
			}
			if err := json.Unmarshal([]byte(*message.Body), &got); err != nil {
				t.Fatal(err)
			}
			var e struct{ ID, Type, Source, Subject string }
			if err := json.Unmarshal(got.Detail, &e); err != nil {
				t.Fatal(err)
			}
			want := []string{e.Source + ":" + e.Subject}
			if e.Subject == "" {
				want = []string{}
			}
			if got.Source != "dds-backup-delete" || got.DetailType != e.Type || !cmp.Equal(got.Resources, want) {
				t.Errorf("message %s", *message.Body)
			}
			contracttest.Check(t, "outcome-event.json", got.Detail)
			details = append(details, canonical(t, got.Detail))
		}
		slices.Sort(details)
		return details
	}
	// The bus parses JSON and writes it again, so only its meaning must be the same.
	same := func(bodies []string) []string {
		for i := range bodies {
			bodies[i] = canonical(t, []byte(bodies[i]))
		}
		slices.Sort(bodies)
		return bodies
	}
	if diff := cmp.Diff(same(ofType(events)), details(allURL)); diff != "" {
		t.Errorf("all events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(same(ofType(events, "not_found", "rejected")), details(failedURL)); diff != "" {
		t.Errorf("events of the narrow rule (-want +got):\n%s", diff)
	}
}

// canonical returns JSON with its members in order.
func canonical(t *testing.T, text []byte) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMotoTopicToQueue(t *testing.T) {
	m := newMoto(t)
	topic := m.topic("")
	allURL, all := m.queue("")
	failedURL, failed := m.queue("")
	elsewhereURL, elsewhere := m.queue("")
	m.subscribe(topic, all, "")
	m.subscribe(topic, failed, documented(t, "filter policy")[0])
	m.subscribe(topic, elsewhere, `{"project_id":["another"]}`)
	events := outcomes(t, 20)
	publish(t, awssink.NewSNS(m.sns, parse(topic)), events)

	if diff := cmp.Diff(ofType(events), bodiesOf(t, m.receive(allURL))); diff != "" {
		t.Errorf("all events, to the byte (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ofType(events, "not_found", "rejected"), bodiesOf(t, m.receive(failedURL))); diff != "" {
		t.Errorf("events that pass the filter (-want +got):\n%s", diff)
	}
	if got := m.receive(elsewhereURL); len(got) != 0 {
		t.Errorf("%d events of another project", len(got))
	}
}

func TestMotoQueue(t *testing.T) {
	m := newMoto(t)
	url, arn := m.queue("")
	s, err := awssink.NewSQS(m.sqs, parse(arn))
	m.must(err)
	events := outcomes(t, 20)
	publish(t, s, events)
	got := m.receive(url)
	if diff := cmp.Diff(ofType(events), bodiesOf(t, got)); diff != "" {
		t.Errorf("all events, to the byte (-want +got):\n%s", diff)
	}
	for _, message := range got {
		var e struct {
			Type string
			Data deletion.Data
		}
		if err := json.Unmarshal([]byte(*message.Body), &e); err != nil {
			t.Fatal(err)
		}
		attributes := make(map[string]string)
		for name, value := range message.MessageAttributes {
			attributes[name] = aws.ToString(value.StringValue)
		}
		want := map[string]string{"type": e.Type, "status": string(e.Data.Status), "project_id": project}
		if diff := cmp.Diff(want, attributes); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
		// The trace header is not checked: moto leaves out the system attributes of a batch.
	}
}

// A FIFO topic or queue drops the repeat of an outcome, and keeps outcomes of one backup in order.
func TestMotoFIFO(t *testing.T) {
	m := newMoto(t)
	topic := m.topic(".fifo")
	subscribedURL, subscribed := m.queue(".fifo")
	m.subscribe(topic, subscribed, "")
	directURL, direct := m.queue(".fifo")
	queue, err := awssink.NewSQS(m.sqs, parse(direct))
	m.must(err)
	events := outcomes(t, 5)
	for url, s := range map[string]deletion.Sink{subscribedURL: awssink.NewSNS(m.sns, parse(topic)), directURL: queue} {
		publish(t, s, events)
		publish(t, s, events)
		got := m.receive(url)
		if diff := cmp.Diff(ofType(events), bodiesOf(t, got)); diff != "" {
			t.Errorf("each event once (-want +got):\n%s", diff)
		}
		for _, message := range got {
			var e struct{ ID, Subject string }
			if err := json.Unmarshal([]byte(*message.Body), &e); err != nil {
				t.Fatal(err)
			}
			group := e.Subject
			if group == "" {
				group = e.ID
			}
			if message.Attributes["MessageGroupId"] != group || message.Attributes["MessageDeduplicationId"] != e.ID {
				t.Errorf("attributes %v of event %s of backup %s", message.Attributes, e.ID, e.Subject)
			}
		}
	}
}

// A queue that does not exist is a permanent error for all events.
func TestMotoNoSuchQueue(t *testing.T) {
	m := newMoto(t)
	s, err := awssink.NewSQS(m.sqs, parse("arn:aws:sqs:eu-central-1:123456789012:"+name()))
	m.must(err)
	for i, err := range s.Publish(t.Context(), outcomes(t, 1)) {
		if err == nil || !strings.Contains(err.Error(), "NonExistentQueue") && !strings.Contains(err.Error(), "QueueDoesNotExist") {
			t.Errorf("event %d: %v", i, err)
		}
	}
}
