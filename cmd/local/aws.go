package main

import (
	"context"
	"fmt"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/handler"
)

// awsOptions signs AWS calls with the credentials that the SDK's default chain finds: variables,
// profiles, single sign-on, roles. The deployed program does not link that chain, which would make up a
// fifth of it.
func awsOptions(ctx context.Context, c *config.Config) ([]handler.Option, error) {
	if !c.NeedsAWS() {
		return nil, nil
	}
	found, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS credentials: %w", err)
	}
	return []handler.Option{handler.WithAWSKeys(found.Credentials)}, nil
}
