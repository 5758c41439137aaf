// Package conformance compares our signer and our simulated DDS and SMN with the official SDK. It is a module
// of its own, so that the product never depends on the SDK.
package conformance

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	official "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dds/v3"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dds/v3/model"
	smn "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/smn/v2"
	smnmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/smn/v2/model"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/sink"
)

const requests = 5000

// alphabet is what paths, queries and tokens are made of: characters that encoders treat differently.
var alphabet = []string{
	"a", "Z", "0", "9", "-", "_", ".", "~", "+", "%", " ", "=", "&", "?", "#", "!", "*", "(", ")", "'", "\"", ":", ";", ",",
	"@", "$", "[", "]", "|", "\\", "^", "`", "{", "}", "<", ">", "é", "一", "😀", "%2F", "%zz",
}

func text(r *rand.Rand, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// TestSigner gives random requests to both signers.
func TestSigner(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range requests {
		path := "/v3"
		for range r.IntN(5) {
			path += "/" + text(r, 6)
		}
		if r.IntN(4) == 0 {
			path += "/"
		}
		query := make(url.Values)
		for range r.IntN(4) {
			query[text(r, 4)] = append([]string(nil), text(r, 5))
		}
		method := []string{"GET", "DELETE", "POST"}[r.IntN(3)]
		headers := map[string]string{
			"X-Sdk-Date":   time.Unix(r.Int64N(4e9), 0).UTC().Format("20060102T150405Z"),
			"X-Project-Id": "0549b4a43100d4f32f51c01c2fe4acdb",
		}
		signed := []string{"X-Project-Id", "X-Sdk-Date"}
		if r.IntN(2) == 0 {
			headers["X-Security-Token"] = "token" + strings.Trim(text(r, 8), " ")
			signed = append(signed, "X-Security-Token")
		}
		if r.IntN(2) == 0 {
			headers["Host"] = "dds.cn-north-4.myhuaweicloud.com"
			signed = append([]string{"Host"}, signed...)
		}
		body := ""
		if method == "POST" {
			body = `{"message":"` + text(r, 20) + `"}`
			headers["Content-Type"] = "application/json;charset=UTF-8"
		}
		access, secretKey := "AK"+fmt.Sprint(r.Uint64()), "SK"+fmt.Sprint(r.Uint64())

		want := officialSignature(t, method, path, query, headers, body, access, secretKey)
		got := ourSignature(t, method, path, query, headers, signed, body, access, secretKey)
		if got != want {
			t.Fatalf("%s %q ? %q %s\n     ours %s\nofficial %s", method, path, query, body, got, want)
		}
	}
}

func officialSignature(t *testing.T, method, path string, query url.Values, headers map[string]string, body, access, secretKey string) string {
	t.Helper()
	b := request.NewHttpRequestBuilder().WithEndpoint("https://dds.cn-north-4.myhuaweicloud.com").WithMethod(method).WithPath(path)
	for name, values := range query {
		b.AddQueryParam(name, reflect.ValueOf(values[0]))
	}
	for name, value := range headers {
		b.AddHeaderParam(name, value)
	}
	if body != "" {
		b.WithBody("", body)
	}
	added, err := signer.Sign(b.Build(), access, secretKey)
	if err != nil {
		t.Fatal(err)
	}
	return added["Authorization"]
}

func ourSignature(t *testing.T, method, path string, query url.Values, headers map[string]string, signed []string, body, access, secretKey string) string {
	t.Helper()
	u := &url.URL{Scheme: "https", Host: "dds.cn-north-4.myhuaweicloud.com", Path: path, RawQuery: query.Encode()}
	r := (&http.Request{Method: method, URL: u, Header: make(http.Header)}).WithContext(t.Context())
	for name, value := range headers {
		if name != "Host" {
			r.Header.Set(name, value)
		}
	}
	dds.Sign(r, fmt.Sprintf("%x", sha256.Sum256([]byte(body))), dds.Credentials{AccessKey: secret.New(access), SecretKey: secret.New(secretKey)}, signed)
	return r.Header.Get("Authorization")
}

// client returns the official client of a simulated DDS.
func client(t *testing.T, server *ddstest.Server, secretKey string) *official.DdsClient {
	t.Helper()
	credentials, err := basic.NewCredentialsBuilder().WithAk(ddstest.AccessKey).WithSk(secretKey).WithProjectId(ddstest.ProjectID).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	http, err := official.DdsClientBuilder().WithEndpoints([]string{server.URL()}).WithCredential(credentials).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return official.NewDdsClient(http)
}

// TestOfficialClient deletes and lists backups and shows a job with the official client and our simulated DDS.
func TestOfficialClient(t *testing.T) {
	server := ddstest.NewServer(ddstest.Options{DeletionTime: time.Hour})
	defer server.Close()
	server.Add(ddstest.SampleBackups()...)
	c := client(t, server, ddstest.SecretKey)
	backup := ddstest.SampleBackups()[0].ID

	listed, err := c.ListBackups(&model.ListBackupsRequest{BackupId: &backup})
	if err != nil {
		t.Fatal(err)
	}
	if b := *listed.Backups; len(b) != 1 || *listed.TotalCount != 1 || b[0].Id != backup || b[0].Datastore == nil {
		t.Errorf("list %+v", listed)
	}
	deleted, err := c.DeleteManualBackup(&model.DeleteManualBackupRequest{BackupId: backup})
	if err != nil {
		t.Fatal(err)
	}
	jobs := server.Jobs()
	if len(jobs) != 1 || deleted.JobId == nil || *deleted.JobId != jobs[0].ID {
		t.Fatalf("deletion %+v, jobs %+v", deleted, jobs)
	}
	job, err := c.ShowJobDetail(&model.ShowJobDetailRequest{Id: jobs[0].ID})
	if err != nil {
		t.Fatal(err)
	}
	if job.Job == nil || job.Job.Id != jobs[0].ID || job.Job.Status != "Running" {
		t.Errorf("job %+v", job)
	}
}

// TestOfficialTopics publishes the same message with the official client and with ours: the call looks the same on the
// wire, and the simulated SMN takes both.
func TestOfficialTopics(t *testing.T) {
	server := ddstest.NewServer(ddstest.Options{})
	defer server.Close()
	const topic = "urn:smn:" + ddstest.Region + ":" + ddstest.ProjectID + ":outcomes"
	event := deletion.Event{Type: "dds.backup.deletion.accepted.v1", Status: deletion.Accepted, ProjectID: ddstest.ProjectID, JSON: []byte(`{"text":"<é>一"}`)}

	ours, err := dds.New(dds.Options{Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)}})
	if err != nil {
		t.Fatal(err)
	}
	post := func(ctx context.Context, projectID string, body []byte, path ...string) ([]byte, error) {
		return ours.Post(ctx, server.URL(), projectID, body, path...)
	}
	if err := sink.NewSMN(ddstest.ProjectID, topic, post).Publish(t.Context(), []deletion.Event{event})[0]; err != nil {
		t.Fatal(err)
	}

	credentials, err := basic.NewCredentialsBuilder().WithAk(ddstest.AccessKey).WithSk(ddstest.SecretKey).WithProjectId(ddstest.ProjectID).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	http, err := smn.SmnClientBuilder().WithEndpoints([]string{server.URL()}).WithCredential(credentials).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	attribute := func(name, value string) smnmodel.MessageAttribute {
		v := any(value)
		return smnmodel.MessageAttribute{Name: name, Type: smnmodel.GetMessageAttributeTypeEnum().STRING, Value: &v}
	}
	message, retention := string(event.JSON), "86400"
	answer, err := smn.NewSmnClient(http).PublishMessage(&smnmodel.PublishMessageRequest{TopicUrn: topic, Body: &smnmodel.PublishMessageRequestBody{
		Subject: &event.Type, Message: &message, TimeToLive: &retention,
		MessageAttributes: &[]smnmodel.MessageAttribute{attribute("status", "accepted"), attribute("project_id", ddstest.ProjectID)},
	}})
	if err != nil || answer.MessageId == nil {
		t.Fatalf("answer %+v, error %v", answer, err)
	}
	messages, calls := server.Messages(), server.Calls()
	if len(messages) != 2 || !reflect.DeepEqual(messages[0], messages[1]) || calls[0].Path != calls[1].Path {
		t.Errorf("messages %+v\ncalls %+v", messages, calls)
	}
}

