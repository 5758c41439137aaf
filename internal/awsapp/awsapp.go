// Package awsapp is what a program on AWS links into an [app.App]: EventBridge, SNS and SQS as sinks, a
// DynamoDB table as ledger, credentials in Secrets Manager, and the visibility of SQS messages.
package awsapp

import (
	"context"
	"errors"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/awsclient"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/sink/awssink"
)

// Links returns the links of a program whose AWS calls are signed with those keys, for example of a
// profile; nil for the keys of the environment. Clients are built only for what c names.
func Links(c *config.Config, log *slog.Logger, keys aws.CredentialsProvider) (app.Links, error) {
	switch {
	case keys != nil:
		keys = redacted(keys)
	case c.NeedsAWS() && !c.AWS.HasKeys():
		return app.Links{}, errors.New("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; " +
			"OUTCOME_SINK, LEDGER or HUAWEICLOUD_SECRET_ARN names an AWS service, which needs them")
	default:
		keys = awsclient.EnvironmentKeys(&c.AWS)
	}
	s := &clients{c: c, keys: keys}
	links := app.Links{
		Sinks: map[config.SinkKind]func(*config.Sink) (deletion.Sink, error){
			config.EventBridge: s.eventBridge, config.SNS: s.sns, config.SQS: s.sqs,
		},
		Ledgers:  map[config.LedgerKind]func(*config.Ledger) (deletion.Ledger, error){config.DynamoDB: s.dynamoDB},
		Postpone: newQueue(s, log).postpone,
		Connects: func() []func(context.Context) { return s.opens },
	}
	if c.TickBus.Region != "" {
		links.AskForTick = s.askForTick
	}
	if secret := c.Credentials.Secret; secret != (arn.ARN{}) {
		client := secretsmanager.NewFromConfig(s.config(secret.Region, c.AWS.SecretsManager, secretTry, awsclient.RetrySoon))
		links.ReadSecret = func(ctx context.Context, secret arn.ARN) (string, *deletion.Error) {
			out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(secret.String())})
			if err != nil {
				return "", secretError(err)
			}
			return aws.ToString(out.SecretString), nil
		}
	}
	return links, nil
}

// sinkConnections is how many connections a sink needs for the outcomes of a batch: one call takes ten.
func (c *clients) sinkConnections() int {
	return (c.c.Connections + awssink.MaxEntries - 1) / awssink.MaxEntries
}

// The clients of sinks do not retry, because the sinks do: they know which entries of a batch failed.

func (c *clients) eventBridge(s *config.Sink) (deletion.Sink, error) {
	at := c.config(s.ARN.Region, c.c.AWS.EventBridge, sinkTry, noRetry)
	open(c, at, eventbridge.NewDefaultEndpointResolverV2(), eventbridge.EndpointParameters{Region: &at.Region, Endpoint: at.BaseEndpoint}, c.sinkConnections())
	return awssink.NewEventBridge(eventbridge.NewFromConfig(at), s.ARN, s.Source), nil
}

func (c *clients) sns(s *config.Sink) (deletion.Sink, error) {
	at := c.config(s.ARN.Region, c.c.AWS.SNS, sinkTry, noRetry)
	open(c, at, sns.NewDefaultEndpointResolverV2(), sns.EndpointParameters{Region: &at.Region, Endpoint: at.BaseEndpoint}, c.sinkConnections())
	return awssink.NewSNS(sns.NewFromConfig(at), s.ARN), nil
}

func (c *clients) sqs(s *config.Sink) (deletion.Sink, error) {
	at := c.config(s.ARN.Region, c.c.AWS.SQS, sinkTry, noRetry)
	open(c, at, sqs.NewDefaultEndpointResolverV2(), sqs.EndpointParameters{Region: &at.Region, Endpoint: at.BaseEndpoint}, c.sinkConnections())
	return awssink.NewSQS(sqs.NewFromConfig(at), s.ARN)
}

func (c *clients) dynamoDB(l *config.Ledger) (deletion.Ledger, error) {
	at := awsclient.Ledger(c.c, c.keys)
	open(c, at, dynamodb.NewDefaultEndpointResolverV2(), dynamodb.EndpointParameters{Region: &at.Region, Endpoint: at.BaseEndpoint}, c.c.Connections)
	return ddbledger.New(dynamodb.NewFromConfig(at), l.Table, nil), nil
}
