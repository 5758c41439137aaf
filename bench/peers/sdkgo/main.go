// Command sdkgo is the deletion handler as a good engineer writes it today, from the official
// parts: aws-lambda-go with its event types, the official Huawei Cloud SDK, the AWS SDK with
// its default configuration, the whole batch at once, and a partial batch response.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	hwconfig "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	dds "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dds/v3"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dds/v3/model"
	"golang.org/x/sync/errgroup"
)

// concurrency is how many deletions run at once, and how many connections are kept for them:
// with the defaults of the SDKs, two and ten, most calls of a batch would dial anew.
const concurrency = 32

type handler struct {
	dds   *dds.DdsClient
	bus   *eventbridge.Client
	name  string
	store *store // nil without a ledger
	check bool   // only a finished manual backup is deleted
	log   *slog.Logger
}

// request is the body of a message.
type request struct {
	BackupID string `json:"backup_id"`
}

// outcome is the detail of the event.
type outcome struct {
	RequestID string `json:"request_id"`
	BackupID  string `json:"backup_id"`
	JobID     string `json:"job_id,omitempty"`
	Status    string `json:"status"`
	Error     string `json:"error,omitempty"`
}

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(context.Background(), log)
	if err != nil {
		log.Error("start", "error", err)
		os.Exit(1)
	}
	lambda.Start(h.handle)
}

func newHandler(ctx context.Context, log *slog.Logger) (*handler, error) {
	credentials, err := basic.NewCredentialsBuilder().WithAk(os.Getenv("HUAWEICLOUD_SDK_AK")).
		WithSk(os.Getenv("HUAWEICLOUD_SDK_SK")).WithProjectId(os.Getenv("HUAWEICLOUD_SDK_PROJECT_ID")).SafeBuild()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: concurrency}
	hc, err := dds.DdsClientBuilder().WithEndpoint(os.Getenv("DDS_ENDPOINT")).WithCredential(credentials).
		WithHttpConfig(hwconfig.DefaultHttpConfig().WithHttpTransport(transport)).SafeBuild()
	if err != nil {
		return nil, err
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = concurrency })
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client))
	if err != nil {
		return nil, err
	}
	h := &handler{dds: dds.NewDdsClient(hc), bus: eventbridge.NewFromConfig(cfg), name: os.Getenv("OUTCOME_SINK"), log: log}
	h.check = os.Getenv("REQUIRE_MANUAL") == "true"
	if table := os.Getenv("LEDGER_TABLE"); table != "" {
		h.store = &store{dynamodb.NewFromConfig(cfg), table}
	}
	return h, nil
}

func (h *handler) handle(ctx context.Context, in events.SQSEvent) (events.SQSEventResponse, error) {
	errs := make([]error, len(in.Records))
	outcomes := make([]*outcome, len(in.Records))
	var group errgroup.Group
	group.SetLimit(concurrency)
	for i, record := range in.Records {
		group.Go(func() error {
			outcomes[i], errs[i] = h.work(ctx, record)
			return nil
		})
	}
	_ = group.Wait() // the errors are kept one by one
	h.publish(ctx, outcomes, errs)

	var out events.SQSEventResponse
	for i, err := range errs {
		if err != nil {
			h.log.ErrorContext(ctx, "given back", "request_id", in.Records[i].MessageId, "error", err)
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: in.Records[i].MessageId})
		}
	}
	return out, nil
}

// work deletes one backup, or finds out that it did before.
func (h *handler) work(ctx context.Context, record events.SQSMessage) (*outcome, error) {
	var r request
	if err := json.Unmarshal([]byte(record.Body), &r); err != nil {
		return nil, err
	}
	if h.store != nil {
		if done, err := h.store.begin(ctx, r.BackupID); done != nil || err != nil {
			return done, err
		}
	}
	if h.check {
		if err := h.requireManual(r.BackupID); err != nil {
			return nil, err
		}
	}
	response, err := h.dds.DeleteManualBackup(&model.DeleteManualBackupRequest{BackupId: r.BackupID})
	if err != nil {
		return nil, err
	}
	o := &outcome{RequestID: record.MessageId, BackupID: r.BackupID, JobID: aws.ToString(response.JobId), Status: "accepted"}
	h.log.InfoContext(ctx, "deleted", "request_id", o.RequestID, "backup_id", o.BackupID, "job_id", o.JobID)
	if h.store != nil {
		return o, h.store.finish(ctx, o)
	}
	return o, nil
}

// requireManual looks a backup up, and fails where it is no finished manual one.
func (h *handler) requireManual(id string) error {
	response, err := h.dds.ListBackups(&model.ListBackupsRequest{BackupId: &id})
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

// publish sends the outcomes, ten to a call, the calls at once.
func (h *handler) publish(ctx context.Context, outcomes []*outcome, errs []error) {
	var places []int
	for i := range outcomes {
		if errs[i] == nil {
			places = append(places, i)
		}
	}
	var group errgroup.Group
	for chunk := range slices.Chunk(places, 10) {
		group.Go(func() error {
			h.put(ctx, chunk, outcomes, errs)
			return nil
		})
	}
	_ = group.Wait() // the errors are kept one by one
}

func (h *handler) put(ctx context.Context, places []int, outcomes []*outcome, errs []error) {
	entries := make([]types.PutEventsRequestEntry, len(places))
	for n, i := range places {
		detail, err := json.Marshal(outcomes[i])
		if err != nil {
			errs[i] = err
		}
		entries[n] = types.PutEventsRequestEntry{
			EventBusName: aws.String(h.name), Source: aws.String("dds-backup-delete"),
			DetailType: aws.String("dds.backup.deletion.accepted.v1"), Detail: aws.String(string(detail)),
		}
	}
	out, err := h.bus.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	for n, i := range places {
		switch {
		case err != nil:
			errs[i] = err
		case out.Entries[n].ErrorCode != nil:
			errs[i] = fmt.Errorf("PutEvents: %s", *out.Entries[n].ErrorCode)
		}
	}
}
