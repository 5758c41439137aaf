package main_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/lambdatest"
)

// The secrets that a call to AWS, to a receiver or through a proxy carries. None may come out of
// the process, no matter who repeats them.
const (
	canaryKeyID    = "ASIACANARYKEYID00001"
	canaryKey      = "canary/secret+key/0123456789abcdefghij"
	canaryToken    = "IQoJcanary//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+abc/def=="
	canaryBearer   = "canary-bearer-token"
	canaryPassword = "canary-p%40ssword"
	canaryPath     = "canary-path"
)

// echo is everything that a request carries, as an error of a gateway may repeat it.
func echo(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	var text strings.Builder
	fmt.Fprintf(&text, "The canonical string should have been '%s %s", r.Method, r.RequestURI)
	for name, values := range r.Header {
		fmt.Fprintf(&text, "\n%s:%s", strings.ToLower(name), strings.Join(values, ","))
	}
	return fmt.Sprintf("%s' for %d bytes", text.String(), len(body))
}

// startEcho starts a service that refuses every call with what answer makes of the echo.
func startEcho(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, text string)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, echo(r)) }))
	t.Cleanup(server.Close)
	return server.URL
}

// inJSON refuses a call as the services do that speak JSON.
func inJSON(w http.ResponseWriter, _ *http.Request, text string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": "InvalidSignatureException", "message": text})
}

// inXML refuses a call as SNS does.
func inXML(w http.ResponseWriter, _ *http.Request, text string) {
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>%s</Message></Error></ErrorResponse>", text)
}

// inEntries takes a call and refuses its one entry: that of EventBridge or of SQS.
func inEntries(w http.ResponseWriter, r *http.Request, text string) {
	var answer any = map[string]any{"FailedEntryCount": 1, "Entries": []any{map[string]any{"ErrorCode": "AccessDeniedException", "ErrorMessage": text}}}
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.") {
		answer = map[string]any{"Failed": []any{map[string]any{"Id": "0", "Code": "AccessDenied", "Message": text, "SenderFault": true}}}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer)
}

// inStatus refuses a call with a status line that repeats all of it, as a proxy may.
func inStatus(w http.ResponseWriter, _ *http.Request, text string) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	line := strings.ReplaceAll(text, "\n", " ")
	_, _ = fmt.Fprintf(c, "HTTP/1.1 407 %s\r\nContent-Length: %d\r\n\r\n%s", line, len(line), line)
	_ = c.Close()
}

