// Package awsclient configures AWS clients by hand, because the SDK's own loader costs more at start than
// everything else, and finds nothing more in a function.
package awsclient

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/transport"
)

// Config returns the configuration of one service's client. Endpoint is the address that the environment
// sets for the service; empty for the service's own. A try ends after the given time: one that hangs, for
// example after a freeze, must leave time for the next. Each client has its own connections, as many as
// backups are deleted at once.
func Config(c *config.Config, keys aws.CredentialsProvider, region, endpoint string, try time.Duration, retryer func() aws.Retryer) aws.Config {
	at := aws.Config{
		Region:      region,
		Credentials: keys,
		Retryer:     retryer,
		HTTPClient:  transport.New(transport.Options{Connections: c.Concurrency, Try: try, Roots: c.AWS.Roots}),
	}
	if endpoint != "" {
		at.BaseEndpoint = aws.String(endpoint)
	}
	return at
}

// Ledger returns the configuration of the client of a ledger in a table, whose try takes a second.
func Ledger(c *config.Config, keys aws.CredentialsProvider) aws.Config {
	return Config(c, keys, c.Ledger.Region, c.AWS.DynamoDB, time.Second, RetrySoon)
}

// EnvironmentKeys are the AWS keys of the environment.
func EnvironmentKeys(c *config.AWS) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID:     c.AccessKeyID.Reveal(),
			SecretAccessKey: c.SecretAccessKey.Reveal(),
			SessionToken:    c.SessionToken.Reveal(),
		}, nil
	})
}

// RetrySoon returns a retryer that repeats a failed call three times within a fraction of a second.
// The SDK's own waits of up to 20 seconds would outlast the time for recording an outcome.
func RetrySoon() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 4
		o.MaxBackoff = 100 * time.Millisecond
	})
}
