package config_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/secret"
)

const (
	bus   = "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes"
	queue = "arn:aws:sqs:eu-central-1:123456789012:requests"
)

// setenv leaves the environment with these variables and none else that a Config reads.
func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if _, read := config.Variables()[name]; read || strings.HasPrefix(name, "HUAWEICLOUD_") {
			t.Setenv(name, value) // so that it comes back after the test
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

// valid is an environment that has no fault.
func valid(more map[string]string) map[string]string {
	env := map[string]string{
		"HUAWEICLOUD_SDK_AK":         "AKEXAMPLE",
		"HUAWEICLOUD_SDK_SK":         "SKEXAMPLE-do-not-print",
		"HUAWEICLOUD_SDK_PROJECT_ID": "0549b4a43100d4f32f51c01c2fe4acdb",
		"DDS_REGION":                 "cn-north-4",
	}
	maps.Copy(env, more)
	return env
}

func TestLoad(t *testing.T) {
	for name, tc := range map[string]struct {
		env              map[string]string
		endpoint, region string
		sink             string
	}{
		"the least":        {env: nil, endpoint: "https://dds.cn-north-4.myhuaweicloud.com", region: "cn-north-4", sink: "stdout"},
		"Europe":           {env: map[string]string{"DDS_REGION": "eu-west-101"}, endpoint: "https://dds.eu-west-101.myhuaweicloud.eu", region: "eu-west-101", sink: "stdout"},
		"Paris":            {env: map[string]string{"DDS_REGION": "eu-west-0"}, endpoint: "https://dds.eu-west-0.myhuaweicloud.com", region: "eu-west-0", sink: "stdout"},
		"an address":       {env: map[string]string{"DDS_REGION": "", "DDS_ENDPOINT": "https://dds.eu-de.otc.t-systems.com"}, endpoint: "https://dds.eu-de.otc.t-systems.com", region: "eu-de", sink: "stdout"},
		"both":             {env: map[string]string{"DDS_REGION": "r-1", "DDS_ENDPOINT": "http://127.0.0.1:8080"}, endpoint: "http://127.0.0.1:8080", region: "r-1", sink: "stdout"},
		"no region at all": {env: map[string]string{"DDS_REGION": "", "DDS_ENDPOINT": "http://localhost:8080"}, endpoint: "http://localhost:8080", sink: "stdout"},
		"empty is not set": {env: map[string]string{"DDS_CONCURRENCY": "", "ALLOW_STDOUT": "", "OUTCOME_SINK": " "}, endpoint: "https://dds.cn-north-4.myhuaweicloud.com", region: "cn-north-4", sink: "stdout"},
		"stdout, allowed in Lambda": {
			env:      map[string]string{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "ALLOW_STDOUT": "true"},
			endpoint: "https://dds.cn-north-4.myhuaweicloud.com", region: "cn-north-4", sink: "stdout",
		},
		"a bus": {
			env: map[string]string{
				"OUTCOME_SINK": bus, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
				"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret",
			},
			endpoint: "https://dds.cn-north-4.myhuaweicloud.com", region: "cn-north-4", sink: bus,
		},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, valid(tc.env))
			c, err := config.Load()
			if err != nil {
				t.Fatal(err)
			}
			if c.Endpoints[c.Region] != tc.endpoint || c.Region != tc.region || c.Sink.String() != tc.sink || c.Concurrency != 32 ||
				c.RequestType != "dds.backup.deletion.requested.v1" {
				t.Errorf("endpoint %q, region %q, sink %q, concurrency %d", c.Endpoints[c.Region], c.Region, c.Sink, c.Concurrency)
			}
			if printed := fmt.Sprintf("%+v %#v", *c, c); strings.Contains(printed, "do-not-print") {
				t.Errorf("the secret key was printed: %s", printed)
			}
		})
	}
}

