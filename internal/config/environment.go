package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"dds-backup-delete/internal/secret"
)

// environment holds the variables that have no other name and are not secret, as they are set.
type environment struct {
	SecretARN string   `envconfig:"HUAWEICLOUD_SECRET_ARN"`
	Endpoint  string   `envconfig:"DDS_ENDPOINT"`
	Cloud     string   `envconfig:"HW_CLOUD"`
	Regions   []string `envconfig:"ALLOWED_REGIONS"`
	Projects  []string `envconfig:"ALLOWED_PROJECTS"`

	Concurrency   int     `envconfig:"DDS_CONCURRENCY" default:"32"`
	Connections   int     `envconfig:"CONNECTIONS_AT_START" default:"1"`
	Rate          float64 `envconfig:"DDS_RATE"`
	RequireManual bool    `envconfig:"REQUIRE_MANUAL"`
	DryRun        bool    `envconfig:"DRY_RUN"`
	StopDeletions bool    `envconfig:"STOP_DELETIONS"`

	Follow           bool          `envconfig:"FOLLOW"`
	FollowAlarmAfter time.Duration `envconfig:"FOLLOW_ALARM_AFTER" default:"2h"`
	MaxRequestAge    time.Duration `envconfig:"MAX_REQUEST_AGE"`
	MaxReceives      int           `envconfig:"QUEUE_MAX_RECEIVES"`
	DirectCalls      string        `envconfig:"DIRECT_CALLS" default:"sync"`
	TickBus          string        `envconfig:"TICK_BUS"`

	RequestType    string   `envconfig:"REQUEST_TYPE"`
	RequestSources []string `envconfig:"REQUEST_SOURCES"`
	HTTPBasePath   string   `envconfig:"HTTP_BASE_PATH"`
	OutcomeSink    string   `envconfig:"OUTCOME_SINK" default:"stdout"`
	SMNEndpoint    string   `envconfig:"SMN_ENDPOINT"`
	OutcomeSource  string   `envconfig:"OUTCOME_SOURCE" default:"dds-backup-delete"`
	HTTPMode       string   `envconfig:"OUTCOME_HTTP_MODE" default:"structured"`
	AllowStdout    bool     `envconfig:"ALLOW_STDOUT"`
	Ledger         string   `envconfig:"LEDGER" default:"memory"`
	AllowVolatile  bool     `envconfig:"LEDGER_ALLOW_VOLATILE"`
	Metrics        string   `envconfig:"METRICS"`

	// What FunctionGraph sets, and what it does not say.
	RuntimeTimeout int    `envconfig:"RUNTIME_TIMEOUT" default:"30"`
	RuntimeMemory  string `envconfig:"RUNTIME_MEMORY"`
	RuntimeCPU     string `envconfig:"RUNTIME_CPU"`
	FunctionType   string `envconfig:"FUNCTION_TYPE" default:"event"`
	FunctionPort   int    `envconfig:"FUNCTION_PORT" default:"8000"`

	// What AWS Lambda sets, or every AWS SDK reads.
	FunctionName           string `envconfig:"AWS_LAMBDA_FUNCTION_NAME"`
	InitializationType     string `envconfig:"AWS_LAMBDA_INITIALIZATION_TYPE"`
	AWSRegion              string `envconfig:"AWS_REGION"`
	AWSEndpoint            string `envconfig:"AWS_ENDPOINT_URL"`
	EventBridgeEndpoint    string `envconfig:"AWS_ENDPOINT_URL_EVENTBRIDGE"`
	SecretsManagerEndpoint string `envconfig:"AWS_ENDPOINT_URL_SECRETS_MANAGER"`
	DynamoDBEndpoint       string `envconfig:"AWS_ENDPOINT_URL_DYNAMODB"`
	SNSEndpoint            string `envconfig:"AWS_ENDPOINT_URL_SNS"`
	SQSEndpoint            string `envconfig:"AWS_ENDPOINT_URL_SQS"`
	AWSCABundle            string `envconfig:"AWS_CA_BUNDLE"`
	SSLCertFile            string `envconfig:"SSL_CERT_FILE"`
}

// parser reads the environment and collects all faults.
type parser struct {
	environment

	// What addresses finds.
	region, iamEndpoint string
	cloudIsKnown        bool
	endpoints           map[string]string // by region
	warnings            []string

	faults []error
}

