package main_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/lambdatest"
)

// canaries are secrets that must not leave the process, by what they are.
type canaries map[string]string

// canaryPart is how long a part of a canary may be, in bytes, that an output holds. A word of it is no
// secret.
const canaryPart = 24

// newCanary returns a secret of about that many bytes that looks like a security token.
func newCanary(name string, size int) string {
	var b []byte
	for i := 0; len(b) < size*3/4; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, i))
		b = append(b, sum[:]...)
	}
	return base64.StdEncoding.EncodeToString(b[:size*3/4])
}

// echo is a text in which others repeat the canaries: as they stand, encoded, in other case, wrapped,
// and cut off.
func (c canaries) echo() string {
	var b strings.Builder
	b.WriteString("refused")
	for name, canary := range c {
		for _, spelled := range []string{
			canary, url.QueryEscape(canary), strings.ToLower(canary), base64.StdEncoding.EncodeToString([]byte(canary)), hex.EncodeToString([]byte(canary)),
			canary[:len(canary)/2] + "\r\n  " + canary[len(canary)/2:], strings.ReplaceAll(canary, "/", `\/`),
		} {
			b.WriteString("; " + name + " " + spelled)
		}
	}
	for _, canary := range c { // at the end, as of a text that is bounded
		b.WriteString(" [" + canary[:len(canary)*3/4])
	}
	return b.String()
}

// check wants no part of a canary in an output, in whatever letter case.
func (c canaries) check(t *testing.T, what, output string) {
	t.Helper()
	folded := strings.ToLower(strings.NewReplacer("\n", "", "\r", "", " ", "", `\n`, "", `\r`, "", `\`, "").Replace(output))
	for name, canary := range c {
		for _, spelled := range []string{canary, url.QueryEscape(canary), base64.StdEncoding.EncodeToString([]byte(canary)), hex.EncodeToString([]byte(canary))} {
			spelled = strings.ToLower(spelled)
			size := min(canaryPart, len(spelled))
			for i := 0; i+size <= len(spelled); i++ {
				if strings.Contains(folded, spelled[i:i+size]) {
					t.Errorf("%s: %s is in %.300s", what, name, output)
					break
				}
			}
		}
	}
}

// checkWorld ends the function and wants no canary in anything that left it.
func (c canaries) checkWorld(t *testing.T, w *world, results ...lambdatest.Result) {
	t.Helper()
	w.end(t)
	c.check(t, "standard output", w.function.Stdout())
	c.check(t, "standard error", w.function.Stderr())
	for _, entry := range w.bus.Taken() {
		c.check(t, "an event", entry.Detail)
	}
	for _, result := range results {
		c.check(t, "a reply", string(result.Payload))
		if result.Err != nil {
			c.check(t, "a function error", fmt.Sprintf("%+v", *result.Err))
		}
	}
}

// ddsCanaries are the credentials of DDS, and the variables that set them.
func ddsCanaries() (c canaries, o ddstest.Options, env []string) {
	c = canaries{
		"the access key": "CANARYACCESSKEY0AB12",
		"the secret key": newCanary("secret key", 40),
		"the token":      newCanary("security token", 1200),
	}
	o = ddstest.Options{AccessKey: c["the access key"], SecretKey: c["the secret key"], SecurityToken: c["the token"], EchoRequest: true}
	return c, o, []string{
		"HUAWEICLOUD_SDK_AK=" + o.AccessKey, "HUAWEICLOUD_SDK_SK=" + o.SecretKey, "HUAWEICLOUD_SDK_SECURITY_TOKEN=" + o.SecurityToken,
	}
}

// askEveryWay asks for a deletion of each backup by a queue, a direct call and HTTP: the ways out.
func (w *world) askEveryWay(t *testing.T) (results []lambdatest.Result) {
	t.Helper()
	api, err := os.ReadFile("../../events/apigateway-http-delete.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{
		`{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":"{\"backup_id\":\"` + sample(0) + `\"}"}]}`,
		`{"backup_id":"` + sample(1) + `"}`,
		string(replaceID(api, firstBackup(t, api), sample(2))),
	} {
		results = append(results, w.invoke(t, []byte(payload)))
	}
	return results
}

// DDS, IAM and the gateway repeat what they were sent. No way out has any of it.
func TestNoCanaryOfDDSGetsOut(t *testing.T) {
	t.Parallel() // it waits
	c, o, env := ddsCanaries()
	echo := c.echo()
	withID := ddstest.Answer(400, "DBS.200001", echo)
	withID.Header = http.Header{"X-Request-Id": {o.SecurityToken}}
	for name, fault := range map[string]ddstest.Fault{
		"rejected, which is published": withID,
		"not found":                    ddstest.Answer(400, "DBS.201214", echo),
		"unknown":                      ddstest.Answer(404, "DBS.999999", echo),
		"a code that is a secret":      ddstest.Answer(400, o.AccessKey, echo),
		"unauthenticated":              ddstest.Answer(401, "APIGW.0301", echo),
		"the canonical request":        ddstest.Answer(401, "APIGW.0301", "verify fail, canonical_request: DELETE x-security-token:"+o.SecurityToken[:100]),
		"forbidden":                    ddstest.Answer(403, "DBS.280063", echo),
		"server failure":               ddstest.Answer(500, "DBS.280005", echo),
		"no JSON":                      ddstest.RawAnswer(502, "text/"+strings.ToLower(o.AccessKey), echo),
		"a job id that is a secret":    ddstest.AnswerAfter(200, "application/json", `{"job_id":"`+o.SecurityToken+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some wait between their tries
			w := startWith(t, o, nil, env...)
			w.dds.Inject(fault.Repeat(-1))
			c.checkWorld(t, w, w.askEveryWay(t)...)
		})
	}
}

