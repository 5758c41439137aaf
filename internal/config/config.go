// Package config is the program's whole view of its environment: one struct, read and
// checked once at start. Nobody else reads the environment.
package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kelseyhightower/envconfig"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
)

// Config is the configuration. The README's table says what each variable means. What has no
// envconfig name is worked out by [Load] from what has one.
type Config struct {
	// Credentials are those of the first family that has any; zero with a SecretARN.
	Credentials dds.Credentials `ignored:"true"`
	// ProjectID is the default project; empty where it is to be looked up at IAM.
	ProjectID string `ignored:"true"`
	// Region is the default region; may be empty with an Endpoint.
	Region string `ignored:"true"`
	// Endpoints are the addresses of DDS by region: the default region and the allowed ones.
	Endpoints map[string]string `ignored:"true"`
	// IAMEndpoint is the address of IAM.
	IAMEndpoint string `ignored:"true"`
	// Warnings are about values that are most likely wrong, but may be right.
	Warnings []string `ignored:"true"`

	AccessKey       secret.String `envconfig:"HUAWEICLOUD_SDK_AK"`
	SecretKey       secret.String `envconfig:"HUAWEICLOUD_SDK_SK"`
	SecurityToken   secret.String `envconfig:"HUAWEICLOUD_SDK_SECURITY_TOKEN"`
	HWAccessKey     secret.String `envconfig:"HW_ACCESS_KEY"`
	HWSecretKey     secret.String `envconfig:"HW_SECRET_KEY"`
	HWSecurityToken secret.String `envconfig:"HW_SECURITY_TOKEN"`
	OSAccessKey     secret.String `envconfig:"OS_ACCESS_KEY"`
	OSSecretKey     secret.String `envconfig:"OS_SECRET_KEY"`
	OSSecurityToken secret.String `envconfig:"OS_SECURITY_TOKEN"`
	HWAuthToken     secret.String `envconfig:"HW_AUTH_TOKEN"`
	OSAuthToken     secret.String `envconfig:"OS_AUTH_TOKEN"`
	SecretARN       string        `envconfig:"HUAWEICLOUD_SECRET_ARN"`

	SDKProjectID string `envconfig:"HUAWEICLOUD_SDK_PROJECT_ID"`
	HWProjectID  string `envconfig:"HW_PROJECT_ID"`
	OSProjectID  string `envconfig:"OS_PROJECT_ID"`
	OSTenantID   string `envconfig:"OS_TENANT_ID"`

	DDSRegion      string   `envconfig:"DDS_REGION"`
	HWRegion       string   `envconfig:"HW_REGION_NAME"`
	OSRegion       string   `envconfig:"OS_REGION_NAME"`
	Endpoint       string   `envconfig:"DDS_ENDPOINT"`
	Cloud          string   `envconfig:"HW_CLOUD"`
	SDKIAMEndpoint string   `envconfig:"HUAWEICLOUD_SDK_IAM_ENDPOINT"`
	HWAuthURL      string   `envconfig:"HW_AUTH_URL"`
	OSAuthURL      string   `envconfig:"OS_AUTH_URL"`
	Regions        []string `envconfig:"ALLOWED_REGIONS"`
	Projects       []string `envconfig:"ALLOWED_PROJECTS"`

	Concurrency   int     `envconfig:"DDS_CONCURRENCY" default:"32"`
	Rate          float64 `envconfig:"DDS_RATE"`
	RequireManual bool    `envconfig:"REQUIRE_MANUAL"`
	DryRun        bool    `envconfig:"DRY_RUN"`

	RequestType    string        `envconfig:"REQUEST_TYPE" default:"dds.backup.deletion.requested.v1"`
	HTTPBasePath   string        `envconfig:"HTTP_BASE_PATH"`
	OutcomeSink    string        `envconfig:"OUTCOME_SINK" default:"stdout"`
	OutcomeSource  string        `envconfig:"OUTCOME_SOURCE" default:"dds-backup-delete"`
	HTTPMode       string        `envconfig:"OUTCOME_HTTP_MODE" default:"structured"`
	HTTPToken      secret.String `envconfig:"OUTCOME_HTTP_TOKEN"`
	HTTPSecret     secret.String `envconfig:"OUTCOME_HTTP_SECRET"`
	RequestSources []string      `envconfig:"REQUEST_SOURCES"`
	AllowStdout    bool          `envconfig:"ALLOW_STDOUT"`
	Ledger         string        `envconfig:"LEDGER" default:"memory"`

	Metrics string `envconfig:"METRICS"`

	// What AWS Lambda sets, or an AWS SDK reads.
	FunctionName              string        `envconfig:"AWS_LAMBDA_FUNCTION_NAME"`
	LambdaRuntimeAPI          string        `envconfig:"AWS_LAMBDA_RUNTIME_API"`
	InitializationType        string        `envconfig:"AWS_LAMBDA_INITIALIZATION_TYPE"`
	AWSRegion                 string        `envconfig:"AWS_REGION"`
	AWSAccessKeyID            secret.String `envconfig:"AWS_ACCESS_KEY_ID"`
	AWSSecretAccessKey        secret.String `envconfig:"AWS_SECRET_ACCESS_KEY"`
	AWSSessionToken           secret.String `envconfig:"AWS_SESSION_TOKEN"`
	AWSEndpointURL            string        `envconfig:"AWS_ENDPOINT_URL"`
	AWSEndpointEventBridge    string        `envconfig:"AWS_ENDPOINT_URL_EVENTBRIDGE"`
	AWSEndpointSecretsManager string        `envconfig:"AWS_ENDPOINT_URL_SECRETS_MANAGER"`
	AWSEndpointDynamoDB       string        `envconfig:"AWS_ENDPOINT_URL_DYNAMODB"`
	AWSEndpointSNS            string        `envconfig:"AWS_ENDPOINT_URL_SNS"`
	AWSEndpointSQS            string        `envconfig:"AWS_ENDPOINT_URL_SQS"`

	// What changes how others are reached; see checkNetwork.
	AWSCABundle string         `envconfig:"AWS_CA_BUNDLE"`
	SSLCertFile string         `envconfig:"SSL_CERT_FILE"`
	AWSRoots    *x509.CertPool `ignored:"true"` // what AWSCABundle holds; nil for the system's
}

