package handler

import (
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink"
)

// sinkTry is how long one call to a sink may take. A bus in another region, over a new connection,
// takes its time; and a call that was given up has perhaps been taken.
const sinkTry = 5 * time.Second

// newSink builds the sink that OUTCOME_SINK names. The AWS clients do not retry, since the sinks do:
// they know which entries of a batch failed.
func newSink(c *config.Config, clients *clients, out io.Writer) (deletion.Sink, error) {
	switch to := c.Sink(); to.Kind {
	case config.Bus:
		client := eventbridge.New(eventbridge.Options{
			Region:       to.Region,
			Credentials:  clients.keys,
			BaseEndpoint: clients.endpoint(c.AWSEndpointEventBridge),
			Retryer:      aws.NopRetryer{},
			HTTPClient:   clients.http(sinkTry),
		})
		o := client.Options()
		open(clients, o.HTTPClient, o.EndpointResolverV2, eventbridge.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint})
		return sink.NewEventBridge(client, c.OutcomeSink, c.OutcomeSource), nil
	case config.Topic:
		client := sns.New(sns.Options{
			Region:       to.Region,
			Credentials:  clients.keys,
			BaseEndpoint: clients.endpoint(c.AWSEndpointSNS),
			Retryer:      aws.NopRetryer{},
			HTTPClient:   clients.http(sinkTry),
		})
		o := client.Options()
		open(clients, o.HTTPClient, o.EndpointResolverV2, sns.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint})
		return sink.NewSNS(client, c.OutcomeSink), nil
	case config.Queue:
		client := sqs.New(sqs.Options{
			Region:       to.Region,
			Credentials:  clients.keys,
			BaseEndpoint: clients.endpoint(c.AWSEndpointSQS),
			Retryer:      aws.NopRetryer{},
			HTTPClient:   clients.http(sinkTry),
		})
		o := client.Options()
		open(clients, o.HTTPClient, o.EndpointResolverV2, sqs.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint})
		return sink.NewSQS(client, c.OutcomeSink)
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
