package dynamodb

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"dds-backup-delete/internal/awsclient"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
)

// Open returns the ledger in the table that c names, for a program that has no other service of AWS: the table is
// mostly one of GeminiDB, which no template made. So it is looked at, and refused if it has no index of what is due,
// because a request that is parked there would never be worked. A table that cannot be reached is no error: each call
// tries again.
func Open(ctx context.Context, c *config.Config, log *slog.Logger) (*Ledger, error) {
	if !c.AWS.HasKeys() {
		return nil, errors.New("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; LEDGER needs them; expected the keys that the table asks for")
	}
	l := New(dynamodb.NewFromConfig(awsclient.Ledger(c, awsclient.EnvironmentKeys(&c.AWS))), c.Ledger.Table, nil)
	_, _, err := l.Due(ctx, deletion.Checks, time.Unix(0, 0), 1, "")
	if err == nil {
		return l, nil
	}
	if _, answered := errors.AsType[smithy.APIError](err); answered && !awsclient.RetrySoon().IsErrorRetryable(err) {
		return nil, err
	}
	log.WarnContext(ctx, "configuration warning", "warning", "LEDGER: not reached at start, and tried again for each request: "+err.Error())
	return l, nil
}
