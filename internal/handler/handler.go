// Package handler is the whole function, bytes in and bytes out: it wires the rooms together
// and knows the way of the data through them. A host only carries the bytes.
package handler

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/ledger"
	"dds-backup-delete/internal/sink"
)

// Handler handles payloads. It is safe for use by many goroutines.
type Handler struct {
	log     *slog.Logger
	client  *dds.Client
	decoder event.Decoder
	service *deletion.Service
	queue   *queue // nil where messages are not given back to one
}

// New wires a handler. Only what c asks for is built. Where c says so, the credentials are
// read from their secret and the project is looked up, here and never for a request. Events
// for the stdout sink go to out.
func New(ctx context.Context, c *config.Config, log *slog.Logger, out io.Writer) (*Handler, error) {
	if c.LambdaRuntimeAPI != "" && c.LedgerTable() == "" { // the first line of the log
		log.WarnContext(ctx, "LEDGER is memory: what this process knows is lost with it and unknown to others, so after a crash "+
			"a job id can be lost, a repeat asks DDS again, and its outcome may be unconfirmed; want dynamodb://<table>")
	}
	client, err := newClient(ctx, c)
	if err != nil {
		return nil, err
	}
	scope := deletion.Scope{Region: c.Region, ProjectID: c.ProjectID, Regions: c.Regions, Projects: c.Projects}
	project := &project{find: func(ctx context.Context) (string, error) { return client.FindProject(ctx, c.IAMEndpoint, c.Region) }}
	if scope.ProjectID == "" {
		if err := project.atStart(ctx, log); err != nil {
			return nil, err
		}
	}
	h := &Handler{log: log, client: client, decoder: event.Decoder{RequestType: c.RequestType}, service: &deletion.Service{
		Deleter: client, Ledger: newLedger(c), Sink: newSink(c, out), Scope: scope, FindProject: project.id, Concurrency: c.Concurrency, Log: log,
	}}
	if c.LambdaRuntimeAPI != "" {
		h.queue = newQueue(c, log)
	}
	return h, nil
}

// newClient builds the DDS client, with the credentials of the environment or of the secret.
func newClient(ctx context.Context, c *config.Config) (*dds.Client, error) {
	o := dds.Options{
		Endpoints:     c.Endpoints,
		Credentials:   c.Credentials,
		Connections:   c.Concurrency,
		Rate:          c.Rate,
		RequireManual: c.RequireManual,
		DryRun:        c.DryRun,
	}
	if c.SecretARN != "" {
		o.Renew = newSecret(c)
		var err error
		if o.Credentials, err = o.Renew(ctx); err != nil {
			return nil, err
		}
	}
	return dds.New(o)
}

// newSink builds the sink that OUTCOME_SINK names.
func newSink(c *config.Config, out io.Writer) deletion.Sink {
	if c.OutcomeSink == config.StdoutSink {
		return sink.NewStdout(out)
	}
	return sink.NewEventBridge(eventbridge.New(eventbridge.Options{
		Region:       c.BusRegion(),
		Credentials:  awsKeys(c),
		BaseEndpoint: awsEndpoint(c, c.AWSEndpointEventBridge),
		Retryer:      retrySoon(),
		HTTPClient:   awsHTTP(c),
	}), c.OutcomeSink)
}

// newLedger builds the ledger that LEDGER names.
func newLedger(c *config.Config) deletion.Ledger {
	if table := c.LedgerTable(); table != "" {
		return ledger.NewDynamoDB(dynamodb.New(dynamodb.Options{
			Region:       c.AWSRegion,
			Credentials:  awsKeys(c),
			BaseEndpoint: awsEndpoint(c, c.AWSEndpointDynamoDB),
			Retryer:      retrySoon(),
			HTTPClient:   awsHTTP(c),
		}), table, nil)
	}
	return ledger.NewMemory(ledger.DefaultSize, nil)
}

// awsKeys are the AWS keys of the environment. AWS clients are configured by hand: the SDK's
// own loader costs more at start than all the rest, and finds nothing more in Lambda.
func awsKeys(c *config.Config) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID:     c.AWSAccessKeyID,
			SecretAccessKey: c.AWSSecretAccessKey.Reveal(),
			SessionToken:    c.AWSSessionToken.Reveal(),
		}, nil
	})
}

// retrySoon repeats failed calls three times within a fraction of a second. The SDK's own
// waits, of up to 20 seconds, would outlast the time that recording and publishing have.
func retrySoon() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 4
		o.MaxBackoff = 100 * time.Millisecond
	})
}

// awsHTTP keeps as many connections as backups are worked at once, not the SDK's ten, and gives
// up a try after a second: one that hangs, as after a freeze, must leave time for the next.
func awsHTTP(c *config.Config) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(time.Second).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = c.Concurrency
	})
}

// awsEndpoint is the address that the environment sets for a service, nil where it sets none.
func awsEndpoint(c *config.Config, ofService string) *string {
	if address := cmp.Or(ofService, c.AWSEndpointURL); address != "" {
		return aws.String(address)
	}
	return nil
}

// Handle works one payload and returns the reply to its source. The error, a
// [*event.FunctionError], is the reply to a source whose protocol knows errors. Handle never
// panics, since a panic would end the process.
func (h *Handler) Handle(ctx context.Context, in event.Invocation, payload []byte) (reply []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply, err = nil, event.Panicked()
		}
	}()
	batch, err := h.decoder.Decode(payload, in)
	if err != nil {
		h.log.WarnContext(ctx, "payload refused", "error", err.Error(), "bytes", len(payload))
		return nil, err
	}
	if len(batch.Echoes) > 0 {
		h.log.WarnContext(ctx, "own outcome events came in and were left alone", "ids", batch.Echoes)
	}
	if batch.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, batch.Limit)
		defer cancel()
	}
	outcomes := h.service.Do(ctx, batch.Requests)
	if h.queue != nil {
		h.queue.postpone(ctx, batch.SourceARN, batch.Visibilities(outcomes))
	}
	return batch.Reply(outcomes)
}

// Close lets go of what is kept open between invocations.
func (h *Handler) Close() { h.client.CloseIdleConnections() }