// Load reads the environment and checks it. The error names every variable at fault, and
// repeats no secret.
func Load() (*Config, error) {
	var c Config
	faults := c.read()
	faults = append(faults, c.checkSecrets()...)
	faults = append(faults, c.checkCredentials()...)
	faults = append(faults, c.checkAddress()...)
	faults = append(faults, c.checkProjects()...)
	faults = append(faults, c.checkLimits()...)
	faults = append(faults, c.checkRequestType()...)
	faults = append(faults, c.checkHTTPBasePath()...)
	faults = append(faults, c.checkMetrics()...)
	faults = append(faults, c.checkSink()...)
	faults = append(faults, c.checkLedger()...)
	faults = append(faults, c.checkNetwork()...)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &c, nil
}

// InLambda reports whether AWS Lambda started the process.
func InLambda() bool { return os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" }

// read fills c. A variable set to nothing counts as not set: a template cannot leave one out.
func (c *Config) read() []error {
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		name := fields.Field(i).Tag.Get("envconfig")
		if value, set := os.LookupEnv(name); set && strings.TrimSpace(value) == "" {
			_ = os.Unsetenv(name) // it fails only for a name that is none
		}
	}
	if envconfig.Process("", c) == nil {
		return nil
	}
	return c.readEach(fields)
}

