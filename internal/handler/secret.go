package handler

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/secret"
)

// secretTry is how long one call to Secrets Manager may take: three fit into the time of a start.
const secretTry = 2 * time.Second

// newSecret returns what reads the credentials from the secret that HUAWEICLOUD_SECRET_ARN names.
func newSecret(c *config.Config, clients *clients) func(context.Context) (dds.Credentials, error) {
	client := secretsmanager.New(secretsmanager.Options{
		Region:       c.SecretRegion(),
		Credentials:  clients.keys,
		BaseEndpoint: clients.endpoint(c.AWSEndpointSecretsManager),
		HTTPClient:   clients.http(secretTry),
	})
	return func(ctx context.Context) (dds.Credentials, error) {
		out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(c.SecretARN)})
		if err != nil {
			return dds.Credentials{}, fmt.Errorf("HUAWEICLOUD_SECRET_ARN: %w", secret.RedactError(err))
		}
		return config.ParseSecret(aws.ToString(out.SecretString))
	}
}
