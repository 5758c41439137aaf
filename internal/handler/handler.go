// Package handler is the whole function, bytes in and bytes out: it wires the rooms together
// and knows the way of the data through them. A host only carries the bytes.
package handler

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/sink"
)

// maxHTTP is how long an HTTP request is worked: API Gateway gives up after 29 s.
const maxHTTP = 25 * time.Second

// Handler handles payloads. It is safe for use by many goroutines.
type Handler struct {
	client  *dds.Client
	service *deletion.Service
}

// New wires a handler. Only what c asks for is built, and no call is made. Events for the
// stdout sink go to out.
func New(c *config.Config, log *slog.Logger, out io.Writer) (*Handler, error) {
	client, err := dds.New(dds.Options{
		Endpoint: c.Endpoint,
		Credentials: dds.Credentials{
			AccessKey: c.AccessKey, SecretKey: c.SecretKey, SecurityToken: c.SecurityToken,
		},
		Connections: c.Concurrency,
	})
	if err != nil {
		return nil, err
	}
	outcomes, err := newSink(c, out)
	if err != nil {
		return nil, err
	}
	return &Handler{client: client, service: &deletion.Service{
		Deleter:     client,
		Sink:        outcomes,
		ProjectID:   c.ProjectID,
		Region:      c.Region,
		Concurrency: c.Concurrency,
		Log:         log,
	}}, nil
}

// newSink builds the sink that OUTCOME_SINK names. The AWS client is configured by hand:
// the SDK's own loader costs more at start than all the rest, and finds nothing more here.
func newSink(c *config.Config, out io.Writer) (deletion.Sink, error) {
	if c.OutcomeSink == config.StdoutSink {
		return sink.NewStdout(out), nil
	}
	bus, err := config.ParseBusARN(c.OutcomeSink)
	if err != nil {
		return nil, err
	}
	options := eventbridge.Options{
		Region: bus.Region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     c.AWSAccessKeyID,
				SecretAccessKey: c.AWSSecretAccessKey.Reveal(),
				SessionToken:    c.AWSSessionToken.Reveal(),
			}, nil
		}),
	}
	for _, endpoint := range []string{c.AWSEndpointURL, c.AWSEndpointEventBridge} {
		if endpoint != "" {
			options.BaseEndpoint = aws.String(endpoint)
		}
	}
	return sink.NewEventBridge(eventbridge.New(options), c.OutcomeSink), nil
}

// Handle works one payload and returns the reply to its source. The invocation's id names a
// request that brings none. The error, a [*event.FunctionError], is the reply to a source
// whose protocol knows errors. Handle never panics, since a panic would end the process.
func (h *Handler) Handle(ctx context.Context, invocationID string, payload []byte) (reply []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.service.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply, err = nil, event.Panicked()
		}
	}()
	batch, err := event.Decode(payload, invocationID)
	if err != nil {
		h.service.Log.WarnContext(ctx, "payload refused", "error", err.Error(), "bytes", len(payload))
		return nil, err
	}
	if batch.Source == event.SourceHTTPAPI {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, maxHTTP)
		defer cancel()
	}
	return batch.Reply(h.service.Do(ctx, batch.Requests))
}

// Close lets go of what is kept open between invocations.
func (h *Handler) Close() { h.client.CloseIdleConnections() }