// readEach fills c one variable at a time, since envconfig stops at its first error.
func (c *Config) readEach(fields reflect.Type) []error {
	var unread []variable
	var kinds []reflect.Kind
	values := reflect.ValueOf(c).Elem()
	for i := range fields.NumField() {
		name := fields.Field(i).Tag.Get("envconfig")
		if name == "" {
			continue
		}
		one := reflect.New(reflect.StructOf([]reflect.StructField{fields.Field(i)}))
		if err := envconfig.Process("", one.Interface()); err != nil {
			unread = append(unread, variable{name, os.Getenv(name)})
			kinds = append(kinds, fields.Field(i).Type.Kind())
			_ = os.Unsetenv(name)
			_ = envconfig.Process("", one.Interface()) // the default, so that this is its only fault
		}
		values.Field(i).Set(one.Elem().Field(0))
	}
	faults := make([]error, len(unread)) // now that all secrets are known
	for i, v := range unread {
		faults[i] = fmt.Errorf("%s: %s is not %s", v.name, quote(v.value), wanted(kinds[i]))
	}
	return faults
}

// wanted says what a value of this kind should be.
func wanted(kind reflect.Kind) string {
	switch kind {
	case reflect.Bool:
		return "a boolean; expected true or false"
	case reflect.Float64:
		return "a number; expected for example 0.66"
	default:
		return "a whole number; expected for example 32"
	}
}

// variable is an environment variable.
type variable struct{ name, value string }

// firstSet returns the first of those that is set; the zero variable where none is.
func firstSet(of ...variable) variable {
	for _, v := range of {
		if v.value != "" {
			return v
		}
	}
	return variable{}
}

func (c *Config) projectVariable() variable {
	return firstSet(variable{"HUAWEICLOUD_SDK_PROJECT_ID", c.SDKProjectID}, variable{"HW_PROJECT_ID", c.HWProjectID},
		variable{"OS_PROJECT_ID", c.OSProjectID}, variable{"OS_TENANT_ID", c.OSTenantID})
}

// id is the form of a project id, which becomes a path segment.
var id = form{expression(`^[A-Za-z0-9_-]+$`), 1, 64}

// checkProjects finds the default project and the allowed ones.
func (c *Config) checkProjects() []error {
	var faults []error
	from := c.projectVariable()
	c.ProjectID = from.value
	switch {
	case c.ProjectID == "" && c.Region == "":
		faults = append(faults, errors.New("HUAWEICLOUD_SDK_PROJECT_ID: not set, and without DDS_REGION it cannot be looked up; "+
			"expected a project id, for example 0549b4a43100d4f32f51c01c2fe4acdb"))
	case c.ProjectID != "" && !id.matches(c.ProjectID):
		faults = append(faults, fmt.Errorf("%s: %s is not a project id; expected 32 hexadecimal digits, for example 0549b4a43100d4f32f51c01c2fe4acdb",
			from.name, quote(c.ProjectID)))
	}
	for _, project := range c.Projects {
		if !id.matches(project) {
			faults = append(faults, fmt.Errorf("ALLOWED_PROJECTS: %s is not a project id; "+
				"expected ids with commas between them, for example 0549b4a43100d4f32f51c01c2fe4acdb", quote(project)))
		}
	}
	return faults
}

func (c *Config) checkLimits() []error {
	var faults []error
	if c.Concurrency < 1 || c.Concurrency > 1000 {
		faults = append(faults, fmt.Errorf("DDS_CONCURRENCY: \"%d\" is not a number of deletions at once; expected 1 to 1000, for example 32", c.Concurrency))
	}
	if !(c.Rate >= 0 && c.Rate <= 10_000) {
		faults = append(faults, fmt.Errorf("DDS_RATE: \"%v\" is not a number of calls per second; expected 0 to 10000, for example 0.66", c.Rate))
	}
	return faults
}

// EMF is the METRICS that writes the embedded metric format of CloudWatch to standard output.
const EMF = "emf"

// checkMetrics wants metrics where something reads them.
func (c *Config) checkMetrics() []error {
	switch {
	case c.Metrics == "" && c.LambdaRuntimeAPI != "" && c.FunctionName != "":
		c.Metrics = EMF
	case c.Metrics != "" && c.Metrics != EMF && c.Metrics != "none":
		return []error{fmt.Errorf("METRICS: %s is not a kind of metrics; expected emf or none", quote(c.Metrics))}
	}
	if c.Metrics == EMF && c.FunctionName == "" {
		return []error{errors.New("AWS_LAMBDA_FUNCTION_NAME: not set; METRICS=emf needs it as a dimension, expected the name of the function")}
	}
	return nil
}