// A gateway that refuses a signature may repeat the canonical request.
func TestNoCanaryOfARefusedSignatureGetsOut(t *testing.T) {
	c, o, env := ddsCanaries()
	for name, change := range map[string]func(*ddstest.Server){
		"another secret key": func(s *ddstest.Server) { s.SetKeys(o.AccessKey, "another", o.SecurityToken) },
		"another access key": func(s *ddstest.Server) { s.SetKeys("another", o.SecretKey, o.SecurityToken) },
	} {
		t.Run(name, func(t *testing.T) {
			w := startWith(t, o, nil, env...)
			change(w.dds)
			results := w.askEveryWay(t)
			if err := results[1].Err; err == nil || err.Type != "DDS.Unauthenticated" || strings.Contains(err.Message, "canonicalRequest") {
				t.Errorf("error %+v, want DDS.Unauthenticated without the canonical request", err)
			}
			c.checkWorld(t, w, results...)
		})
	}
}

// The project is looked up in IAM at the start.
func TestNoCanaryOfIAMGetsOut(t *testing.T) {
	t.Parallel() // it waits
	c, o, env := ddsCanaries()
	iam := func(status int) ddstest.Fault {
		return ddstest.RawAnswer(status, "application/json", fmt.Sprintf(`{"error":{"message":%q,"code":%d,"title":"refused"}}`, c.echo(), status))
	}
	for _, fault := range []ddstest.Fault{iam(401), iam(403), iam(404), iam(500), ddstest.Answer(401, "APIGW.0301", c.echo())} {
		t.Run(fault.String(), func(t *testing.T) {
			server := ddstest.NewServer(o)
			t.Cleanup(server.Close)
			server.Inject(fault.Repeat(-1))
			function, err := lambdatest.Start(t.Context(), lambdatest.Options{Binary: binary, Env: append([]string{
				"DDS_REGION=" + ddstest.Region,
				"DDS_ENDPOINT=" + server.URL(),
				"HUAWEICLOUD_SDK_IAM_ENDPOINT=" + server.URL(),
				"OUTCOME_SINK=stdout", "ALLOW_STDOUT=true",
			}, env...)})
			outputs := make(map[string]string)
			var failed *lambdatest.InitError
			switch {
			case errors.As(err, &failed):
				outputs["standard output"], outputs["standard error"], outputs["the error of the start"] = failed.Stdout, failed.Stderr, string(failed.Body)
			case err != nil:
				t.Fatal(err)
			default:
				result, err := function.Invoke(t.Context(), lambdatest.Invocation{Payload: []byte(`{"backup_id":"` + sample(0) + `"}`), RequestID: "invocation"})
				if err != nil {
					t.Error(err)
				}
				if err := function.Kill(); err != nil {
					t.Error(err)
				}
				outputs["standard output"], outputs["standard error"] = function.Stdout(), function.Stderr()
				outputs["the reply"], outputs["the error"] = string(result.Payload), fmt.Sprintf("%+v", result.Err)
			}
			if len(server.Calls()) == 0 || outputs["standard output"] == "" {
				t.Error("IAM was not asked, or nothing was logged")
			}
			for what, output := range outputs {
				c.check(t, what, output)
			}
		})
	}
}

// The check itself finds what it looks for.
func TestCanariesAreFound(t *testing.T) {
	c, _, _ := ddsCanaries()
	for name, canary := range c {
		for _, output := range []string{canary, strings.ToLower(canary), "…" + canary[:min(30, len(canary))] + "…", url.QueryEscape(canary)} {
			found := new(testing.T)
			canaries{name: canary}.check(found, "test", output)
			if !found.Failed() {
				t.Errorf("%s is not found in %q", name, output)
			}
		}
	}
}
