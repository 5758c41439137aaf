package config

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/secret"
)

// SinkKind says what takes the outcomes.
type SinkKind string

// The kinds of a [Sink].
const (
	Stdout      SinkKind = "stdout"
	EventBridge SinkKind = "EventBridge"
	SNS         SinkKind = "SNS"
	SQS         SinkKind = "SQS"
	SMN         SinkKind = "SMN"
	HTTP        SinkKind = "an https:// address"
)

// Sink is what OUTCOME_SINK and the variables about it say.
type Sink struct {
	// Kind decides which of the other fields are used.
	Kind SinkKind
	// ARN is that of a bus, topic or queue, whose region may be another than the function's.
	ARN arn.ARN
	// Topic is that of SMN, and Endpoint the address of SMN in its region.
	Topic    SMNTopic
	Endpoint string
	// Source is the source of the entries on a bus.
	Source string
	// Address takes CloudEvents over HTTP. Its path and query may be secret.
	Address *url.URL
	// Binary chooses the binary mode of CloudEvents over HTTP instead of the structured one.
	// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
	Binary bool
	// Token is a bearer token, and Key signs the requests. Both may be empty.
	Token, Key secret.String
}

// String returns the name of the sink for people: of an address the host alone.
func (s Sink) String() string {
	switch s.Kind {
	case Stdout:
		return string(Stdout)
	case HTTP:
		return s.Address.Scheme + "://" + s.Address.Host
	case SMN:
		return s.Topic.String()
	default:
		return s.ARN.String()
	}
}

// wantSink says what OUTCOME_SINK may be: what the program has on this host.
func wantSink() string {
	const onAWS = "the ARN of an event bus (arn:aws:events:<region>:<account>:event-bus/<name>), " +
		"of an SNS topic (arn:aws:sns:<region>:<account>:<name>) or of an SQS queue (arn:aws:sqs:<region>:<account>:<name>)"
	const onHuawei = "the URN of an SMN topic (" + formOfURN + ")"
	switch {
	case InLambda():
		return "expected " + onAWS + ", or an https:// address"
	case InFunctionGraph():
		return "expected " + onHuawei + ", or an https:// address"
	default:
		return "expected " + onAWS + ", " + onHuawei + ", an https:// address, or stdout"
	}
}

// sinkKinds are the kinds by the service in an ARN.
var sinkKinds = map[string]SinkKind{"events": EventBridge, "sns": SNS, "sqs": SQS}

func (p *parser) sink() Sink {
	s := Sink{Source: p.OutcomeSource, Binary: p.HTTPMode == "binary", Token: secretOf("OUTCOME_HTTP_TOKEN")}
	p.target(&s)
	if utf8.RuneCountInString(s.Source) > 256 || strings.HasPrefix(strings.ToLower(s.Source), "aws.") {
		p.fault("OUTCOME_SOURCE: %s is not a source; "+
			"expected 1 to 256 characters that do not begin with aws., which AWS keeps for itself, for example dds-backup-delete", quote(s.Source))
	}
	if !s.Binary && p.HTTPMode != "structured" {
		p.fault("OUTCOME_HTTP_MODE: %s is not a mode; expected structured or binary", quote(p.HTTPMode))
	}
	s.Key = p.httpKey()
	return s
}

// target finds the kind of the sink, and where it is.
func (p *parser) target(s *Sink) {
	s.ARN, _ = arn.Parse(p.OutcomeSink)
	scheme, _, isAddress := strings.Cut(strings.ToLower(p.OutcomeSink), "://")
	switch {
	case p.OutcomeSink == string(Stdout):
		s.Kind = Stdout
		// A function cannot see what will invoke it, and behind a queue its output is lost.
		if (InLambda() || InFunctionGraph()) && !p.AllowStdout {
			p.fault(`OUTCOME_SINK: "stdout" is not a sink in Lambda or FunctionGraph, where only the log would have the outcomes of a queue; `+
				"%s, or ALLOW_STDOUT=true where the log is enough", wantSink())
		}
	case isAddress && (scheme == "https" || scheme == "http"):
		s.Kind, s.Address = HTTP, p.sinkAddress()
	case sinkKinds[s.ARN.Service] != "":
		s.Kind = sinkKinds[s.ARN.Service]
		p.needAWSKeys("OUTCOME_SINK")
	case strings.HasPrefix(p.OutcomeSink, "urn:"):
		s.Kind = SMN
		s.Topic, s.Endpoint = p.smnTopic()
	default:
		p.fault("OUTCOME_SINK: %s is not a sink; %s", quoteAddress(p.OutcomeSink), wantSink())
	}
}

// sinkAddress returns the address that outcomes are sent to. Plain HTTP is for this machine only,
// because otherwise a token would cross the network for all to read.
func (p *parser) sinkAddress() *url.URL {
	u, err := url.Parse(p.OutcomeSink)
	var problem string
	switch {
	case err != nil || u.Hostname() == "" || u.Fragment != "":
		problem = "is not an address; expected for example https://broker.example.com/default"
	case !isPort(u.Port()):
		problem = "has a port that does not exist; expected 1 to 65535, for example https://broker.example.com:8443/default"
	case u.User != nil:
		problem = "has a user or password in it; expected an address without, and a token in OUTCOME_HTTP_TOKEN"
	case strings.HasPrefix(u.Hostname(), "sqs.") && strings.Contains(u.Hostname(), ".amazonaws.com"):
		problem = "is the URL of a queue; expected its ARN, for example arn:aws:sqs:eu-central-1:123456789012:outcomes"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		problem = "is not encrypted (http:// is for 127.0.0.1 only); expected https://, for example https://broker.example.com/default"
	default:
		return u
	}
	p.fault("OUTCOME_SINK: %s %s", quoteAddress(p.OutcomeSink), problem)
	return nil
}

// isPort reports whether a port can be dialled; it may be left out.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || (err == nil && n > 0)
}

// httpKey returns the key that HTTP requests are signed with; empty if there is none.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func (p *parser) httpKey() secret.String {
	value := lookup("OUTCOME_HTTP_SECRET")
	if value == "" || checkSecret("OUTCOME_HTTP_SECRET", value) != nil { // which is a fault already
		return secret.String{}
	}
	text, prefixed := strings.CutPrefix(value, "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if !prefixed || err != nil || len(key) < 24 || len(key) > 64 {
		p.fault("OUTCOME_HTTP_SECRET: is not a secret of Standard Webhooks; expected whsec_ and then 24 to 64 bytes in base64")
	}
	return secret.New(string(key))
}

// requestSources checks that the sink is not one of the sources: an outcome that came in as a request
// would go round and round.
func (p *parser) requestSources() []string {
	for _, source := range p.RequestSources {
		isARN := strings.HasPrefix(source, "arn:") && strings.Count(source, ":") >= 5
		if _, problem := parseSMNTopic(source); !isARN && problem != "" {
			p.fault("REQUEST_SOURCES: %s is not an ARN and not the URN of an SMN topic; expected those of the queues, topics and buses "+
				"that requests come from, with commas between them, for example arn:aws:sqs:eu-central-1:123456789012:requests", quote(source))
			return nil
		}
	}
	if slices.Contains(p.RequestSources, p.OutcomeSink) {
		p.fault("OUTCOME_SINK: %s is one of REQUEST_SOURCES; outcomes would come in as requests; expected another sink", quoteAddress(p.OutcomeSink))
	}
	return p.RequestSources
}
