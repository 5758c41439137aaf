package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds/ddstest"
)

// A project has more backups than a page of the list, and automatic ones, which are not shown.
func TestList(t *testing.T) {
	server := realDDS(t)
	made := time.Now().Add(-49 * time.Hour)
	for i := range 150 {
		server.Add(ddstest.Backup{ID: fmt.Sprintf("%032xbr02", i), Begin: made.Add(-time.Duration(i) * time.Minute), SizeKB: 3 << 19})
	}
	manuals := 0
	for _, b := range server.Backups() {
		if b.Type == "Manual" {
			manuals++
		}
	}
	out, code := runReally(t, "-list")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != manuals+3 || len(server.Jobs()) != 0 {
		t.Fatalf("exit code %d, %d lines for %d manual backups:\n%s", code, len(lines), manuals, out)
	}
	says(t, out, "BACKUP ID ", fmt.Sprintf("Manual backups of project %q at %s: %d, together ", ddstest.ProjectID, server.URL(), manuals))
	if want := regexp.MustCompile(`(?m)^0{32}br02 +dds-orders +2 d +1\.5 GB +COMPLETED +backup-00000000$`); !want.MatchString(out) {
		t.Errorf("no line like %s in\n%s", want, out)
	}
	if strings.Contains(out, auto) {
		t.Errorf("an automatic backup is shown:\n%s", out)
	}
}

