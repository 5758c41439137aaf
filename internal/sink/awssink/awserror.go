package awssink

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"dds-backup-delete/internal/sink"
)

var retryables = retry.IsErrorRetryables(retry.DefaultRetryables)

// IsRetryable reports whether the SDK itself would repeat a call after that error.
func IsRetryable(err error) bool { return retryables.IsErrorRetryable(err) == aws.TrueTernary }

// isPermanent reports whether AWS would refuse another try. In doubt it would not, because an event
// that comes twice does no harm.
func isPermanent(err error) bool {
	api, answered := errors.AsType[smithy.APIError](err)
	response, hasStatus := errors.AsType[*awshttp.ResponseError](err)
	switch {
	case IsRetryable(err), answered && strings.Contains(api.ErrorCode(), "Throttl"): // KMS has its own code for each service
		return false
	case answered && api.ErrorFault() == smithy.FaultClient:
		return true
	default:
		return hasStatus && response.HTTPStatusCode() >= 300 && response.HTTPStatusCode() < 500
	}
}

// callFailed returns the error of each entry of a call that failed as a whole.
func callFailed(entries int, err error) []error {
	if isPermanent(err) {
		api, answered := errors.AsType[smithy.APIError](err)
		err = &sink.PublishError{Err: err, Permanent: true, WholeCall: !answered || !slices.Contains(neverOneEntry, api.ErrorCode())}
	}
	return sink.AllFailed(entries, err)
}

// neverOneEntry are the codes of errors that no single entry can cause, so that a call for each
// entry alone would fail, too.
var neverOneEntry = []string{
	"AWS.SimpleQueueService.NonExistentQueue", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidSecurity",
	"InvalidSignatureException", "NotFound", "NotFoundException", "QueueDoesNotExist", "ResourceNotFoundException",
	"SignatureDoesNotMatch", "UnrecognizedClientException",
}

// entryError returns the error of one entry of a call that succeeded for others.
func entryError(call, code, text string, senderFault bool) error {
	fault := smithy.FaultServer
	if senderFault {
		fault = smithy.FaultClient
	}
	err := fmt.Errorf("%s: %w", call, &smithy.GenericAPIError{Code: code, Message: text, Fault: fault})
	if isPermanent(err) {
		return sink.Permanent(err)
	}
	return err
}
