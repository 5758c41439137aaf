package awsapp

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	smithyendpoints "github.com/aws/smithy-go/endpoints"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/transport"
)

// sinkTry is how long one call to a sink may take. It is generous: a bus in another region is slow over a
// new connection, and a call that timed out may have published its events.
const sinkTry = 5 * time.Second

// clients is what all AWS clients have in common. They are configured by hand, because the SDK's own
// loader costs more at start than everything else, and finds nothing more in Lambda.
type clients struct {
	c     *config.Config
	keys  aws.CredentialsProvider
	opens []func(context.Context) // each opens the connections of one client
}

// environmentKeys are the AWS keys of the environment.
func environmentKeys(c *config.AWS) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID:     c.AccessKeyID.Reveal(),
			SecretAccessKey: c.SecretAccessKey.Reveal(),
			SessionToken:    c.SessionToken.Reveal(),
		}, nil
	})
}

// redacted returns keys that are redacted from their first use on.
func redacted(keys aws.CredentialsProvider) aws.CredentialsProvider {
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

// config returns the configuration of one service's client. Endpoint is the address that the environment
// sets for the service; empty for the service's own. A try ends after the given time: one that hangs, for
// example after a freeze, must leave time for the next. Each client has its own connections, as many as
// backups are deleted at once.
func (c *clients) config(region, endpoint string, try time.Duration, retryer func() aws.Retryer) aws.Config {
	config := aws.Config{
		Region:      region,
		Credentials: c.keys,
		Retryer:     retryer,
		HTTPClient:  transport.New(transport.Options{Connections: c.c.Concurrency, Try: try, Roots: c.c.AWS.Roots}),
	}
	if endpoint != "" {
		config.BaseEndpoint = aws.String(endpoint)
	}
	return config
}

// resolver finds the address of an AWS service.
type resolver[P any] interface {
	ResolveEndpoint(context.Context, P) (smithyendpoints.Endpoint, error)
}

// open notes how to open n connections of the client with that configuration, to the address that its
// service has for those parameters.
func open[P any](c *clients, config aws.Config, addresses resolver[P], parameters P, n int) {
	c.opens = append(c.opens, func(ctx context.Context) {
		endpoint, err := addresses.ResolveEndpoint(ctx, parameters)
		if err != nil {
			return
		}
		transport.Open(ctx, config.HTTPClient.Do, endpoint.URI.String(), n)
	})
}
