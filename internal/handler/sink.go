package handler

import (
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink"
)

// sinkTry is how long one call to a sink may take. It is generous: a bus in another region is slow over a
// new connection, and a call that timed out may have published its events.
const sinkTry = 5 * time.Second

// newSink returns the sink that OUTCOME_SINK names. The AWS clients do not retry, since the sinks do:
// they know which entries of a batch failed.
func newSink(c *config.Config, clients *clients, out io.Writer) (deletion.Sink, error) {
	switch to := c.Sink(); to.Kind {
	case config.Bus:
		at := clients.config(to.Region, c.AWSEndpointEventBridge, sinkTry, noRetry)
		open(clients, at, eventbridge.NewDefaultEndpointResolverV2(), eventbridge.EndpointParameters{Region: &at.Region, Endpoint: at.BaseEndpoint})
		return sink.NewEventBridge(eventbridge.NewFromConfig(at), c.OutcomeSink, c.OutcomeSource), nil
	case config.Topic:
		at := clients.config(to.Region, c.AWSEndpointSNS, sinkTry, noRetry)
		open(clients, at, sns.NewDefaultEndpointResolverV2(), sns.EndpointParameters{Region: &at.Region, Endpoint: at.BaseEndpoint})
		return sink.NewSNS(sns.NewFromConfig(at), c.OutcomeSink), nil
	case config.Queue:
		at := clients.config(to.Region, c.AWSEndpointSQS, sinkTry, noRetry)
		open(clients, at, sqs.NewDefaultEndpointResolverV2(), sqs.EndpointParameters{Region: &at.Region, Endpoint: at.BaseEndpoint})
		return sink.NewSQS(sqs.NewFromConfig(at), c.OutcomeSink)
	case config.Address:
		key, err := c.HTTPKey()
		if err != nil {
			return nil, err
		}
		return sink.NewHTTP(sink.HTTPOptions{
			Address: c.OutcomeSink, Binary: c.HTTPMode == config.BinaryMode, Token: c.HTTPToken, Key: key,
		}, nil), nil
	case config.Stdout:
		return sink.NewStdout(out), nil
	default:
		return nil, errors.New("OUTCOME_SINK: nothing that takes outcomes")
	}
}
