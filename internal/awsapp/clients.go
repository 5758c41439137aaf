package awsapp

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithyendpoints "github.com/aws/smithy-go/endpoints"

	"dds-backup-delete/internal/awsclient"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/transport"
)

// sinkTry is how long one call to a sink may take. It is generous: a bus in another region is slow over a
// new connection, and a call that timed out may have published its events.
const sinkTry = 5 * time.Second

// clients is what all AWS clients have in common.
type clients struct {
	c     *config.Config
	keys  aws.CredentialsProvider
	opens []func(context.Context) // each opens the connections of one client
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

// config returns the configuration of one service's client.
func (c *clients) config(region, endpoint string, try time.Duration, retryer func() aws.Retryer) aws.Config {
	return awsclient.Config(c.c, c.keys, region, endpoint, try, retryer)
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
