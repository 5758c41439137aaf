package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"dds-backup-delete/internal/config"
)

const bus = "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes"

// setenv leaves the environment with these variables and none else that a Config reads.
func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "HUAWEICLOUD_") || strings.HasPrefix(name, "DDS_") || strings.HasPrefix(name, "HW_") || strings.HasPrefix(name, "OS_") || strings.HasPrefix(name, "ALLOW") || strings.HasPrefix(name, "AWS_") ||
			name == "OUTCOME_SINK" || name == "REQUIRE_MANUAL" || name == "DRY_RUN" {
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
	for name, value := range more {
		env[name] = value
	}
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
			if c.Endpoints[c.Region] != tc.endpoint || c.Region != tc.region || c.OutcomeSink != tc.sink || c.Concurrency != 32 {
				t.Errorf("endpoint %q, region %q, sink %q, concurrency %d", c.Endpoints[c.Region], c.Region, c.OutcomeSink, c.Concurrency)
			}
			if printed := fmt.Sprintf("%+v %#v", *c, c); strings.Contains(printed, "do-not-print") {
				t.Errorf("the secret key was printed: %s", printed)
			}
		})
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	setenv(t, map[string]string{
		"HUAWEICLOUD_SDK_SK": "SKEXAMPLE-do-not-print",
		"DDS_CONCURRENCY":    "many-do-not-print",
		"ALLOW_STDOUT":       "perhaps-do-not-print",
		"OUTCOME_SINK":       "arn:aws:s3:::do-not-print",
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
	if strings.Contains(err.Error(), "do-not-print") {
		t.Errorf("a value is repeated in:\n%v", err)
	}
}

func TestFaults(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"HUAWEICLOUD_SDK_SK":         {"HUAWEICLOUD_SDK_SK": ""},
		"HUAWEICLOUD_SDK_PROJECT_ID": {"HUAWEICLOUD_SDK_PROJECT_ID": "a/b"},
		"DDS_REGION":                 {"DDS_REGION": "evil.example.com/"},
		"DDS_ENDPOINT":               {"DDS_ENDPOINT": "http://dds.example.com"},
		"DDS_ENDPOINT:":              {"DDS_ENDPOINT": "https://user:pass@dds.example.com"},
		"DDS_ENDPOINT: ":             {"DDS_ENDPOINT": "https://dds.example.com/v3"},
		"DDS_CONCURRENCY":            {"DDS_CONCURRENCY": "0"},
		"DDS_CONCURRENCY:":           {"DDS_CONCURRENCY": "1001"},
		"OUTCOME_SINK: stdout":       {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"},
		"OUTCOME_SINK":               {"OUTCOME_SINK": "arn:aws:events:eu-central-1:123456789012:rule/outcomes"},
		"AWS_ACCESS_KEY_ID":          {"OUTCOME_SINK": bus},
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
