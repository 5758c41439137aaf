package stacktest_test

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"dds-backup-delete/internal/dds/ddstest"
)

// newQueue creates a queue, which is in no stack, and returns its URL and ARN.
func (w *world) newQueue(name string) (address, arn string) {
	w.t.Helper()
	made, err := w.sqs.CreateQueue(w.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name)})
	w.must(err)
	return *made.QueueUrl, "arn:aws:sqs:" + region + ":" + account + ":" + name
}

// With OutcomeSink, outcomes go to that bus, topic or queue. The role has the permission for this sink and for no
// other, and the stack has no bus of its own.
func TestOutcomeSinks(t *testing.T) {
	w := newWorld(t)
	address, queueARN := w.newQueue("own-outcomes")
	topic, err := w.sns.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("own-outcomes")})
	w.must(err)
	_, err = w.sns.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(queueARN)})
	w.must(err)

	actions := []string{"events:PutEvents", "sns:Publish", "sqs:SendMessage"}
	for action, sink := range map[string]string{"sns:Publish": *topic.TopicArn, "sqs:SendMessage": queueARN, "events:PutEvents": defaultBus + "-of-another"} {
		name := "sink-" + action[:3]
		w := newWorld(t)
		const key = "arn:aws:kms:eu-central-1:123456789012:key/0b6dd9e3-6d5a-4a5c-8f0c-6f1a1e6c7d11"
		// The secret has no token, and the test fails if the environment asks for one.
		w.start(name, "OutcomeSink="+sink, "OutcomeSinkKmsKeyArn="+key, "OutcomeHttpAuth=both", "Monitoring=false", "HttpApi=none")
		for _, asked := range actions {
			allowed, err := allows(w.stack.Role, call{
				Action: asked, Resource: sink,
				Keys: map[string][]string{"events:source": {"dds-backup-delete"}, "events:detail-type": {"dds.backup.deletion.accepted.v1"}},
			})
			if err != nil || allowed != (asked == action) {
				t.Errorf("%s on %s: allowed %v, error %v", asked, sink, allowed, err)
			}
		}
		service, _, _ := strings.Cut(action, ":")
		for _, asked := range []string{"sns", "sqs", "dynamodb"} {
			allowed, err := allows(w.stack.Role, call{
				Action: "kms:GenerateDataKey", Resource: key, Keys: map[string][]string{"kms:ViaService": {asked + ".eu-central-1.amazonaws.com"}},
			})
			if err != nil || allowed != (asked == service) {
				t.Errorf("the key of %s through %s: allowed %v, error %v", sink, asked, allowed, err)
			}
		}
		for _, resource := range []string{"OutcomeBus", "OutcomeArchive"} {
			if w.stack.Resources[resource] != "" || w.stack.Outputs[resource+"Arn"] != "" {
				t.Errorf("%s was made beside %s", resource, sink)
			}
		}
		if service == "events" {
			continue // the default sink is a bus, and TestQueueToBus works with it
		}
		w.send("", backup(30))
		w.want("given back", nil, w.poll(time.Minute))
		got := w.receive(address, time.Hour)
		if len(got) != 1 || !strings.Contains(*got[0].Body, "dds.backup.deletion.accepted.v1") || !strings.Contains(*got[0].Body, backup(30)) {
			t.Errorf("%s: %d messages arrived", sink, len(got))
		}
	}
}

