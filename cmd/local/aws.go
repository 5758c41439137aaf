package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/awsapp"
	"dds-backup-delete/internal/config"
)

// awsLinks returns the links whose AWS calls are signed with the credentials that the SDK's default chain
// finds: variables, profiles, single sign-on, roles. The deployed program does not link that chain, which
// would be a fifth of it.
func awsLinks(ctx context.Context, c *config.Config, log *slog.Logger) (app.Links, error) {
	var keys aws.CredentialsProvider
	if c.NeedsAWS() {
		found, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return app.Links{}, fmt.Errorf("AWS credentials: %w", err)
		}
		keys = found.Credentials
	}
	return awsapp.Links(c, log, keys)
}