var eventType = form{expression(`^[!-~]([ -~]*[!-~])?$`), 1, 128}

// checkRequestType keeps outcomes from being requests: no type of theirs may be that of one.
func (c *Config) checkRequestType() []error {
	switch {
	case !eventType.matches(c.RequestType):
		return []error{fmt.Errorf("REQUEST_TYPE: %s is not an event type; expected 1 to 128 printable characters, for example %s",
			quote(c.RequestType), event.RequestType)}
	case strings.HasPrefix(c.RequestType, deletion.TypePrefix) && c.RequestType != event.RequestType:
		return []error{fmt.Errorf("REQUEST_TYPE: %s is not a type for requests, since types of outcomes begin with %s; expected another prefix, for example %s",
			quote(c.RequestType), deletion.TypePrefix, event.RequestType)}
	}
	return nil
}

var basePath = form{expression(`^(/[A-Za-z0-9._~-]+)+$`), 0, 255}

// checkHTTPBasePath keeps the base path from hiding a path of the API: below /v3/p, for example,
// /v3/p/backups/b would lose its project.
func (c *Config) checkHTTPBasePath() []error {
	if c.HTTPBasePath == "" {
		return nil
	}
	segments := strings.Split(c.HTTPBasePath, "/")
	dots := slices.Contains(segments, ".") || slices.Contains(segments, "..")
	switch {
	case dots || !basePath.matches(c.HTTPBasePath):
		return []error{fmt.Errorf("HTTP_BASE_PATH: %q is not a prefix of paths; expected segments of letters, digits and -._~, "+
			"each after a slash, for example /dds", c.HTTPBasePath)}
	case slices.Contains([]string{"backups", "deletions", "healthz", "v3"}, segments[1]):
		return []error{fmt.Errorf("HTTP_BASE_PATH: %q begins like a path of the API itself; expected another prefix, for example /dds", c.HTTPBasePath)}
	}
	return nil
}

// MemoryLedger is the LEDGER that lives in the process.
const MemoryLedger = "memory"

const dynamoDB = "dynamodb://"

var tableName = form{expression(`^[A-Za-z0-9_.-]+$`), 3, 255}

// LedgerTable returns the DynamoDB table of the ledger; empty for one in memory.
func (c *Config) LedgerTable() string {
	if table, ok := strings.CutPrefix(c.Ledger, dynamoDB); ok && tableName.matches(table) {
		return table
	}
	return ""
}

func (c *Config) checkLedger() []error {
	switch {
	case c.Ledger == MemoryLedger:
		return nil
	case c.LedgerTable() == "":
		return []error{fmt.Errorf("LEDGER: %s is not a ledger; expected memory or dynamodb://<table>, for example dynamodb://dds-backup-delete", quote(c.Ledger))}
	case c.AWSRegion == "":
		return []error{errors.New("AWS_REGION: not set, and a DynamoDB table as LEDGER needs it; expected a region of AWS, for example eu-central-1")}
	default:
		return c.checkAWSKeys("LEDGER")
	}
}

// form is that of a value. Lengths are not left to the expression: bounds in one cost more at start
// than all the rest of the configuration.
type form struct {
	expression  func() *regexp.Regexp
	least, most int // bytes
}

// expression is compiled when it is first needed: most are of variables that are seldom set.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func (f form) matches(s string) bool {
	return len(s) >= f.least && len(s) <= f.most && f.expression().MatchString(s)
}

// group returns the first group of an expression, empty where s does not match it.
func group(expression *regexp.Regexp, s string) string {
	if parts := expression.FindStringSubmatch(s); parts != nil {
		return parts[1]
	}
	return ""
}
