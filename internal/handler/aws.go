package handler

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/transport"
)

// Option changes how a handler is wired.
type Option func(*clients)

// WithAWSKeys signs AWS calls with keys from elsewhere than the environment, as a profile or
// single sign-on.
func WithAWSKeys(keys aws.CredentialsProvider) Option { return func(c *clients) { c.keys = keys } }

// clients is what all AWS clients have in common. They are configured by hand: the SDK's own
// loader costs more at start than all the rest, and finds nothing more in Lambda.
type clients struct {
	c     *config.Config
	keys  aws.CredentialsProvider
	opens []func(context.Context) // each opens the connection of one
}

func newClients(c *config.Config, options []Option) (*clients, error) {
	clients := &clients{c: c}
	for _, option := range options {
		option(clients)
	}
	if clients.keys != nil {
		clients.keys = remembered(clients.keys)
		return clients, nil
	}
	if c.NeedsAWS() && !c.HasAWSKeys() {
		return nil, errors.New("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; " +
			"OUTCOME_SINK, LEDGER or HUAWEICLOUD_SECRET_ARN names an AWS service, which needs them")
	}
	clients.keys = environmentKeys(c)
	return clients, nil
}

// environmentKeys are the AWS keys of the environment.
func environmentKeys(c *config.Config) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID:     c.AWSAccessKeyID.Reveal(),
			SecretAccessKey: c.AWSSecretAccessKey.Reveal(),
			SessionToken:    c.AWSSessionToken.Reveal(),
		}, nil
	})
}

// remembered returns keys that are redacted from the first time they are used.
func remembered(keys aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		found, err := keys.Retrieve(ctx)
		for _, text := range []string{found.AccessKeyID, found.SecretAccessKey, found.SessionToken} {
			secret.New(text)
		}
		return found, err
	})
}

// noRetry returns the retryer of clients whose callers retry.
func noRetry() aws.Retryer { return aws.NopRetryer{} }

// retrySoon returns a retryer that repeats a failed call three times within a fraction of a second.
// The SDK's own waits of up to 20 seconds would outlast the time for recording an outcome.
func retrySoon() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 4
		o.MaxBackoff = 100 * time.Millisecond
	})
}

// config returns the configuration of one service's client. Endpoint is the address that the
// environment sets for the service; if it is empty, AWS_ENDPOINT_URL or the service's own address holds.
// A try ends after the given time: one that hangs, for example after a freeze, must leave time for the
// next. Each client has its own connections, as many as backups are deleted at once.
func (c *clients) config(region, endpoint string, try time.Duration, retryer func() aws.Retryer) aws.Config {
	config := aws.Config{
		Region:      region,
		Credentials: c.keys,
		Retryer:     retryer,
		HTTPClient:  transport.New(transport.Options{Connections: c.c.Concurrency, Try: try, Roots: c.c.AWSRoots}),
	}
	if address := cmp.Or(endpoint, c.c.AWSEndpointURL); address != "" {
		config.BaseEndpoint = aws.String(address)
	}
	return config
}
