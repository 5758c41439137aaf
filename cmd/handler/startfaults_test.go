package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
)

// dependency is a service that the function asks for something at start, and that answers with
// a fault for as long as it has one.
type dependency struct {
	*httptest.Server

	mu      sync.Mutex
	fault   http.HandlerFunc // nil where all is well
	lookups int
}

func startDependency(t *testing.T, healthy, fault http.HandlerFunc) *dependency {
	t.Helper()
	d := &dependency{fault: fault}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.lookups++
		answer := d.fault
		d.mu.Unlock()
		if answer == nil {
			answer = healthy
		}
		answer(w, r)
	}))
	t.Cleanup(d.Close)
	return d
}

// taken returns how many calls there were since it was last asked.
func (d *dependency) taken() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.lookups
	d.lookups = 0
	return n
}

func (d *dependency) heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = nil
}

// says answers with a status and a body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// holds answers as Secrets Manager does that holds this text.
func holds(text string) http.HandlerFunc {
	quoted, err := json.Marshal(map[string]string{"SecretString": text})
	if err != nil {
		panic(err)
	}
	return says(http.StatusOK, string(quoted))
}

var (
	goodSecret  = holds(fmt.Sprintf(`{"HUAWEICLOUD_SDK_AK":%q,"HUAWEICLOUD_SDK_SK":%q}`, ddstest.AccessKey, ddstest.SecretKey))
	goodProject = says(http.StatusOK, fmt.Sprintf(`{"projects":[{"id":%q,"name":%q}]}`, ddstest.ProjectID, ddstest.Region))
)