// What says how requests wait, and how deletions are followed.
func TestAgenda(t *testing.T) {
	setenv(t, valid(nil))
	c, err := config.Load()
	if err != nil || c.Follow || c.FollowAlarmAfter != 2*time.Hour || c.MaxRequestAge != 0 || c.MaxReceives != 0 || c.DirectIsAsync || c.StopDeletions ||
		c.TickBus != (arn.ARN{}) || c.Ledger.Durable {
		t.Errorf("defaults %+v, error %v", c, err)
	}
	setenv(t, valid(map[string]string{
		"REQUIRE_MANUAL": "true", "LEDGER": "dynamodb://table", "AWS_REGION": "eu-central-1", "FOLLOW": "true", "FOLLOW_ALARM_AFTER": "168h",
		"MAX_REQUEST_AGE": "1h30m", "QUEUE_MAX_RECEIVES": "10", "DIRECT_CALLS": "async", "STOP_DELETIONS": "true", "TICK_BUS": bus,
	}))
	c, err = config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if !c.Follow || c.FollowAlarmAfter != 168*time.Hour || c.MaxRequestAge != 90*time.Minute || c.MaxReceives != 10 || !c.DirectIsAsync || !c.StopDeletions ||
		c.TickBus.String() != bus || !c.Ledger.Durable {
		t.Errorf("%+v", c)
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	setenv(t, map[string]string{
		"HUAWEICLOUD_SDK_SK": "SKEXAMPLE-do-not-print",
		"DDS_CONCURRENCY":    "many",
		"ALLOW_STDOUT":       "perhaps",
		"OUTCOME_SINK":       "arn:aws:s3:::outcomes",
	})
	_, err := config.Load()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_PROJECT_ID", "DDS_REGION", "DDS_CONCURRENCY", "ALLOW_STDOUT", "OUTCOME_SINK"} {
		if strings.Count(err.Error(), name+":") != 1 {
			t.Errorf("%s is not named once in:\n%v", name, err)
		}
	}
	for _, value := range []string{`"many"`, `"perhaps"`, `"arn:aws:s3:::outcomes"`} {
		if !strings.Contains(err.Error(), value) {
			t.Errorf("%s is not quoted in:\n%v", value, err)
		}
	}
	if strings.Contains(err.Error(), "do-not-print") {
		t.Errorf("a secret is repeated in:\n%v", err)
	}
}

