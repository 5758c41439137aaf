// Package config reads the environment once, at start, and holds it as typed values. Nothing else in
// the program reads the environment.
package config

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/spelling"
)

// Config is the configuration. docs/configuration.md says which variables it comes from.
type Config struct {
	// Credentials are those of Huawei Cloud.
	Credentials Credentials
	// ProjectID is the default project; empty if it must be looked up at IAM.
	ProjectID string
	// Region is the default region. It may be empty if DDS_ENDPOINT is set.
	Region string
	// Projects and Regions are what else a request may name.
	Projects, Regions []string
	// Endpoints are the addresses of DDS by region: the default region and the allowed ones.
	Endpoints map[string]string
	// IAMEndpoint is the address of IAM.
	IAMEndpoint string

	// Concurrency is how many backups are deleted at once.
	Concurrency int
	// Connections is how many connections to each service are opened at start.
	Connections int
	// Rate is the most calls of DDS per second; 0 for no limit but that of DDS.
	Rate float64
	// RequireManual limits deletions to finished manual backups.
	RequireManual bool
	// DryRun does everything but the deletion.
	DryRun bool
	// StopDeletions sends no DELETE: every request is returned to its source or kept in the ledger. Backups
	// whose deletion was started are still checked.
	StopDeletions bool

	// Follow follows each deletion to its end.
	Follow bool
	// FollowAlarmAfter is how long a deletion may take before it counts as overdue.
	FollowAlarmAfter time.Duration
	// MaxRequestAge is the age from which a request is rejected as expired; 0 for no limit.
	MaxRequestAge time.Duration
	// MaxReceives is how often the queue delivers a message before it moves it to its dead-letter queue; 0 if that
	// is not known.
	MaxReceives int
	// DirectIsAsync says that direct calls are asynchronous invocations, so that nobody reads their result.
	DirectIsAsync bool
	// TickBus is the bus where a tick that ends with work due asks for the next one; the zero value for none.
	TickBus arn.ARN

	// RequestType is the type of events that are requests.
	RequestType string
	// HTTPBasePath is a prefix of the paths of HTTP requests; it may be empty.
	HTTPBasePath string
	// RequestSources are the ARNs and URNs that requests come from, if they are known.
	RequestSources []string
	// Sink takes the outcomes.
	Sink Sink
	// Ledger remembers the outcomes.
	Ledger Ledger
	// Function is the name of the Lambda function; empty elsewhere.
	Function string
	// MetricsFunction is the function that metrics are written for; empty to write none.
	MetricsFunction string

	// InLambda says that AWS Lambda runs the program, and OnDemand that an invocation is waiting
	// for its start.
	InLambda, OnDemand bool
	// FunctionGraph is nil elsewhere.
	FunctionGraph *FunctionGraph
	// AWS is what calls to AWS services need.
	AWS AWS
	// Warnings are about values that are probably wrong.
	Warnings []string
}

// Load reads the environment. The error names every variable at fault and contains no secret.
func Load() (*Config, error) {
	p := new(parser)
	p.read()
	c := &Config{Credentials: p.credentials()}
	p.addresses()
	c.Region, c.Regions, c.Endpoints, c.IAMEndpoint = p.region, p.Regions, p.endpoints, p.iamEndpoint
	p.projects(c)
	p.limits(c)
	c.RequireManual, c.DryRun, c.StopDeletions = p.RequireManual, p.DryRun, p.StopDeletions
	c.RequestType, c.HTTPBasePath = p.requestType(), p.httpBasePath()
	c.Function, c.MetricsFunction = p.FunctionName, p.metricsFunction()
	c.Sink = p.sink()
	c.RequestSources = p.requestSources()
	c.Ledger = p.ledger()
	p.checkAgenda(c.Ledger.Durable)
	c.Follow, c.FollowAlarmAfter = p.Follow, p.FollowAlarmAfter
	c.MaxRequestAge, c.MaxReceives, c.DirectIsAsync = p.MaxRequestAge, p.MaxReceives, p.DirectCalls == "async"
	c.TickBus = p.tickBus()
	c.InLambda, c.OnDemand = InLambda(), p.InitializationType == "on-demand" || InFunctionGraph()
	c.FunctionGraph = p.functionGraph(c.Ledger.Durable)
	c.AWS = p.aws()
	if c.Ledger.Kind == Valkey {
		c.Ledger.Server.Roots = c.AWS.Roots
	}
	p.proxies()
	c.Warnings = p.warnings
	if len(p.faults) > 0 {
		return nil, errors.Join(p.faults...)
	}
	return c, nil
}