// hundred is a batch of a hundred messages, each for a backup of its own.
func hundred() []byte {
	records := make([]string, 100)
	for i := range records {
		records[i] = fmt.Sprintf(`{"messageId":"m%d","receiptHandle":"r%d","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:requests",`+
			`"body":"{\"backup_id\":\"backup-%d\"}"}`, i, i, i)
	}
	return []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

const httpCall = `{"version":"2.0","rawPath":"/deletions","headers":{"content-type":"application/json"},"body":"{\"backup_id\":\"b\"}",` +
	`"requestContext":{"requestId":"http","http":{"method":"POST"}}}`

// What may pass by itself, or is put right without a deployment, does not end the process: its
// requests are given back with the delay of the cause, and the next invocation looks again.
func TestStartFaults(t *testing.T) {
	t.Parallel() // it waits
	withSecret := func(d *dependency) []string {
		return []string{
			"HUAWEICLOUD_SDK_AK=", "HUAWEICLOUD_SDK_SK=", "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + d.URL,
			"HUAWEICLOUD_SECRET_ARN=arn:aws:secretsmanager:eu-central-1:123456789012:secret:huaweicloud-AbCdEf",
		}
	}
	withoutProject := func(d *dependency) []string {
		return []string{"HUAWEICLOUD_SDK_PROJECT_ID=", "HUAWEICLOUD_SDK_IAM_ENDPOINT=" + d.URL}
	}
	const canary = "SKCANARY-do-not-print"
	for name, tc := range map[string]struct {
		env            func(*dependency) []string
		healthy, fault http.HandlerFunc
		variable       string
		errorType      string
		status         int
		delay          int  // of a message, in seconds, at the least
		once           bool // a look-up is one call
	}{
		"Secrets Manager is down": {
			withSecret, goodSecret, says(503, `{"__type":"ServiceUnavailable"}`),
			"HUAWEICLOUD_SECRET_ARN", "DDS.Unavailable", 503, 15, false,
		},
		"Secrets Manager throttles": {
			withSecret, goodSecret, says(400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`),
			"HUAWEICLOUD_SECRET_ARN", "DDS.Unavailable", 503, 60, false,
		},
		"Secrets Manager denies": {
			withSecret, goodSecret, says(400, `{"__type":"AccessDeniedException","message":"User: arn:aws:sts::123456789012:assumed-role/r is not authorized"}`),
			"HUAWEICLOUD_SECRET_ARN", "DDS.Forbidden", 403, 3600, true,
		},
		"the secret is not there": {
			withSecret, goodSecret, says(400, `{"__type":"ResourceNotFoundException"}`),
			"HUAWEICLOUD_SECRET_ARN", "DDS.Forbidden", 403, 3600, true,
		},
		"the secret is not JSON": {
			withSecret, goodSecret, holds(canary),
			"HUAWEICLOUD_SECRET_ARN", "DDS.Forbidden", 403, 3600, true,
		},
		"the key in the secret ends in a line end": {
			withSecret, goodSecret, holds(`{"HUAWEICLOUD_SDK_AK":"AKCANARY","HUAWEICLOUD_SDK_SK":"` + canary + `\n"}`),
			"HUAWEICLOUD_SECRET_ARN", "DDS.Forbidden", 403, 3600, true,
		},
		"IAM is down": {
			withoutProject, goodProject, says(503, ``),
			"HUAWEICLOUD_SDK_PROJECT_ID", "DDS.Unavailable", 503, 15, false,
		},
		"IAM throttles": {
			withoutProject, goodProject, says(429, `{"error":{"code":429,"message":"The throttling threshold has been reached","title":"Too Many Requests"}}`),
			"HUAWEICLOUD_SDK_PROJECT_ID", "DDS.Throttled", 429, 60, false,
		},
		"IAM throttles for an hour": {
			withoutProject, goodProject, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader(http.StatusTooManyRequests)
			},
			"HUAWEICLOUD_SDK_PROJECT_ID", "DDS.Throttled", 429, 3600, true,
		},
		"IAM denies": {
			withoutProject, goodProject, says(403, `{"error":{"code":403,"message":"You are not authorized","title":"Forbidden"}}`),
			"HUAWEICLOUD_SDK_PROJECT_ID", "DDS.Forbidden", 403, 3600, true,
		},
		"not IAM's address": {
			withoutProject, goodProject, says(404, `<html>`),
			"HUAWEICLOUD_SDK_PROJECT_ID", "DDS.Forbidden", 403, 3600, true,
		},
		"IAM knows no such project": {
			withoutProject, goodProject, says(200, `{"projects":[]}`),
			"HUAWEICLOUD_SDK_PROJECT_ID", "DDS.Forbidden", 403, 3600, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDependency(t, tc.healthy, tc.fault)
			w := start(t, nil, tc.env(d)...)
			if calls := d.taken(); calls == 0 || (tc.once && calls != 1) {
				t.Errorf("%d calls at start", calls)
			}

			result := w.invoke(t, hundred())
			if calls := d.taken(); calls == 0 || (tc.once && calls != 1) || calls > 8 {
				t.Errorf("%d calls for a hundred messages", calls)
			}
			if n := strings.Count(string(result.Payload), "itemIdentifier"); n != 100 {
				t.Errorf("%d of 100 messages given back: %s", n, result.Payload)
			}
			for _, receipt := range []string{"r0", "r99"} {
				if got := w.queue.of(receipt); got < tc.delay || got > max(60, tc.delay) {
					t.Errorf("message %s comes again after %d s, want %d", receipt, got, tc.delay)
				}
			}

			var response struct {
				StatusCode int
				Headers    map[string]string
				Body       string
			}
			if err := json.Unmarshal(w.invoke(t, []byte(httpCall)).Payload, &response); err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tc.status || response.Headers["Retry-After"] == "" || !strings.Contains(response.Body, tc.variable) ||
				strings.Contains(response.Body, "assumed-role") {
				t.Errorf("HTTP response %+v", response)
			}

			direct := []byte(`{"backup_id":"` + sample(0) + `"}`)
			if result := w.invoke(t, direct); result.Err == nil || result.Err.Type != tc.errorType || !strings.Contains(result.Err.Message, tc.variable) {
				t.Errorf("direct call: %v, want %s", result.Err, tc.errorType)
			}
			if len(w.dds.Jobs()) != 0 || len(w.bus.Taken()) != 0 {
				t.Errorf("%d jobs, %d events", len(w.dds.Jobs()), len(w.bus.Taken()))
			}

			d.heal()
			if result := w.invoke(t, direct); result.Err != nil {
				t.Errorf("after it passed: %v", result.Err)
			}
			w.end(t)
			log := w.function.Stdout()
			failures := 0
			for line := range strings.Lines(log) {
				if strings.Contains(line, `"requestId"`) {
					break // the start is over
				}
				if strings.Contains(line, `"level":"ERROR"`) && strings.Contains(line, `"variable":"`+tc.variable+`"`) {
					failures++
				}
			}
			if failures != 1 {
				t.Errorf("%d lines at start name %s", failures, tc.variable)
			}
			if !strings.Contains(log, `"DDSErrors"`) { // for the alarms
				t.Error("the failures are not counted")
			}
			if strings.Contains(log, "CANARY") {
				t.Error("the log has the secret")
			}
		})
	}
}

// A service that never answers holds up neither the start nor an invocation.
func TestStartFaultsThatHang(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits until the start gives up, for ten seconds")
	}
	t.Parallel() // it waits
	for name, env := range map[string]func(url string) []string{
		"Secrets Manager": func(url string) []string {
			return []string{
				"HUAWEICLOUD_SDK_AK=", "HUAWEICLOUD_SDK_SK=", "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + url,
				"HUAWEICLOUD_SECRET_ARN=arn:aws:secretsmanager:eu-central-1:123456789012:secret:huaweicloud-AbCdEf",
				"HUAWEICLOUD_SDK_PROJECT_ID=", "HUAWEICLOUD_SDK_IAM_ENDPOINT=" + url, // it hangs, too
			}
		},
		"IAM": func(url string) []string {
			return []string{"HUAWEICLOUD_SDK_PROJECT_ID=", "HUAWEICLOUD_SDK_IAM_ENDPOINT=" + url}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			released := make(chan struct{})
			d := startDependency(t, nil, func(http.ResponseWriter, *http.Request) { <-released })
			t.Cleanup(func() { close(released) }) // before the server waits for its calls
			w := start(t, nil, env(d.URL)...)
			if took := w.function.InitDuration(); took > 8*time.Second {
				t.Errorf("the start took %v", took)
			}
			result := w.invoke(t, hundred())
			if n := strings.Count(string(result.Payload), "itemIdentifier"); n != 100 || result.Duration > 15*time.Second {
				t.Errorf("%d of 100 messages given back after %v", n, result.Duration)
			}
		})
	}
}

// Started by hand, the program says what it is, before it finds fault with the environment.
func TestOutsideLambda(t *testing.T) {
	for _, args := range [][]string{nil, {"-h"}} {
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Env = []string{"HUAWEICLOUD_SDK_AK=x"}
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || stdout.Len() != 0 || strings.Count(stderr.String(), "\n") != 2 ||
			!strings.Contains(stderr.String(), "AWS Lambda function") || !strings.Contains(stderr.String(), "go run ./cmd/local") {
			t.Errorf("error %v, output %s%s", err, stdout.String(), stderr.String())
		}
	}
}

// What cannot be reached at all is given back as well, and so is what has little time.
func TestStartFaultsWithoutANetwork(t *testing.T) {
	t.Parallel() // it waits
	w := start(t, nil, "HUAWEICLOUD_SDK_PROJECT_ID=", "HUAWEICLOUD_SDK_IAM_ENDPOINT=http://127.0.0.1:1",
		"HUAWEICLOUD_SDK_AK=", "HUAWEICLOUD_SDK_SK=", "AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:1",
		"HUAWEICLOUD_SECRET_ARN=arn:aws:secretsmanager:eu-central-1:123456789012:secret:huaweicloud-AbCdEf")
	w.brief(t, hundred())
	if result := w.invoke(t, []byte(`{"backup_id":"`+sample(0)+`"}`)); result.Err == nil || result.Err.Type != "DDS.Unavailable" ||
		!strings.Contains(result.Err.Message, "HUAWEICLOUD_SECRET_ARN") {
		t.Errorf("error %v", result.Err)
	}
}