// TestOfficialClientUnderstandsErrors checks that the official client reads the errors of our simulated DDS.
func TestOfficialClientUnderstandsErrors(t *testing.T) {
	server := ddstest.NewServer(ddstest.Options{})
	defer server.Close()
	server.Add(ddstest.SampleBackups()...)
	c := client(t, server, ddstest.SecretKey)
	ask := func(id string) *sdkerr.ServiceResponseError {
		t.Helper()
		_, err := c.DeleteManualBackup(&model.DeleteManualBackupRequest{BackupId: id})
		var e *sdkerr.ServiceResponseError
		if !errors.As(err, &e) {
			t.Fatalf("error %v (%T)", err, err)
		}
		return e
	}
	if e := ask("none"); e.StatusCode != 400 || e.ErrorCode != "DBS.201214" || e.ErrorMessage == "" || e.RequestId == "" {
		t.Errorf("not there: %+v", e)
	}
	if e := ask("d2e3f4a5b6c74d8e9f0a1b2c3d4e5f10br02"); e.ErrorCode != "DBS.201319" {
		t.Errorf("restoring: %+v", e)
	}
	server.Inject(ddstest.Throttle())
	if e := ask("none"); e.StatusCode != 429 || e.ErrorCode != "APIGW.0308" || !strings.Contains(e.ErrorMessage, "limit:200,time:5 minute") {
		t.Errorf("throttled: %+v", e)
	}
	_, err := client(t, server, "wrong").ShowJobDetail(&model.ShowJobDetailRequest{Id: "none"})
	var e *sdkerr.ServiceResponseError
	if !errors.As(err, &e) || e.StatusCode != 401 || e.ErrorCode != "APIGW.0301" {
		t.Errorf("wrong key: %v", err)
	}
}