func TestFaults(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"HUAWEICLOUD_SDK_SK":                    {"HUAWEICLOUD_SDK_SK": ""},
		"HUAWEICLOUD_SDK_AK":                    {"HUAWEICLOUD_SDK_AK": "", "HW_ACCESS_KEY": "a", "HW_SECRET_KEY": "s"},
		"HW_SECRET_KEY":                         {"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": "", "HW_ACCESS_KEY": "a", "OS_ACCESS_KEY": "a", "OS_SECRET_KEY": "s"},
		"OS_ACCESS_KEY":                         {"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": "", "OS_SECRET_KEY": "s", "HW_AUTH_TOKEN": "t"},
		"HW_ACCESS_KEY":                         {"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": "", "HW_SECURITY_TOKEN": "t"},
		"HUAWEICLOUD_SDK_AK, ":                  {"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": ""},
		"HUAWEICLOUD_SECRET_ARN":                {"HUAWEICLOUD_SECRET_ARN": "my-secret"},
		"HW_CLOUD":                              {"HW_CLOUD": "https://myhuaweicloud.com"},
		"HW_CLOUD:":                             {"DDS_ENDPOINT": "https://proxy.example.com", "ALLOWED_REGIONS": "eu-west-101"},
		"HW_CLOUD: ":                            {"DDS_ENDPOINT": "https://proxy.example.com", "HUAWEICLOUD_SDK_PROJECT_ID": ""},
		"HW_REGION_NAME":                        {"DDS_REGION": "", "HW_REGION_NAME": "CN North"},
		"ALLOWED_REGIONS":                       {"ALLOWED_REGIONS": "eu-west-101,a/b"},
		"ALLOWED_PROJECTS":                      {"ALLOWED_PROJECTS": "../x"},
		"HW_PROJECT_ID":                         {"HUAWEICLOUD_SDK_PROJECT_ID": "", "HW_PROJECT_ID": "a b"},
		"HUAWEICLOUD_SDK_PROJECT_ID:":           {"HUAWEICLOUD_SDK_PROJECT_ID": "", "DDS_REGION": "", "DDS_ENDPOINT": "http://127.0.0.1:1"},
		"HW_AUTH_URL":                           {"HW_AUTH_URL": "http://iam.example.com/v3"},
		"LEDGER":                                {"LEDGER": "memcached://localhost"},
		"LEDGER: ":                              {"LEDGER": "dynamodb://a/b"},
		"AWS_REGION":                            {"LEDGER": "dynamodb://table"},
		"AWS_ACCESS_KEY_ID, ":                   {"LEDGER": "dynamodb://table", "AWS_REGION": "eu-central-1", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "ALLOW_STDOUT": "true"},
		"DDS_RATE":                              {"DDS_RATE": "-1"},
		"REQUEST_TYPE":                          {"REQUEST_TYPE": "dds.backup.deletion.accepted.v1"},
		"METRICS":                               {"METRICS": "prometheus"},
		"AWS_LAMBDA_FUNCTION_NAME":              {"METRICS": "emf"},
		`REQUEST_TYPE: "dds.backup.agenda`:      {"REQUEST_TYPE": "dds.backup.agenda.tick.v1"},
		"REQUEST_TYPE:":                         {"REQUEST_TYPE": strings.Repeat("t", 129)},
		"REQUEST_TYPE: ":                        {"REQUEST_TYPE": "a\nb"},
		"HUAWEICLOUD_SDK_REGION_DDS_CN_NORTH_4": {"HUAWEICLOUD_SDK_REGION_DDS_CN_NORTH_4": "http://dds.example.com"},
		"HUAWEICLOUD_SDK_PROJECT_ID":            {"HUAWEICLOUD_SDK_PROJECT_ID": "a/b"},
		"DDS_REGION":                            {"DDS_REGION": "evil.example.com/"},
		"DDS_ENDPOINT":                          {"DDS_ENDPOINT": "http://dds.example.com"},
		"DDS_ENDPOINT:":                         {"DDS_ENDPOINT": "https://user:pass@dds.example.com"},
		"DDS_ENDPOINT: ":                        {"DDS_ENDPOINT": "https://dds.example.com/v3"},
		"DDS_CONCURRENCY":                       {"DDS_CONCURRENCY": "0"},
		"DDS_CONCURRENCY:":                      {"DDS_CONCURRENCY": "1001"},
		"CONNECTIONS_AT_START":                  {"CONNECTIONS_AT_START": "0"},
		"CONNECTIONS_AT_START:":                 {"CONNECTIONS_AT_START": "1001"},
		`OUTCOME_SINK: "stdout"`:                {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"},
		"OUTCOME_SINK":                          {"OUTCOME_SINK": "arn:aws:events:eu-central-1:123456789012:rule/outcomes"},
		"AWS_ACCESS_KEY_ID":                     {"OUTCOME_SINK": bus, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"},
		"OUTCOME_SOURCE":                        {"OUTCOME_SOURCE": "aws.dds"},
		"OUTCOME_SOURCE:":                       {"OUTCOME_SOURCE": strings.Repeat("x", 257)},
		"OUTCOME_HTTP_MODE":                     {"OUTCOME_HTTP_MODE": "batched"},
		"OUTCOME_HTTP_TOKEN":                    {"OUTCOME_HTTP_TOKEN": "two lines\nX-Evil: 1"},
		"OUTCOME_HTTP_SECRET":                   {"OUTCOME_HTTP_SECRET": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
		"OUTCOME_HTTP_SECRET:":                  {"OUTCOME_HTTP_SECRET": "whsec_c2hvcnQ="},
		"REQUEST_SOURCES":                       {"REQUEST_SOURCES": "requests"},
		"FOLLOW: needs REQUIRE_MANUAL":          {"FOLLOW": "true", "LEDGER": "dynamodb://table", "AWS_REGION": "eu-central-1"},
		"FOLLOW: needs a ledger":                {"FOLLOW": "true", "REQUIRE_MANUAL": "true"},
		"FOLLOW: \"yes\"":                       {"FOLLOW": "yes"},
		"FOLLOW_ALARM_AFTER":                    {"FOLLOW_ALARM_AFTER": "2"},
		"FOLLOW_ALARM_AFTER:":                   {"FOLLOW_ALARM_AFTER": "4m59s"},
		"FOLLOW_ALARM_AFTER: ":                  {"FOLLOW_ALARM_AFTER": "168h1s"},
		"MAX_REQUEST_AGE":                       {"MAX_REQUEST_AGE": "36 hours"},
		"MAX_REQUEST_AGE:":                      {"MAX_REQUEST_AGE": "59s"},
		"MAX_REQUEST_AGE: ":                     {"MAX_REQUEST_AGE": "8785h"},
		`MAX_REQUEST_AGE: "-`:                   {"MAX_REQUEST_AGE": "-36h"},
		"QUEUE_MAX_RECEIVES":                    {"QUEUE_MAX_RECEIVES": "-1"},
		"QUEUE_MAX_RECEIVES:":                   {"QUEUE_MAX_RECEIVES": "1001"},
		"DIRECT_CALLS":                          {"DIRECT_CALLS": "Event"},
		"DIRECT_CALLS: async needs a ledger":    {"DIRECT_CALLS": "async"},
		"STOP_DELETIONS":                        {"STOP_DELETIONS": "now"},
		"TICK_BUS":                              {"TICK_BUS": "default"},
		"TICK_BUS:":                             {"TICK_BUS": queue},
		"AWS_ACCESS_KEY_ID, AWS":                {"TICK_BUS": bus, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "ALLOW_STDOUT": "true"},
		`OUTCOME_SINK: "arn:aws:sqs`:            {"OUTCOME_SINK": queue, "REQUEST_SOURCES": bus + "," + queue},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, valid(env))
			_, err := config.Load()
			if err == nil || !strings.HasPrefix(err.Error(), name) {
				t.Fatalf("error %v, want one about %s", err, name)
			}
			if lines := strings.Count(err.Error(), "\n"); lines != 0 {
				t.Errorf("more than one fault:\n%v", err)
			}
		})
	}
}

