package config_test

import (
	"strings"
	"testing"

	"dds-backup-delete/internal/config"
)

// secrets are the variables that hold one.
var secrets = []string{
	"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN", "HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN",
	"OS_ACCESS_KEY", "OS_SECRET_KEY", "OS_SECURITY_TOKEN", "HW_AUTH_TOKEN", "OS_AUTH_TOKEN", "OUTCOME_HTTP_TOKEN", "OUTCOME_HTTP_SECRET",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
}

// complete is an environment in which every secret is set to something good.
func complete() map[string]string {
	env := valid(nil)
	for _, name := range secrets {
		env[name] = "CANARY-" + name
	}
	env["OUTCOME_HTTP_SECRET"] = "whsec_Q0FOQVJZLUNBTkFSWS1DQU5BUlktQ0FOQVJZ"
	return env
}

// A secret with a character that does not belong into one is refused by name, wherever the
// character is, and not repeated.
func TestSecretsWithForeignCharacters(t *testing.T) {
	for what, spell := range map[string]func(string) string{
		"a line end at its end":          func(s string) string { return s + "\n" },
		"a line end at its end ":         func(s string) string { return s + "\r\n" },
		"a line end at its start":        func(s string) string { return "\n" + s },
		"a space at its end":             func(s string) string { return s + "  " },
		"a space at its start":           func(s string) string { return " " + s },
		"a space":                        func(s string) string { return s + " " + s },
		"a space at its end ":            func(s string) string { return s + "\u00a0" },
		"a tab":                          func(s string) string { return s + "\t" + s },
		"a quote at its start":           func(s string) string { return `"` + s + `"` },
		"a quote at its start ":          func(s string) string { return `'` + s + `'` },
		"a quote at its end":             func(s string) string { return s + `"` + "\n" },
		"a quote at its start  ":         func(s string) string { return "“" + s + "”" },
		"a control character":            func(s string) string { return s + "\x01" + s },
		"a byte order mark at its start": func(s string) string { return "\ufeff" + s },
		"a character that is not ASCII":  func(s string) string { return s + "é" + s },
	} {
		for _, name := range secrets {
			env := complete()
			env[name] = spell(env[name])
			setenv(t, env)
			_, err := config.Load()
			if err == nil || !strings.HasPrefix(err.Error(), name+": contains "+strings.TrimSpace(what)+"; expected the ") {
				t.Errorf("%s with %s: error %v", name, what, err)
				continue
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), "Q0FOQVJZ") {
				t.Errorf("%s with %s: more than one fault, or a part of the secret: %v", name, what, err)
			}
		}
	}
	setenv(t, complete())
	if _, err := config.Load(); err != nil {
		t.Errorf("good secrets: %v", err)
	}
}

// Every other value is quoted behind the name of its variable, with what would be right.
func TestFaultsQuoteTheValue(t *testing.T) {
	for variable, value := range map[string]string{
		"DDS_REGION": "cn_north", "ALLOWED_REGIONS": "cn north 4", "HUAWEICLOUD_SDK_PROJECT_ID": "a b", "ALLOWED_PROJECTS": "a/b",
		"HW_CLOUD": "https://myhuaweicloud.com", "DDS_ENDPOINT": "https://dds.example.com/v3", "HW_AUTH_URL": "http://iam.example.com",
		"HUAWEICLOUD_SDK_REGION_DDS_CN_NORTH_4": "dds.example.com", "HUAWEICLOUD_SECRET_ARN": "my-secret",
		"DDS_CONCURRENCY": "0", "DDS_RATE": "-1", "REQUIRE_MANUAL": "yes", "DRY_RUN": "on", "ALLOW_STDOUT": "true ",
		"REQUEST_TYPE": "a\tb", "OUTCOME_SINK": "queue", "OUTCOME_SOURCE": "aws.dds", "OUTCOME_HTTP_MODE": "batched", "REQUEST_SOURCES": "requests",
		"LEDGER": "memcached://localhost", "METRICS": "prometheus",
	} {
		setenv(t, valid(map[string]string{variable: value}))
		_, err := config.Load()
		want := variable + `: "` + strings.ReplaceAll(value, "\t", `\t`) + `" is not `
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "; expected ") {
			t.Errorf("error %v, want one that begins with %s", err, want)
		}
	}
}

func TestWhatAMessageDoesNotRepeat(t *testing.T) {
	for variable, value := range map[string]string{
		"DDS_ENDPOINT":   "https://user:CANARY@dds.example.com",
		"HW_AUTH_URL":    "https://iam.example.com/v3?token=CANARY",
		"LEDGER":         "redis://:CANARY@localhost/x",
		"OUTCOME_SINK":   "http://hooks.example.com/services/CANARY",
		"DDS_REGION":     "SKCANARY.1", // the secret key in the wrong variable
		"REQUEST_TYPE":   "é" + strings.Repeat("x", 60) + "CANARY",
		"DDS_RATE":       "SKCANARY.1",
		"OUTCOME_SOURCE": "aws." + strings.Repeat("x", 60) + "CANARY",
	} {
		setenv(t, valid(map[string]string{"HUAWEICLOUD_SDK_SK": "SKCANARY.1", variable: value}))
		_, err := config.Load()
		if err == nil || !strings.HasPrefix(err.Error(), variable+`: "`) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: error %v", variable, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for variable, values := range map[string][]string{
		"DDS_RATE":             {"NaN", "Inf", "-Inf", "-0.1", "10001", "1e99", "ten", "1,5", " 1"},
		"CONNECTIONS_AT_START": {"0", "-1", "1001", "ten"},
		"DDS_CONCURRENCY":      {"0", "-1", "1001", "1.5", "1e2", "9999999999999999999999", "32 "},
	} {
		for _, value := range values {
			setenv(t, valid(map[string]string{variable: value}))
			if _, err := config.Load(); err == nil || !strings.HasPrefix(err.Error(), variable+`: "`) {
				t.Errorf("%s=%s: error %v", variable, value, err)
			}
		}
	}
}

// A region that no list has may be right, so that it is no fault; other clouds have their own.
func TestRegionsThatAreNotPublished(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want []string // what each warning begins with
	}{
		"a published one": {nil, nil},
		"a near one":      {map[string]string{"DDS_REGION": "cn-north-44"}, []string{`DDS_REGION: "cn-north-44" is not a published region of Huawei Cloud; did you mean cn-north-4?`}},
		"none near":       {map[string]string{"DDS_REGION": "", "OS_REGION_NAME": "mars"}, []string{`OS_REGION_NAME: "mars" is not a published region of Huawei Cloud; expected for example`}},
		"allowed ones":    {map[string]string{"ALLOWED_REGIONS": "eu-west-101,ap-southeast-9"}, []string{`ALLOWED_REGIONS: "ap-southeast-9" `}},
		"another cloud":   {map[string]string{"DDS_REGION": "eu-de", "HW_CLOUD": "otc.t-systems.com"}, nil},
		"an address":      {map[string]string{"DDS_REGION": "r-1", "DDS_ENDPOINT": "https://dds.example.com"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, valid(tc.env))
			c, err := config.Load()
			if err != nil || len(c.Warnings) != len(tc.want) {
				t.Fatalf("warnings %q, error %v", c.Warnings, err)
			}
			for i, want := range tc.want {
				if !strings.HasPrefix(c.Warnings[i], want) {
					t.Errorf("warning %q, want %q", c.Warnings[i], want)
				}
			}
		})
	}
}
