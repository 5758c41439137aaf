// Command fgsdkgo is the deletion function on Huawei FunctionGraph as a good engineer writes it today, from the official
// parts: the smallest custom runtime, the official Huawei Cloud SDK with the keys of the invocation, valkey-go and the
// CloudEvents SDK with their defaults, and the whole batch at once.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	hwconfig "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	dds "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dds/v3"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dds/v3/model"
	"github.com/valkey-io/valkey-go"
	"golang.org/x/sync/errgroup"

	"dds-backup-delete/bench/peers/customruntime"
)

// concurrency is how many deletions run at once, and how many connections are kept for them.
const concurrency = 32

type handler struct {
	http  *hwconfig.HttpConfig // whose connections all invocations share
	store valkey.Client
	sink  cloudevents.Client
	log   *slog.Logger
}

// payload is what SMN and Kafka send.
type payload struct {
	Record []struct {
		SMN struct {
			Message string `json:"message"`
		} `json:"smn"`
	} `json:"record"`
	Records []struct {
		Messages []string `json:"messages"`
	} `json:"records"`
}

// outcome is what is stored and told.
type outcome struct {
	BackupID string `json:"backup_id"`
	JobID    string `json:"job_id,omitempty"`
	Status   string `json:"status"`
}

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(log)
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	customruntime.Serve(h.handle)
}

func newHandler(log *slog.Logger) (*handler, error) {
	option, err := valkey.ParseURL(os.Getenv("LEDGER"))
	if err != nil {
		return nil, err
	}
	store, err := valkey.NewClient(option)
	if err != nil {
		return nil, err
	}
	sink, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(os.Getenv("OUTCOME_SINK")),
		cloudevents.WithRoundTripper(&http.Transport{MaxIdleConnsPerHost: concurrency}))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: concurrency}
	return &handler{http: hwconfig.DefaultHttpConfig().WithHttpTransport(transport), store: store, sink: sink, log: log}, nil
}

func (h *handler) handle(header http.Header, event []byte) ([]byte, error) {
	var p payload
	if err := json.Unmarshal(event, &p); err != nil {
		return nil, err
	}
	var messages []string
	for _, r := range p.Record {
		messages = append(messages, r.SMN.Message)
	}
	for _, r := range p.Records {
		messages = append(messages, r.Messages...)
	}
	credentials, err := basic.NewCredentialsBuilder().WithAk(header.Get("X-Cff-Security-Access-Key")).
		WithSk(header.Get("X-Cff-Security-Secret-Key")).WithSecurityToken(header.Get("X-Cff-Security-Token")).
		WithProjectId(os.Getenv("RUNTIME_PROJECT_ID")).SafeBuild()
	if err != nil {
		return nil, err
	}
	hc, err := dds.DdsClientBuilder().WithEndpoint(os.Getenv("DDS_ENDPOINT")).WithCredential(credentials).WithHttpConfig(h.http).SafeBuild()
	if err != nil {
		return nil, err
	}
	var group errgroup.Group
	group.SetLimit(concurrency)
	for _, message := range messages {
		group.Go(func() error { return h.work(context.Background(), dds.NewDdsClient(hc), message) })
	}
	if err := group.Wait(); err != nil {
		h.log.Error("failed", "error", err)
		return nil, err // the asynchronous invocation is retried as a whole
	}
	return []byte(`{"status":"done"}`), nil
}

var errBusy = errors.New("another delivery is being worked")

// work deletes one backup, or finds out that it did before, and tells the outcome.
func (h *handler) work(ctx context.Context, client *dds.DdsClient, message string) error {
	var o outcome
	if err := json.Unmarshal([]byte(message), &o); err != nil {
		return err
	}
	key := "outcome:" + o.BackupID
	err := h.store.Do(ctx, h.store.B().Set().Key(key).Value("busy").Nx().Ex(time.Hour).Build()).Error()
	if valkey.IsValkeyNil(err) {
		return h.again(ctx, key)
	}
	if err != nil {
		return err
	}
	if err := requireManual(client, o.BackupID); err != nil {
		return err
	}
	response, err := client.DeleteManualBackup(&model.DeleteManualBackupRequest{BackupId: o.BackupID})
	if err != nil {
		return err
	}
	o.JobID, o.Status = *response.JobId, "accepted"
	h.log.InfoContext(ctx, "deleted", "backup_id", o.BackupID, "job_id", o.JobID)
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := h.store.Do(ctx, h.store.B().Set().Key(key).Value(string(text)).Ex(24*time.Hour).Build()).Error(); err != nil {
		return err
	}
	return h.tell(ctx, &o)
}

// again tells an earlier outcome.
func (h *handler) again(ctx context.Context, key string) error {
	text, err := h.store.Do(ctx, h.store.B().Get().Key(key).Build()).ToString()
	if err != nil {
		return err
	}
	var o outcome
	if json.Unmarshal([]byte(text), &o) != nil {
		return errBusy
	}
	return h.tell(ctx, &o)
}

// tell sends an outcome as a CloudEvent.
func (h *handler) tell(ctx context.Context, o *outcome) error {
	e := cloudevents.NewEvent()
	e.SetID(o.JobID)
	e.SetSource("dds-backup-delete")
	e.SetType("dds.backup.deletion.accepted.v1")
	if err := e.SetData(cloudevents.ApplicationJSON, o); err != nil {
		return err
	}
	if result := h.sink.Send(cloudevents.WithEncodingStructured(ctx), e); !cloudevents.IsACK(result) {
		return result
	}
	return nil
}

// requireManual looks a backup up, and fails where it is no finished manual one.
func requireManual(client *dds.DdsClient, id string) error {
	response, err := client.ListBackups(&model.ListBackupsRequest{BackupId: &id})
	if err != nil {
		return err
	}
	if response.Backups == nil || len(*response.Backups) != 1 {
		return fmt.Errorf("backup %s: not found", id)
	}
	b := (*response.Backups)[0]
	// The SDK's value is "manual", the API answers "Manual".
	if !strings.EqualFold(b.Type.Value(), model.GetBackupForListTypeEnum().MANUAL.Value()) || b.Status != model.GetBackupForListStatusEnum().COMPLETED {
		return fmt.Errorf("backup %s: not a finished manual backup", id)
	}
	return nil
}