// NeedsAWS reports whether an AWS service is called.
func (c *Config) NeedsAWS() bool {
	return c.Credentials.Secret.Region != "" || c.Ledger.Kind == DynamoDB || c.Sink.ARN.Region != "" || c.TickBus.Region != ""
}

// LambdaLog returns what Lambda's logging controls ask for: lines of text instead of JSON, and the lowest
// level that is written. A program needs them before it can report a fault of any other variable.
func LambdaLog() (text bool, level slog.Level) {
	_ = level.UnmarshalText([]byte(lookup("AWS_LAMBDA_LOG_LEVEL"))) // an unknown level counts as INFO
	return lookup("AWS_LAMBDA_LOG_FORMAT") != "JSON", level
}

// isProjectID reports whether a text can be a project id, which becomes a path segment.
func isProjectID(s string) bool {
	return s != "" && len(s) <= 64 && spelling.Only(s, spelling.Letters+spelling.Digits+"_-")
}

// projects finds the default project and the allowed ones.
func (p *parser) projects(c *Config) {
	name, id := firstSet(projectNames)
	switch {
	case id == "" && c.Region == "":
		p.fault("HUAWEICLOUD_SDK_PROJECT_ID: not set, and without DDS_REGION it cannot be looked up; " +
			"expected a project id, for example 0549b4a43100d4f32f51c01c2fe4acdb")
	case id != "" && !isProjectID(id):
		p.fault("%s: %s is not a project id; expected 32 hexadecimal digits, for example 0549b4a43100d4f32f51c01c2fe4acdb", name, quote(id))
	}
	for _, allowed := range p.Projects {
		if !isProjectID(allowed) {
			p.fault("ALLOWED_PROJECTS: %s is not a project id; expected ids with commas between them, for example 0549b4a43100d4f32f51c01c2fe4acdb", quote(allowed))
		}
	}
	c.ProjectID, c.Projects = id, p.Projects
}

func (p *parser) limits(c *Config) {
	if p.Concurrency < 1 || p.Concurrency > 1000 {
		p.fault("DDS_CONCURRENCY: \"%d\" is not a number of concurrent deletions; expected 1 to 1000, for example 32", p.Concurrency)
	}
	if p.Connections < 1 || p.Connections > 1000 {
		p.fault("CONNECTIONS_AT_START: \"%d\" is not a number of connections; expected 1 to 1000, for example 10", p.Connections)
	}
	if !(p.Rate >= 0 && p.Rate <= 10_000) { // NaN is neither
		p.fault("DDS_RATE: \"%v\" is not a number of calls per second; expected 0 to 10000, for example 0.66", p.Rate)
	}
	c.Concurrency, c.Rate = p.Concurrency, p.Rate
	c.Connections = min(p.Connections, p.Concurrency) // no more are kept
}

// metricsFunction returns the function that metrics are written for: by default one that runs in Lambda.
func (p *parser) metricsFunction() string {
	switch {
	case p.Metrics == "" && InLambda():
		return p.FunctionName
	case p.Metrics == "", p.Metrics == "none":
		return ""
	case p.Metrics != "emf":
		p.fault("METRICS: %s is not a kind of metrics; expected emf or none", quote(p.Metrics))
	case p.FunctionName == "":
		p.fault("AWS_LAMBDA_FUNCTION_NAME: not set; METRICS=emf needs it as a dimension, expected the name of the function")
	}
	return p.FunctionName
}

