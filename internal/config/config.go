// Package config is the program's whole view of its environment: one struct, read and
// checked once at start. Nobody else reads the environment.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"dds-backup-delete/internal/secret"
)

// Config is the configuration. The README's table says what each variable means.
type Config struct {
	AccessKey     secret.String `envconfig:"HUAWEICLOUD_SDK_AK"`
	SecretKey     secret.String `envconfig:"HUAWEICLOUD_SDK_SK"`
	SecurityToken secret.String `envconfig:"HUAWEICLOUD_SDK_SECURITY_TOKEN"`
	ProjectID     string        `envconfig:"HUAWEICLOUD_SDK_PROJECT_ID"`

	Region      string `envconfig:"DDS_REGION"`
	Endpoint    string `envconfig:"DDS_ENDPOINT"` // after Load, never empty
	Concurrency int    `envconfig:"DDS_CONCURRENCY" default:"32"`

	OutcomeSink string `envconfig:"OUTCOME_SINK" default:"stdout"`
	AllowStdout bool   `envconfig:"ALLOW_STDOUT"`

	// What AWS Lambda sets, or an AWS SDK reads.
	LambdaRuntimeAPI       string        `envconfig:"AWS_LAMBDA_RUNTIME_API"`
	AWSAccessKeyID         string        `envconfig:"AWS_ACCESS_KEY_ID"`
	AWSSecretAccessKey     secret.String `envconfig:"AWS_SECRET_ACCESS_KEY"`
	AWSSessionToken        secret.String `envconfig:"AWS_SESSION_TOKEN"`
	AWSEndpointURL         string        `envconfig:"AWS_ENDPOINT_URL"`
	AWSEndpointEventBridge string        `envconfig:"AWS_ENDPOINT_URL_EVENTBRIDGE"`
}

// StdoutSink is the OUTCOME_SINK that writes to standard output.
const StdoutSink = "stdout"

// Load reads the environment and checks it. The error names every variable at fault, and
// repeats no value.
func Load() (*Config, error) {
	var c Config
	faults := c.read()
	faults = append(faults, c.check()...)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &c, nil
}

// read fills c. A variable set to nothing counts as not set: a template cannot leave one out.
func (c *Config) read() []error {
	var faults []error
	fields := reflect.TypeFor[Config]()
	values := reflect.ValueOf(c).Elem()
	for i := range fields.NumField() {
		name := fields.Field(i).Tag.Get("envconfig")
		if value, set := os.LookupEnv(name); set && strings.TrimSpace(value) == "" {
			_ = os.Unsetenv(name) // it fails only for a name that is none
		}
		// envconfig stops at its first error; a struct of one field at a time tells them all.
		one := reflect.New(reflect.StructOf([]reflect.StructField{fields.Field(i)}))
		if err := envconfig.Process("", one.Interface()); err != nil {
			faults = append(faults, fmt.Errorf("%s: %d characters that are no %s",
				name, len(os.Getenv(name)), wanted(fields.Field(i).Type.Kind())))
			_ = os.Unsetenv(name)
			_ = envconfig.Process("", one.Interface()) // the default, so that this is its only fault
		}
		values.Field(i).Set(one.Elem().Field(0))
	}
	return faults
}

func wanted(kind reflect.Kind) string {
	if kind == reflect.Bool {
		return "true or false"
	}
	return "whole number"
}

// id and region are path segments and parts of host names, so they are held to their form.
var (
	id     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	region = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// check returns every fault of c and completes the endpoint.
func (c *Config) check() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.AccessKey == "" {
		fault("HUAWEICLOUD_SDK_AK: not set; want the access key id of a Huawei Cloud user")
	}
	if c.SecretKey == "" {
		fault("HUAWEICLOUD_SDK_SK: not set; want the secret access key that belongs to HUAWEICLOUD_SDK_AK")
	}
	if !id.MatchString(c.ProjectID) {
		fault("HUAWEICLOUD_SDK_PROJECT_ID: %s; want a project id, as 32 hexadecimal digits", shape(c.ProjectID))
	}
	if c.Region != "" && !region.MatchString(c.Region) {
		fault("DDS_REGION: %s; want a region, as cn-north-4", shape(c.Region))
	}
	switch {
	case c.Endpoint != "":
		if err := checkEndpoint(c.Endpoint); err != nil {
			fault("DDS_ENDPOINT: %w", err)
		} else if c.Region == "" {
			c.Region = regionOf(c.Endpoint)
		}
	case c.Region == "":
		fault("DDS_REGION: not set, nor is DDS_ENDPOINT; want a region, as cn-north-4, or an address")
	default:
		c.Endpoint = "https://dds." + c.Region + "." + domain(c.Region)
	}
	if c.Concurrency < 1 || c.Concurrency > 1000 {
		fault("DDS_CONCURRENCY: %d; want 1 to 1000", c.Concurrency)
	}
	return append(faults, c.checkSink()...)
}

func (c *Config) checkSink() []error {
	var faults []error
	if c.OutcomeSink == StdoutSink {
		// A function cannot see what will invoke it, and behind a queue nobody reads its output.
		if c.LambdaRuntimeAPI != "" && !c.AllowStdout {
			faults = append(faults, errors.New("OUTCOME_SINK: stdout delivers no outcome of a queue in Lambda; "+
				"want the ARN of an event bus, or ALLOW_STDOUT=true where the log is enough"))
		}
		return faults
	}
	if _, err := ParseBusARN(c.OutcomeSink); err != nil {
		return append(faults, fmt.Errorf("OUTCOME_SINK: %w", err))
	}
	if c.AWSAccessKeyID == "" || c.AWSSecretAccessKey == "" {
		faults = append(faults, errors.New("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; an event bus as OUTCOME_SINK needs them"))
	}
	return faults
}

// BusARN is the parsed ARN of an event bus.
type BusARN struct {
	// Region is the region of the bus, which may be another than the function's.
	Region string
}

var busARN = regexp.MustCompile(`^arn:aws[a-z-]*:events:([a-z0-9-]+):\d{12}:event-bus/[/.\-_A-Za-z0-9]+$`)

// ParseBusARN reads the ARN of an event bus. The error does not repeat s.
func ParseBusARN(s string) (BusARN, error) {
	parts := busARN.FindStringSubmatch(s)
	if parts == nil {
		return BusARN{}, fmt.Errorf("%s; want stdout, or an ARN as arn:aws:events:<region>:<account>:event-bus/<name>", shape(s))
	}
	return BusARN{Region: parts[1]}, nil
}

// checkEndpoint holds an address to its form. Plain HTTP is for a DDS on this machine only:
// a security token would cross the network for all to read.
func checkEndpoint(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s; want an address without a path, as https://dds.cn-north-4.myhuaweicloud.com", shape(s))
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	default:
		return errors.New("want https:// (http:// is for 127.0.0.1 only)")
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// regionOf reads the region out of an address as https://dds.<region>.<domain>, "" where it has none.
func regionOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	labels := strings.SplitN(u.Hostname(), ".", 3)
	if len(labels) == 3 && labels[0] == "dds" {
		return labels[1]
	}
	return ""
}

// domain is the cloud's domain for a region: the European cloud has its own.
func domain(region string) string {
	if strings.HasPrefix(region, "eu-west-1") {
		return "myhuaweicloud.eu"
	}
	return "myhuaweicloud.com"
}

// shape describes a value without repeating it.
func shape(s string) string {
	if s == "" {
		return "not set"
	}
	return fmt.Sprintf("%d characters of another form", len(s))
}