// An https:// address gets the token and the signature from the secret. Neither is in a parameter or in the template, and
// the role needs no permission to send.
func TestOutcomesToAnAddress(t *testing.T) {
	const token, signing = "0123456789abcdef", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	type arrival struct {
		header http.Header
		body   string
	}
	arrivals := make(chan arrival, 10)
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrivals <- arrival{r.Header, string(body)}
	}))
	t.Cleanup(receiver.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}

	w := newWorld(t)
	client := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: aws.String(endpoint), Credentials: keys})
	made, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("with-token"),
		SecretString: aws.String(`{"HUAWEICLOUD_SDK_AK":"` + ddstest.AccessKey + `","HUAWEICLOUD_SDK_SK":"` + ddstest.SecretKey +
			`","OUTCOME_HTTP_TOKEN":"` + token + `","OUTCOME_HTTP_SECRET":"` + signing + `"}`),
	})
	w.must(err)
	w.env = []string{"SSL_CERT_FILE=" + roots}
	w.start("address", "HuaweiCloudSecretArn="+*made.ARN, "OutcomeSink="+receiver.URL+"/outcomes", "OutcomeHttpAuth=both", "OutcomeHttpMode=binary",
		"Monitoring=false", "HttpApi=none")
	w.send("", backup(31))
	w.want("given back", nil, w.poll(time.Minute))
	select {
	case got := <-arrivals:
		if got.header.Get("Authorization") != "Bearer "+token || !strings.HasPrefix(got.header.Get("Webhook-Signature"), "v1,") ||
			got.header.Get("Ce-Type") != "dds.backup.deletion.accepted.v1" || !strings.Contains(got.body, backup(31)) {
			t.Errorf("%v %s", got.header, got.body)
		}
	default:
		t.Error("no outcome arrived")
	}
	template, err := json.Marshal(w.stack.Template)
	w.must(err)
	for name, value := range w.stack.Function.Environment.Variables {
		if strings.Contains(value, token) || strings.Contains(value, signing) || strings.Contains(string(template), signing) {
			t.Errorf("%s has a secret before CloudFormation reads it", name)
		}
	}
	for _, s := range w.stack.Role {
		if strings.HasPrefix(s.Sid, "PublishOutcomes") {
			t.Errorf("the role has %s", s.Sid)
		}
	}

	// What the secret lacks is not asked for: CloudFormation would fail.
	for auth, want := range map[string][]string{"none": nil, "token": {"OUTCOME_HTTP_TOKEN"}, "signature": {"OUTCOME_HTTP_SECRET"}} {
		s, err := deploy(t, "address-"+auth, "OutcomeSink=https://broker.example.com/default", "OutcomeHttpAuth="+auth)
		w.must(err)
		var got []string
		for name, value := range s.Function.Environment.Variables {
			if strings.Contains(value, "{{resolve:") {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("OutcomeHttpAuth=%s: %v, want %v", auth, got, want)
		}
	}
}

// The settings of the function, the boundary of its role, and the key of the secret.
func TestFunctionParameters(t *testing.T) {
	const key, boundary = "arn:aws:kms:us-east-1:123456789012:key/0b6dd9e3-6d5a-4a5c-8f0c-6f1a1e6c7d11", "arn:aws:iam::123456789012:policy/boundary"
	s, err := deploy(t, "function", "DdsConcurrency=8", "MemorySize=256", "PermissionsBoundaryArn="+boundary, "SecretKmsKeyArn="+key,
		"HuaweiCloudSecretArn=arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Function.Environment.Variables["DDS_CONCURRENCY"]; got != "8" || s.Function.MemorySize != 256 || s.Boundary != boundary {
		t.Errorf("DDS_CONCURRENCY %s, memory %d, boundary %q", got, s.Function.MemorySize, s.Boundary)
	}
	for _, test := range []struct {
		action, service string
		want            bool
	}{
		{"kms:Decrypt", "secretsmanager.us-east-1", true},
		{"kms:Decrypt", "secretsmanager.eu-central-1", false},
		{"kms:Decrypt", "sqs.us-east-1", false},
		{"kms:Encrypt", "secretsmanager.us-east-1", false},
	} {
		allowed, err := allows(s.Role, call{Action: test.action, Resource: key, Keys: map[string][]string{"kms:ViaService": {test.service + ".amazonaws.com"}}})
		if err != nil || allowed != test.want {
			t.Errorf("%s through %s: allowed %v, error %v", test.action, test.service, allowed, err)
		}
	}
	if s, err = deploy(t, "defaults"); err != nil {
		t.Fatal(err)
	}
	if s.Function.Environment.Variables["DDS_CONCURRENCY"] != "32" || s.Function.MemorySize != 128 || s.Boundary != "" {
		t.Errorf("%+v, boundary %q", s.Function, s.Boundary)
	}
	for _, statement := range s.Role {
		if strings.HasPrefix(statement.Action[0], "kms:") {
			t.Errorf("without a key the role has %s", statement.Sid)
		}
	}
}