// No path out of the process shows a secret that a service, a receiver or a proxy repeats.
func TestNoSecretInTheWordsOfAWS(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits while the sinks retry, for ten seconds")
	}
	t.Parallel() // it waits
	const topic, queue = "arn:aws:sns:eu-central-1:123456789012:outcomes", "arn:aws:sqs:eu-central-1:123456789012:outcomes"
	for name, tc := range map[string]struct {
		env    []string
		silent bool // nothing of the answer is repeated at all
	}{
		"EventBridge":        {env: []string{"AWS_ENDPOINT_URL_EVENTBRIDGE=" + startEcho(t, inJSON)}},
		"EventBridge, entry": {env: []string{"AWS_ENDPOINT_URL_EVENTBRIDGE=" + startEcho(t, inEntries)}},
		"SNS":                {env: []string{"OUTCOME_SINK=" + topic, "AWS_ENDPOINT_URL_SNS=" + startEcho(t, inXML)}},
		"SQS":                {env: []string{"OUTCOME_SINK=" + queue, "AWS_ENDPOINT_URL_SQS=" + startEcho(t, inJSON)}},
		"SQS, entry":         {env: []string{"OUTCOME_SINK=" + queue, "AWS_ENDPOINT_URL_SQS=" + startEcho(t, inEntries)}},
		"DynamoDB":           {env: []string{"LEDGER=dynamodb://ledger", "AWS_ENDPOINT_URL_DYNAMODB=" + startEcho(t, inJSON)}},
		"Secrets Manager": {env: []string{
			"HUAWEICLOUD_SDK_AK=", "HUAWEICLOUD_SDK_SK=", "HUAWEICLOUD_SECRET_ARN=arn:aws:secretsmanager:eu-central-1:123456789012:secret:dds",
			"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + startEcho(t, inJSON),
		}},
		"HTTP": {silent: true, env: []string{
			"OUTCOME_SINK=" + startEcho(t, inJSON) + "/" + canaryPath + "?code=" + canaryPath, "OUTCOME_HTTP_TOKEN=" + canaryBearer,
		}},
		"HTTP, status": {silent: true, env: []string{
			"OUTCOME_SINK=" + startEcho(t, inStatus) + "/" + canaryPath + "?code=" + canaryPath, "OUTCOME_HTTP_TOKEN=" + canaryBearer,
		}},
		"proxy": {env: []string{
			"AWS_ENDPOINT_URL_EVENTBRIDGE=https://events.example",
			"HTTPS_PROXY=" + strings.Replace(startEcho(t, inStatus), "http://", "http://user:"+canaryPassword+"@", 1),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			out := collect(t, tc.env)
			for _, canary := range []string{
				canaryKeyID, canaryKey, canaryToken, canaryBearer, canaryPassword, canaryPath, "canary-p@ssword",
				base64.StdEncoding.EncodeToString([]byte("user:canary-p@ssword")),
			} {
				if strings.Contains(out, canary) {
					t.Errorf("%s came out:\n%s", canary, out)
				}
			}
			if !tc.silent && !strings.Contains(out, "REDACTED") {
				t.Errorf("nothing was repeated:\n%s", out)
			}
		})
	}
}

// collect has a function fail for a queue, a caller and an HTTP client, and returns all that came
// out of it.
func collect(t *testing.T, env []string) string {
	t.Helper()
	behind := start(t, nil) // its DDS is used, and its queue's answers are not
	server := startEcho(t, inJSON)
	function, err := lambdatest.Start(t.Context(), lambdatest.Options{Binary: binary, Env: append([]string{
		"HUAWEICLOUD_SDK_AK=" + ddstest.AccessKey, "HUAWEICLOUD_SDK_SK=" + ddstest.SecretKey, "DDS_REGION=" + ddstest.Region,
		"HUAWEICLOUD_SDK_PROJECT_ID=" + ddstest.ProjectID,
		"DDS_ENDPOINT=" + behind.dds.URL(), "OUTCOME_SINK=" + bus,
		"AWS_ENDPOINT_URL_SQS=" + server, "AWS_ENDPOINT_URL_EVENTBRIDGE=" + behind.bus.URL,
		"AWS_ACCESS_KEY_ID=" + canaryKeyID, "AWS_SECRET_ACCESS_KEY=" + canaryKey, "AWS_SESSION_TOKEN=" + canaryToken,
	}, env...)})
	var failed *lambdatest.InitError
	if errors.As(err, &failed) {
		return failed.Stdout + failed.Stderr + string(failed.Body)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = function.Close() }()
	var out strings.Builder
	for _, payload := range []string{
		`{"Records":[` + record("m", sample(0)) + `]}`,
		`{"backup_id":"` + sample(1) + `"}`,
		`{"version":"2.0","rawPath":"/backups/` + sample(2) + `","headers":{},"requestContext":{"requestId":"r","stage":"$default",` +
			`"http":{"method":"DELETE","path":"/backups/` + sample(2) + `"}},"isBase64Encoded":false}`,
	} {
		result, err := function.Invoke(t.Context(), lambdatest.Invocation{Payload: []byte(payload), Timeout: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(result.Payload)
		if result.Err != nil {
			out.Write(result.Err.Body)
		}
	}
	for _, entry := range behind.bus.Taken() {
		out.WriteString(entry.Detail)
	}
	_ = function.Kill()
	return out.String() + function.Stdout() + function.Stderr()
}