func TestListAsJSON(t *testing.T) {
	server := realDDS(t)
	const restoring = "00000000000000000000000000000001br02"
	server.Add(ddstest.Backup{ID: restoring, Restoring: true})
	out, code := runReally(t, "-list", "-json")
	var list []struct {
		ID           string `json:"id"`
		ProjectID    string `json:"project_id"`
		InstanceName string `json:"instance_name"`
		Deletable    bool   `json:"deletable"`
		Reason       string `json:"reason"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		t.Fatalf("error %v, exit code %d:\n%s", err, code, out)
	}
	found := 0
	for _, b := range list {
		if b.ID == manual && b.Deletable && b.Reason == "" && b.ProjectID == ddstest.ProjectID && b.InstanceName != "" ||
			b.ID == restoring && !b.Deletable && strings.Contains(b.Reason, "restored") {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d of two backups are as expected:\n%s", found, out)
	}
}

// A list with a hole is not shown as if it were whole, and one that cannot be read is an error.
func TestListWithFaults(t *testing.T) {
	server := realDDS(t)
	server.Inject(ddstest.RawAnswer(http.StatusOK, "application/json", `{"backups":[null,{"id":"`+manual+`","type":"Manual","begin_time":"today"}],"total_count":2}`))
	out, code := runReally(t, "-list")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, manual, "could not be read and are not shown: 1")
	server.Inject(ddstest.Answer(http.StatusForbidden, "DBS.280063", "Policy does not allow it."))
	out, code = runReally(t, "-list")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "could not be read: ", "dds:backup:list", "DBS.280063")
}

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		options ddstest.Options
		fault   ddstest.Fault
		env     [2]string
		code    int
		says    []string
	}{
		"all right": {code: 0, says: []string{
			"address              ok ", "key                  ok ", "project              ok ", "dds:backup:list      ok ", "dds:backup:delete    ok ",
			"dds:task:getDetail   ok ", "LEDGER               not tried ", "OUTCOME_SINK         not tried ", "The set-up is right.",
		}},
		"address": {env: [2]string{"DDS_ENDPOINT", "http://127.0.0.1:1"}, code: 1, says: []string{
			"address              FAILED     http://127.0.0.1:1 does not answer", "dds:backup:delete    not tried  because of the failure above",
		}},
		"a proxy's page": {fault: ddstest.RawAnswer(http.StatusOK, "text/html", "<html>Log in</html>").On(http.MethodGet).Repeat(-1), code: 1, says: []string{"address              FAILED ", "answers, but not with a backup list"}},
		"key":            {env: [2]string{"HUAWEICLOUD_SDK_SK", "another+secret/key"}, code: 1, says: []string{"key                  FAILED ", "APIGW.0301"}},
		"project":        {env: [2]string{"HUAWEICLOUD_SDK_PROJECT_ID", strings.Repeat("0", 32)}, code: 1, says: []string{"project              FAILED ", "DBS.200010"}},
		"no project":     {env: [2]string{"HUAWEICLOUD_SDK_PROJECT_ID", ""}, code: 1, says: []string{"start                FAILED     HUAWEICLOUD_SDK_PROJECT_ID: not set"}},
		"list":           {options: ddstest.Options{MayNotList: true}, code: 1, says: []string{"dds:backup:list      FAILED ", "dds:backup:delete    ok ", "1 of the checks failed"}},
		"job":            {options: ddstest.Options{MayNotShowJob: true}, code: 0, says: []string{"dds:task:getDetail   missing    only FOLLOW=true needs it"}},
		"delete":         {fault: ddstest.Answer(http.StatusForbidden, "DBS.280063", "Policy does not allow it.").On(http.MethodDelete), code: 1, says: []string{"dds:backup:list      ok ", "dds:backup:delete    FAILED "}},
		"stopped":        {env: [2]string{"STOP_DELETIONS", "true"}, code: 0, says: []string{"dds:backup:delete    not tried ", "STOP_DELETIONS=true", "the permission to delete was not"}},
		"the settings":   {env: [2]string{"DDS_CONCURRENCY", "many"}, code: 1, says: []string{"DDS_CONCURRENCY: "}},
	} {
		t.Run(name, func(t *testing.T) {
			server := realDDSWith(t, tc.options)
			t.Setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", "http://127.0.0.1:1")
			if tc.env[0] != "" {
				t.Setenv(tc.env[0], tc.env[1])
			}
			server.Inject(tc.fault)
			before := len(server.Backups())
			out, code := runReally(t, "-check")
			if code != tc.code || len(server.Jobs()) != 0 || len(server.Backups()) != before {
				t.Errorf("exit code %d, jobs %+v", code, server.Jobs())
			}
			says(t, out, tc.says...)
		})
	}
}

// A list without backups asks whether it is the right one.
func TestListOfNothing(t *testing.T) {
	realDDS(t)
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	t.Setenv("DDS_ENDPOINT", server.URL())
	out, code := runReally(t, "-list")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, ": none; are project and region those of your instances?")
}

// A value that is probably wrong is shown before anything is done.
func TestWarnings(t *testing.T) {
	c := &config.Config{Warnings: []string{`DDS_REGION: "cn-nroth-4" is not a published region`}}
	var out strings.Builder
	if _, err := announce(t.Context(), nil, c, "", nil, &out); err != nil {
		t.Fatal(err)
	}
	says(t, out.String(), `Warning: DDS_REGION: "cn-nroth-4" is not a published region`)
}

// Nothing is asked or done if DDS is out of reach, a dry run needs no yes, and nothing on standard input is no request.
func TestRealAsksNothing(t *testing.T) {
	server := realDDS(t)
	for _, tc := range []struct {
		env, value string
		args       []string
		code       int
		says       string
	}{
		{"DRY_RUN", "true", []string{"-real", manual}, 0, "simulated     dry run: nothing was deleted"},
		{"DDS_ENDPOINT", "http://127.0.0.1:1", []string{"-real", manual}, 1, "so nothing was deleted; -real -check says what is wrong"},
		{"DRY_RUN", "", []string{"-real", "-yes", "-"}, 1, "-: standard input is empty; expected a JSON payload, or one backup id per line"},
	} {
		t.Setenv(tc.env, tc.value)
		var out strings.Builder
		err := run(t.Context(), tc.args, strings.NewReader(""), &out)
		if err != nil {
			out.WriteString(err.Error())
		}
		if exitCode(err) != tc.code || deletes(server) != 0 || strings.Contains(out.String(), "Type yes") {
			t.Errorf("%v: error %v, calls %+v", tc, err, server.Calls())
		}
		says(t, out.String(), tc.says)
	}
}

// A secret that cannot be read is no fault of DDS's address.
func TestCheckSecret(t *testing.T) {
	realDDS(t)
	for name, value := range map[string]string{
		"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": "", "HUAWEICLOUD_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:huaweicloud-AbCdEf",
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:1",
	} {
		t.Setenv(name, value)
	}
	out, code := runReally(t, "-check")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "secret               FAILED     HUAWEICLOUD_SECRET_ARN: ", "expected AWS credentials that may read it", "dds:backup:delete    not tried ")
}
