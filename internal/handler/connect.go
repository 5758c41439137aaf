package handler

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithyendpoints "github.com/aws/smithy-go/endpoints"

	"dds-backup-delete/internal/transport"
)

// connectTime is how long a start waits for its connections. With another continent a
// connection, its handshake and one answer take almost a second.
const connectTime = 2 * time.Second

// connect opens, all at once, the connections that the first invocation needs: those of the
// AWS clients, and others. A function has a whole CPU while it starts (where it is started on
// demand) and, with 128 MB, a fourteenth of one for its invocations, where handshakes and the
// reading of the system's certificates would be the longest part. What fails here fails again,
// and is told, when it is needed.
// https://serverlessland.com/content/service/lambda/guides/effectively-running-java-on-serverless/init-heavy-lifting
func (c *clients) connect(ctx context.Context, others ...func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var all sync.WaitGroup
	for _, open := range append(others, c.opens...) {
		all.Go(func() { open(ctx) })
	}
	all.Wait()
}

// resolver finds the address of an AWS service.
type resolver[P any] interface {
	ResolveEndpoint(context.Context, P) (smithyendpoints.Endpoint, error)
}

// open makes connect open a connection of the client with that configuration, to the address that its
// service has for those parameters.
func open[P any](c *clients, config aws.Config, addresses resolver[P], parameters P) {
	c.opens = append(c.opens, func(ctx context.Context) {
		endpoint, err := addresses.ResolveEndpoint(ctx, parameters)
		if err != nil {
			return
		}
		transport.Open(ctx, config.HTTPClient.Do, endpoint.URI.String())
	})
}