// requestType keeps outcomes from being requests: a request must not have the type of an outcome.
func (p *parser) requestType() string {
	notPrintable := func(r rune) bool { return r < ' ' || r > '~' }
	s := cmp.Or(p.RequestType, event.RequestType)
	switch {
	case len(s) > 128 || strings.TrimSpace(s) != s || strings.ContainsFunc(s, notPrintable):
		p.fault("REQUEST_TYPE: %s is not an event type; expected 1 to 128 printable characters, for example %s", quote(s), event.RequestType)
	case s == event.TickType:
		p.fault("REQUEST_TYPE: %s is the type of a tick; expected another one, for example %s", quote(s), event.RequestType)
	case strings.HasPrefix(s, deletion.TypePrefix) && s != event.RequestType:
		p.fault("REQUEST_TYPE: %s is not a type for requests, since types of outcomes begin with %s; expected another prefix, for example %s",
			quote(s), deletion.TypePrefix, event.RequestType)
	}
	return s
}

// httpBasePath keeps the base path from hiding a path of the API: below /v3/p, for example,
// /v3/p/backups/b would lose its project.
func (p *parser) httpBasePath() string {
	if p.HTTPBasePath == "" {
		return ""
	}
	segments := strings.Split(p.HTTPBasePath, "/")
	good := segments[0] == "" && len(segments) > 1 && len(p.HTTPBasePath) <= 255
	for _, s := range segments[1:] {
		good = good && s != "" && s != "." && s != ".." && spelling.Only(s, spelling.Letters+spelling.Digits+"-._~")
	}
	if !good {
		p.fault("HTTP_BASE_PATH: %q is not a prefix of paths; expected segments of letters, digits and -._~, each after a slash, for example /dds", p.HTTPBasePath)
	} else if slices.Contains([]string{"backups", "deletions", "healthz", "v3"}, segments[1]) {
		p.fault("HTTP_BASE_PATH: %q begins like a path of the API itself; expected another prefix, for example /dds", p.HTTPBasePath)
	}
	return p.HTTPBasePath
}

// LedgerKind says where outcomes are remembered.
type LedgerKind string

// The kinds of a [Ledger].
const (
	Memory   LedgerKind = "memory"
	DynamoDB LedgerKind = "DynamoDB"
	Valkey   LedgerKind = "Valkey or Redis"
)

// Ledger is what LEDGER names.
type Ledger struct {
	Kind LedgerKind
	// Table and Region are those of a DynamoDB table; empty for others.
	Table, Region string
	// Server is the server of a ledger in Valkey or Redis; the zero value for others.
	Server ValkeyServer
	// Durable says that the ledger outlives the process. Only such a ledger can keep requests that wait, and
	// deletions that are followed.
	Durable bool
}

// String returns the ledger in the form of LEDGER, without a password.
func (l Ledger) String() string {
	switch l.Kind {
	case DynamoDB:
		return dynamoDBScheme + l.Table
	case Valkey:
		return l.Server.String()
	default:
		return string(l.Kind)
	}
}

const dynamoDBScheme = "dynamodb://"

func (p *parser) ledger() Ledger {
	table, isDynamoDB := strings.CutPrefix(p.Ledger, dynamoDBScheme)
	switch {
	case p.Ledger == string(Memory):
		return Ledger{Kind: Memory}
	case p.isValkey():
		return Ledger{Kind: Valkey, Server: p.valkey(), Durable: true}
	case !isDynamoDB || len(table) < 3 || len(table) > 255 || !spelling.Only(table, spelling.Letters+spelling.Digits+"_.-"):
		p.fault("LEDGER: %s is not a ledger; expected %s", quote(p.Ledger), wantLedger())
	case p.AWSRegion == "":
		p.fault("AWS_REGION: not set, and a DynamoDB table as LEDGER needs it; expected a region of AWS, for example eu-central-1")
	default:
		p.needAWSKeys("LEDGER")
	}
	return Ledger{Kind: DynamoDB, Table: table, Region: p.AWSRegion, Durable: true}
}
