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

// retrySoon repeats failed calls three times within a fraction of a second. The SDK's own
// waits, of up to 20 seconds, would outlast the time that recording has.
func retrySoon() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 4
		o.MaxBackoff = 100 * time.Millisecond
	})
}

// http returns what carries the calls of a client. It keeps as many connections as backups are
// worked at once, and gives up a try after that time: one that hangs, as after a freeze, must
// leave time for the next.
func (c *clients) http(try time.Duration) *transport.Transport {
	return transport.New(transport.Options{Connections: c.c.Concurrency, Try: try, Roots: c.c.AWSRoots})
}

// endpoint is the address that the environment sets for a service, nil where it sets none.
func (c *clients) endpoint(ofService string) *string {
	if address := cmp.Or(ofService, c.c.AWSEndpointURL); address != "" {
		return aws.String(address)
	}
	return nil
}