// fault notes a fault of the environment.
func (p *parser) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf(format, args...))
}

const runtimeAPI = "AWS_LAMBDA_RUNTIME_API"

// Variables that FunctionGraph sets, besides RUNTIME_TIMEOUT.
// https://support.huaweicloud.com/intl/en-us/usermanual-functiongraph/functiongraph_01_0406.html
const (
	functionGraphAPI     = "RUNTIME_API_ADDR"
	functionGraphName    = "RUNTIME_FUNC_NAME"
	functionGraphProject = "RUNTIME_PROJECT_ID"
)

// InLambda reports whether AWS Lambda started the process.
func InLambda() bool { return lookup(runtimeAPI) != "" }

// InFunctionGraph reports whether Huawei FunctionGraph started the process.
func InFunctionGraph() bool {
	_, value := firstSet([]string{functionGraphAPI, functionGraphName, functionGraphProject})
	return value != ""
}

// The variables that have aliases: of the official SDK, of terraform and of OpenStack. The first one
// that is set counts.
var (
	projectNames = []string{"HUAWEICLOUD_SDK_PROJECT_ID", "HW_PROJECT_ID", "OS_PROJECT_ID", "OS_TENANT_ID", functionGraphProject}
	regionNames  = []string{"DDS_REGION", "HW_REGION_NAME", "OS_REGION_NAME"}
	iamNames     = []string{"HUAWEICLOUD_SDK_IAM_ENDPOINT", "HW_AUTH_URL", "OS_AUTH_URL"}
	tokenNames   = []string{"HW_AUTH_TOKEN", "OS_AUTH_TOKEN"}
)

// families are the variables of key pairs: access key, secret key, and the token of a temporary pair.
// A pair is never mixed from two families.
var families = [][3]string{
	{"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"},
	{"HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN"},
	{"OS_ACCESS_KEY", "OS_SECRET_KEY", "OS_SECURITY_TOKEN"},
}

// otherSecrets are the secrets that are not credentials of Huawei Cloud.
var otherSecrets = []string{"OUTCOME_HTTP_TOKEN", "OUTCOME_HTTP_SECRET", "LEDGER_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}

// credentialNames returns the variables that hold credentials of Huawei Cloud.
func credentialNames() []string {
	names := slices.Clone(tokenNames)
	for _, family := range families {
		names = append(names, family[:]...)
	}
	return names
}

// lookup reads one variable. A blank one counts as not set, because a template cannot leave one out.
func lookup(name string) string {
	value := os.Getenv(name)
	if strings.TrimSpace(value) == "" {
		return ""
	}
	return value
}

// firstSet returns the first of the variables that is set, and its value.
func firstSet(names []string) (name, value string) {
	for _, name := range names {
		if value := lookup(name); value != "" {
			return name, value
		}
	}
	return "", ""
}

// read fills the environment. It first checks the secrets, which are redacted from then on.
func (p *parser) read() {
	for _, name := range append(credentialNames(), otherSecrets...) {
		value := lookup(name)
		secret.New(value)
		if err := checkSecret(name, value); err != nil {
			p.faults = append(p.faults, err)
		}
	}
	for field := range reflect.TypeFor[environment]().Fields() {
		if lookup(field.Tag.Get("envconfig")) == "" {
			_ = os.Unsetenv(field.Tag.Get("envconfig")) // it fails only for an impossible name
		}
	}
	// envconfig stops at its first error, so it runs again without the variable at fault.
	var wrong *envconfig.ParseError
	for errors.As(envconfig.Process("", &p.environment), &wrong) {
		p.fault("%s: %s is not %s", wrong.KeyName, quote(wrong.Value), expectedTypes[wrong.TypeName])
		_ = os.Unsetenv(wrong.KeyName)
	}
}

// expectedTypes says what a value of a type is expected to be.
var expectedTypes = map[string]string{
	"bool":          "a boolean; expected true or false",
	"float64":       "a number; expected for example 0.66",
	"int":           "a whole number; expected for example 32",
	"time.Duration": "a duration; expected a number and its unit, for example 90m or 36h",
}

// secretOf reads a variable that holds a secret.
func secretOf(name string) secret.String { return secret.New(lookup(name)) }
