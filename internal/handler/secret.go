package handler

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/metrics"
	"dds-backup-delete/internal/secret"
)

// secretTry is how long one call to Secrets Manager may take. A connection that hangs must leave
// time for a second one within [lookupTime].
const secretTry = 2 * time.Second

// newCredentials returns the look-up of the credentials in the secret that HUAWEICLOUD_SECRET_ARN names.
func newCredentials(c *config.Config, clients *clients, log *slog.Logger, m *metrics.Recorder) *lookup[dds.Credentials] {
	client := secretsmanager.NewFromConfig(clients.config(c.SecretRegion(), c.AWSEndpointSecretsManager, secretTry, retrySoon))
	var l *lookup[dds.Credentials]
	l = newLookup("HUAWEICLOUD_SECRET_ARN", log, m, func(ctx context.Context) (dds.Credentials, error) {
		out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(c.SecretARN)})
		if err != nil {
			e := secretError(err)
			l.report(ctx, e.Class, err)
			return dds.Credentials{}, e
		}
		credentials, err := config.ParseSecret(aws.ToString(out.SecretString))
		if err != nil { // the content can be put right without a deployment
			l.report(ctx, deletion.ClassForbidden, err)
			return dds.Credentials{}, &deletion.Error{Class: deletion.ClassForbidden, Message: err.Error()}
		}
		return credentials, nil
	})
	return l
}

// secretError returns the error of requests whose credentials cannot be read: [deletion.ClassForbidden]
// where Secrets Manager refuses the call, which a person must change, and else
// [deletion.ClassUnavailable]. It names the code alone, since the text names the role and the account.
func secretError(err error) *deletion.Error {
	e := &deletion.Error{Class: deletion.ClassUnavailable, Message: "HUAWEICLOUD_SECRET_ARN: the secret cannot be read: Secrets Manager did not answer"}
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) {
		return e
	}
	e.Message = "HUAWEICLOUD_SECRET_ARN: the secret cannot be read: HTTP status " + http.StatusText(answer.HTTPStatusCode())
	var api smithy.APIError
	if errors.As(err, &api) && isCode(api.ErrorCode()) {
		e.Message = "HUAWEICLOUD_SECRET_ARN: the secret cannot be read: " + api.ErrorCode()
	}
	switch status := answer.HTTPStatusCode(); {
	case status == http.StatusTooManyRequests, throttles.IsErrorThrottle(err) == aws.TrueTernary:
		e.RetryAfter = time.Minute
	case status >= 400 && status < 500 && retryables.IsErrorRetryable(err) != aws.TrueTernary:
		e.Class = deletion.ClassForbidden
	}
	return e
}

// isCode reports whether a text has the form of an AWS error code, for example AccessDeniedException.
// Another text may repeat anything.
func isCode(s string) bool {
	return len(s) <= 64 && secret.Redact(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return r > 'z' || !unicode.IsLetter(r) })
}

// What the SDK knows about errors.
var (
	throttles  = retry.IsErrorThrottles(retry.DefaultThrottles)
	retryables = retry.IsErrorRetryables(retry.DefaultRetryables)
)