func BenchmarkSignOfficial(b *testing.B) {
	r := request.NewHttpRequestBuilder().WithEndpoint("https://dds.cn-north-1.myhuaweicloud.com").WithMethod("DELETE").
		WithPath("/v3/0549b4a43100d4f32f51c01c2fe4acdb/backups/8d9586c40b33449a815518d4635a2cd9br02").
		AddHeaderParam("X-Sdk-Date", "20060102T150405Z").AddHeaderParam("X-Project-Id", "0549b4a43100d4f32f51c01c2fe4acdb").Build()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := signer.Sign(r, "AccessKey", "SecretKey"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignOurs(b *testing.B) {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodDelete,
		"https://dds.cn-north-1.myhuaweicloud.com/v3/0549b4a43100d4f32f51c01c2fe4acdb/backups/8d9586c40b33449a815518d4635a2cd9br02", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("X-Sdk-Date", "20060102T150405Z")
	r.Header.Set("X-Project-Id", "0549b4a43100d4f32f51c01c2fe4acdb")
	empty := fmt.Sprintf("%x", sha256.Sum256(nil))
	b.ReportAllocs()
	for b.Loop() {
		dds.Sign(r, empty, dds.Credentials{AccessKey: secret.New("AccessKey"), SecretKey: secret.New("SecretKey")}, []string{"X-Project-Id", "X-Sdk-Date"})
	}
}