// FunctionGraph brings project and credentials, and asks for a ledger that lasts.
func TestFunctionGraph(t *testing.T) {
	setenv(t, map[string]string{
		"RUNTIME_API_ADDR": "127.0.0.1:9002", "RUNTIME_PROJECT_ID": "0549b4a43100d4f32f51c01c2fe4acdb", "RUNTIME_TIMEOUT": "60", "RUNTIME_MEMORY": "128", "RUNTIME_CPU": "300", "DDS_REGION": "cn-north-4",
		"OUTCOME_SINK": "https://broker.example.com", "LEDGER": "dynamodb://table", "AWS_REGION": "eu-central-1",
	})
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := config.FunctionGraph{RuntimeAPI: "127.0.0.1:9002", Port: 8000, Timeout: time.Minute, Memory: 128, CPU: 300}
	if *c.FunctionGraph != want || c.ProjectID != "0549b4a43100d4f32f51c01c2fe4acdb" || c.Credentials != (config.Credentials{}) || c.MetricsFunction != "" {
		t.Errorf("%+v, %+v", c, c.FunctionGraph)
	}
	for fault, env := range map[string]map[string]string{
		"LEDGER: most triggers of FunctionGraph do not deliver again": {"LEDGER": "memory"},
		`OUTCOME_SINK: "stdout" is not a sink`:                        {"OUTCOME_SINK": "stdout"},
		"HUAWEICLOUD_SDK_SK: not set":                                 {"HUAWEICLOUD_SDK_AK": "half"},
		"RUNTIME_PROJECT_ID: ":                                        {"RUNTIME_PROJECT_ID": "a/b"},
		"RUNTIME_TIMEOUT: ":                                           {"RUNTIME_TIMEOUT": "0"},
		"FUNCTION_TYPE: ":                                             {"FUNCTION_TYPE": "HTTP"},
		"FUNCTION_PORT: ":                                             {"FUNCTION_PORT": "65536"},
	} {
		t.Run(fault, func(t *testing.T) {
			for name, value := range env {
				t.Setenv(name, value)
			}
			if _, err := config.Load(); err == nil || !strings.HasPrefix(err.Error(), fault) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Setenv("RUNTIME_MEMORY", "128 MB")
	t.Setenv("RUNTIME_CPU", "300m")
	if c, err = config.Load(); err != nil || c.FunctionGraph.Memory != 0 || c.FunctionGraph.CPU != 0 || len(c.Warnings) != 2 {
		t.Errorf("sizes in another form: %+v, error %v", c, err)
	}
	t.Setenv("FUNCTION_TYPE", "http")
	if c, err = config.Load(); err != nil || !c.FunctionGraph.HTTP || c.FunctionGraph.RuntimeAPI != "" {
		t.Errorf("an HTTP function: %+v, error %v", c, err)
	}
	setenv(t, valid(nil))
	if c, err = config.Load(); err != nil || c.FunctionGraph != nil {
		t.Errorf("elsewhere: %+v, error %v", c, err)
	}
}

// The families in their order; a pair is never mixed, and a pair wins over a token.
func TestCredentialFamilies(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want dds.Credentials
	}{
		"the SDK's": {
			map[string]string{"HUAWEICLOUD_SDK_AK": "a1", "HUAWEICLOUD_SDK_SK": "s1", "HUAWEICLOUD_SDK_SECURITY_TOKEN": "t1", "HW_ACCESS_KEY": "a2", "HW_SECRET_KEY": "s2"},
			dds.Credentials{AccessKey: secret.New("a1"), SecretKey: secret.New("s1"), SecurityToken: secret.New("t1")},
		},
		"terraform's": {
			map[string]string{"HW_ACCESS_KEY": "a2", "HW_SECRET_KEY": "s2", "OS_ACCESS_KEY": "a3", "OS_SECRET_KEY": "s3"},
			dds.Credentials{AccessKey: secret.New("a2"), SecretKey: secret.New("s2")},
		},
		"terraform's, temporary": {
			map[string]string{"HW_ACCESS_KEY": "a2", "HW_SECRET_KEY": "s2", "HW_SECURITY_TOKEN": "t2"},
			dds.Credentials{AccessKey: secret.New("a2"), SecretKey: secret.New("s2"), SecurityToken: secret.New("t2")},
		},
		"OpenStack's": {
			map[string]string{"OS_ACCESS_KEY": "a3", "OS_SECRET_KEY": "s3", "HW_AUTH_TOKEN": "t"},
			dds.Credentials{AccessKey: secret.New("a3"), SecretKey: secret.New("s3")},
		},
		"no token of another family": {
			map[string]string{"HUAWEICLOUD_SDK_AK": "a1", "HUAWEICLOUD_SDK_SK": "s1", "HW_SECURITY_TOKEN": "t2"},
			dds.Credentials{AccessKey: secret.New("a1"), SecretKey: secret.New("s1")},
		},
		"a token":       {map[string]string{"HW_AUTH_TOKEN": "t", "OS_AUTH_TOKEN": "u"}, dds.Credentials{Token: secret.New("t")}},
		"another token": {map[string]string{"OS_AUTH_TOKEN": "u"}, dds.Credentials{Token: secret.New("u")}},
	} {
		t.Run(name, func(t *testing.T) {
			env := valid(nil)
			delete(env, "HUAWEICLOUD_SDK_AK")
			delete(env, "HUAWEICLOUD_SDK_SK")
			maps.Copy(env, tc.env)
			setenv(t, env)
			c, err := config.Load()
			if err != nil {
				t.Fatal(err)
			}
			if c.Credentials.Keys != tc.want {
				t.Error("other credentials than wanted")
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for name, tc := range map[string]struct {
		env       map[string]string
		region    string
		endpoints map[string]string
		iam       string
	}{
		"a private cloud": {
			env: map[string]string{"HW_CLOUD": "cloud.example.org"}, region: "cn-north-4",
			endpoints: map[string]string{"cn-north-4": "https://dds.cn-north-4.cloud.example.org"},
			iam:       "https://iam.cn-north-4.cloud.example.org",
		},
		"Open Telekom Cloud": {
			env: map[string]string{"DDS_REGION": "eu-de", "HW_CLOUD": "otc.t-systems.com"}, region: "eu-de",
			endpoints: map[string]string{"eu-de": "https://dds.eu-de.otc.t-systems.com"},
			iam:       "https://iam.eu-de.otc.t-systems.com",
		},
		"a region nobody has heard of": {
			env: map[string]string{"DDS_REGION": "mars-north-1"}, region: "mars-north-1",
			endpoints: map[string]string{"mars-north-1": "https://dds.mars-north-1.myhuaweicloud.com"},
			iam:       "https://iam.mars-north-1.myhuaweicloud.com",
		},
		"the SDK's variable": {
			env: map[string]string{"HUAWEICLOUD_SDK_REGION_DDS_CN_NORTH_4": "https://a.example.com, https://b.example.com"}, region: "cn-north-4",
			endpoints: map[string]string{"cn-north-4": "https://a.example.com"},
			iam:       "https://iam.cn-north-4.myhuaweicloud.com",
		},
		"DDS_ENDPOINT first": {
			env: map[string]string{"HUAWEICLOUD_SDK_REGION_DDS_CN_NORTH_4": "https://a.example.com", "DDS_ENDPOINT": "https://c.example.com"}, region: "cn-north-4",
			endpoints: map[string]string{"cn-north-4": "https://c.example.com"},
			iam:       "https://iam.cn-north-4.myhuaweicloud.com",
		},
		"several regions": {
			env: map[string]string{
				"ALLOWED_REGIONS": "eu-west-101,eu-west-0,ap-southeast-1", "HUAWEICLOUD_SDK_REGION_DDS_AP_SOUTHEAST_1": "https://d.example.com",
				"OS_REGION_NAME": "not-asked", "OS_AUTH_URL": "https://iam.example.com/v3/",
			}, region: "cn-north-4",
			endpoints: map[string]string{
				"cn-north-4": "https://dds.cn-north-4.myhuaweicloud.com", "eu-west-101": "https://dds.eu-west-101.myhuaweicloud.eu",
				"eu-west-0": "https://dds.eu-west-0.myhuaweicloud.com", "ap-southeast-1": "https://d.example.com",
			},
			iam: "https://iam.example.com",
		},
		"the cloud of the address": {
			env: map[string]string{"DDS_REGION": "", "DDS_ENDPOINT": "https://dds.eu-de.otc.t-systems.com", "ALLOWED_REGIONS": "eu-nl"}, region: "eu-de",
			endpoints: map[string]string{"eu-de": "https://dds.eu-de.otc.t-systems.com", "eu-nl": "https://dds.eu-nl.otc.t-systems.com"},
			iam:       "https://iam.eu-de.otc.t-systems.com",
		},
		"Huawei's two domains are one cloud": {
			env: map[string]string{"DDS_REGION": "", "DDS_ENDPOINT": "https://dds.eu-west-101.myhuaweicloud.eu", "ALLOWED_REGIONS": "cn-north-4"}, region: "eu-west-101",
			endpoints: map[string]string{"eu-west-101": "https://dds.eu-west-101.myhuaweicloud.eu", "cn-north-4": "https://dds.cn-north-4.myhuaweicloud.com"},
			iam:       "https://iam.eu-west-101.myhuaweicloud.eu",
		},
		"terraform's region": {
			env: map[string]string{"DDS_REGION": "", "HW_REGION_NAME": "eu-west-101"}, region: "eu-west-101",
			endpoints: map[string]string{"eu-west-101": "https://dds.eu-west-101.myhuaweicloud.eu"},
			iam:       "https://iam.eu-west-101.myhuaweicloud.eu",
		},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, valid(tc.env))
			c, err := config.Load()
			if err != nil {
				t.Fatal(err)
			}
			if c.Region != tc.region || c.IAMEndpoint != tc.iam {
				t.Errorf("region %q, IAM at %q", c.Region, c.IAMEndpoint)
			}
			if diff := cmp.Diff(tc.endpoints, c.Endpoints); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProjects(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"the SDK's":   {map[string]string{"HUAWEICLOUD_SDK_PROJECT_ID": "p1", "HW_PROJECT_ID": "p2"}, "p1"},
		"terraform's": {map[string]string{"HUAWEICLOUD_SDK_PROJECT_ID": "", "HW_PROJECT_ID": "p2", "OS_PROJECT_ID": "p3"}, "p2"},
		"OpenStack's": {map[string]string{"HUAWEICLOUD_SDK_PROJECT_ID": "", "OS_PROJECT_ID": "p3", "OS_TENANT_ID": "p4"}, "p3"},
		"older still": {map[string]string{"HUAWEICLOUD_SDK_PROJECT_ID": "", "OS_TENANT_ID": "p4"}, "p4"},
		"looked up":   {map[string]string{"HUAWEICLOUD_SDK_PROJECT_ID": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, valid(tc.env))
			c, err := config.Load()
			if err != nil || c.ProjectID != tc.want {
				t.Errorf("project %q, error %v, want %q", c.ProjectID, err, tc.want)
			}
		})
	}
}

func TestParseSecret(t *testing.T) {
	got, err := config.ParseSecret(`{"HUAWEICLOUD_SDK_AK":"a","HUAWEICLOUD_SDK_SK":"s","HUAWEICLOUD_SDK_SECURITY_TOKEN":"t","note":5}`)
	if want := (dds.Credentials{AccessKey: secret.New("a"), SecretKey: secret.New("s"), SecurityToken: secret.New("t")}); err != nil || got != want {
		t.Errorf("other credentials than wanted, error %v", err)
	}
	for text, says := range map[string]string{
		`{"HW_ACCESS_KEY":"do-not-print"}`:        "HW_SECRET_KEY: not set",
		`{"password":"do-not-print"}`:             "HUAWEICLOUD_SDK_AK",
		`do-not-print`:                            "not a JSON object",
		`{"HUAWEICLOUD_SDK_AK":["do-not-print"]}`: "HUAWEICLOUD_SDK_AK: is not a JSON string",
		`null`: "not a JSON object",
		`{"HUAWEICLOUD_SDK_AK":"do-not-print","HUAWEICLOUD_SDK_SK":"do-not-print\n"}`: "HUAWEICLOUD_SDK_SK: contains a line end at its end",
		``: "not a JSON object",
	} {
		_, err := config.ParseSecret(text)
		if err == nil || !strings.HasPrefix(err.Error(), "HUAWEICLOUD_SECRET_ARN: ") || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "do-not-print") {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}

func TestSecretARN(t *testing.T) {
	setenv(t, map[string]string{
		"HUAWEICLOUD_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:huaweicloud-AbCdEf", "DDS_REGION": "cn-north-4",
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret",
	})
	c, err := config.Load()
	if err != nil || c.Credentials.Secret.Region != "eu-central-1" {
		t.Errorf("secret %q, error %v", c.Credentials.Secret, err)
	}
}
