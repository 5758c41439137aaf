package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"dds-backup-delete/internal/secret"
)

// StdoutSink is the OUTCOME_SINK that writes to standard output.
const StdoutSink = "stdout"

// The modes of CloudEvents over HTTP.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
const (
	// StructuredMode sends the whole event as the body.
	StructuredMode = "structured"
	// BinaryMode sends the data as the body and the attributes as headers.
	BinaryMode = "binary"
)

// SinkKind says what takes the outcomes.
type SinkKind string

// The kinds of a [Sink].
const (
	Stdout  SinkKind = StdoutSink
	Bus     SinkKind = "events"
	Topic   SinkKind = "sns"
	Queue   SinkKind = "sqs"
	Address SinkKind = "http"
)

// Sink is what OUTCOME_SINK names.
type Sink struct {
	// Kind is empty where OUTCOME_SINK names nothing that takes outcomes.
	Kind SinkKind
	// Region is the AWS region of a bus, topic or queue, which may be another than the function's.
	Region string
}

// wantSink is what OUTCOME_SINK may be.
const wantSink = "expected the ARN of an event bus (arn:aws:events:<region>:<account>:event-bus/<name>), " +
	"of an SNS topic (arn:aws:sns:<region>:<account>:<name>) or of an SQS queue (arn:aws:sqs:<region>:<account>:<name>), " +
	"an https:// address, or stdout"

// sinkARN is the ARN of a bus, a topic or a queue.
var sinkARN = expression(`^arn:aws[a-z-]*:(events|sns|sqs):([a-z0-9-]+):\d{12}:(event-bus/[/.\-_A-Za-z0-9]+|[A-Za-z0-9_-]+(?:\.fifo)?)$`)

// The longest names of topics and queues, ".fifo" included.
const (
	maxTopic = 256
	maxQueue = 80
)

// Sink returns what OutcomeSink names.
func (c *Config) Sink() Sink {
	switch {
	case c.OutcomeSink == StdoutSink:
		return Sink{Kind: Stdout}
	case isAddress(c.OutcomeSink):
		if checkSinkAddress(c.OutcomeSink) != nil {
			return Sink{}
		}
		return Sink{Kind: Address}
	}
	parts := sinkARN().FindStringSubmatch(c.OutcomeSink)
	if parts == nil {
		return Sink{}
	}
	kind, name := SinkKind(parts[1]), parts[3]
	isBus := strings.HasPrefix(name, "event-bus/")
	if isBus != (kind == Bus) || (kind == Topic && len(name) > maxTopic) || (kind == Queue && len(name) > maxQueue) {
		return Sink{}
	}
	return Sink{Kind: kind, Region: parts[2]}
}

// checkSink checks what says where outcomes go.
func (c *Config) checkSink() []error {
	faults := c.checkOutcomeSink()
	if source := c.OutcomeSource; utf8.RuneCountInString(source) > 256 || strings.HasPrefix(strings.ToLower(source), "aws.") {
		faults = append(faults, fmt.Errorf("OUTCOME_SOURCE: %s is not a source; "+
			"expected 1 to 256 characters that do not begin with aws., which AWS keeps for itself, for example dds-backup-delete", quote(source)))
	}
	if c.HTTPMode != StructuredMode && c.HTTPMode != BinaryMode {
		faults = append(faults, fmt.Errorf("OUTCOME_HTTP_MODE: %s is not a mode; expected structured or binary", quote(c.HTTPMode)))
	}
	if _, err := c.HTTPKey(); err != nil && checkSecret("OUTCOME_HTTP_SECRET", c.HTTPSecret.Reveal()) == nil {
		faults = append(faults, err)
	}
	return append(faults, c.checkRequestSources()...)
}

func (c *Config) checkOutcomeSink() []error {
	switch kind := c.Sink().Kind; kind {
	case Stdout:
		// A function cannot see what will invoke it, and behind a queue nobody reads its output.
		if c.LambdaRuntimeAPI != "" && !c.AllowStdout {
			return []error{errors.New(`OUTCOME_SINK: "stdout" is not a sink in Lambda, where only the log would have the outcomes of a queue; ` +
				"expected the ARN of an event bus, topic or queue, or an https:// address, or ALLOW_STDOUT=true where the log is enough")}
		}
		return nil
	case Address:
		return nil
	case Bus, Topic, Queue:
		return c.checkAWSKeys("OUTCOME_SINK")
	default:
		if isAddress(c.OutcomeSink) {
			return []error{fmt.Errorf("OUTCOME_SINK: %s %w", quoteAddress(c.OutcomeSink), checkSinkAddress(c.OutcomeSink))}
		}
		return []error{fmt.Errorf("OUTCOME_SINK: %s is not a sink; %s", quoteAddress(c.OutcomeSink), wantSink)}
	}
}

func isAddress(s string) bool {
	scheme, _, ok := strings.Cut(s, "://")
	return ok && (strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http"))
}

// checkSinkAddress says why outcomes cannot be sent to an address. Plain HTTP is for this machine
// only: a token would cross the network for all to read.
func checkSinkAddress(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Fragment != "":
		return errors.New("is not an address; expected for example https://broker.example.com/default")
	case !isPort(u.Port()):
		return errors.New("has a port that cannot be; expected 1 to 65535, for example https://broker.example.com:8443/default")
	case u.User != nil:
		return errors.New("has a user or password in it; expected an address without, and a token in OUTCOME_HTTP_TOKEN")
	case strings.HasPrefix(u.Hostname(), "sqs.") && strings.Contains(u.Hostname(), ".amazonaws.com"):
		return errors.New("is the URL of a queue; expected its ARN, for example arn:aws:sqs:eu-central-1:123456789012:outcomes")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return errors.New("is not encrypted (http:// is for 127.0.0.1 only); expected https://, for example https://broker.example.com/default")
	default:
		return nil
	}
}

// isPort reports whether a port can be dialled; it may be left out.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || (err == nil && n > 0)
}

// HTTPKey returns the key that HTTP requests are signed with; empty where there is none.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func (c *Config) HTTPKey() (secret.String, error) {
	if c.HTTPSecret.IsZero() {
		return secret.String{}, nil
	}
	text, prefixed := strings.CutPrefix(c.HTTPSecret.Reveal(), "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if !prefixed || err != nil || len(key) < 24 || len(key) > 64 {
		return secret.String{}, errors.New("OUTCOME_HTTP_SECRET: is not a secret of Standard Webhooks; expected whsec_ and then 24 to 64 bytes in base64")
	}
	return secret.New(string(key)), nil
}

// checkRequestSources wants another sink than the sources: an outcome that came in as a request
// would go round and round.
func (c *Config) checkRequestSources() []error {
	for _, source := range c.RequestSources {
		if !strings.HasPrefix(source, "arn:") || strings.Count(source, ":") < 5 {
			return []error{fmt.Errorf("REQUEST_SOURCES: %s is not an ARN; expected the ARNs of the queues, topics and buses "+
				"that requests come from, with commas between them, for example arn:aws:sqs:eu-central-1:123456789012:requests", quote(source))}
		}
	}
	if slices.Contains(c.RequestSources, c.OutcomeSink) {
		return []error{fmt.Errorf("OUTCOME_SINK: %s is one of REQUEST_SOURCES, so that outcomes would come in again; expected another one", quoteAddress(c.OutcomeSink))}
	}
	return nil
}
