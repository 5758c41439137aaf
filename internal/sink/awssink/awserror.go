package awssink

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"dds-backup-delete/internal/sink"
)

// retryables are the errors after which the SDK itself would repeat a call.
var retryables = retry.IsErrorRetryables(retry.DefaultRetryables)

// isPermanent reports whether AWS would refuse another try. In doubt it would not, because an event
// that comes twice does no harm.
func isPermanent(err error) bool {
	if retryables.IsErrorRetryable(err) == aws.TrueTernary {
		return false
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch {
		case strings.Contains(api.ErrorCode(), "Throttl"): // KMS has its own code for each service
			return false
		case api.ErrorFault() == smithy.FaultClient:
			return true
		}
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		status := response.HTTPStatusCode()
		return status >= http.StatusMultipleChoices && status < http.StatusInternalServerError
	}
	return false
}

// callFailed returns the error of each entry of a call that failed as a whole.
func callFailed(entries int, err error) []error {
	if isPermanent(err) {
		var api smithy.APIError
		err = &sink.PublishError{Err: err, Permanent: true, WholeCall: !errors.As(err, &api) || !neverOneEntry[api.ErrorCode()]}
	}
	return sink.AllFailed(entries, err)
}

// neverOneEntry are the codes of errors that no single entry can cause, so that a call for each
// entry alone would fail, too.
var neverOneEntry = map[string]bool{
	"AWS.SimpleQueueService.NonExistentQueue": true,
	"ExpiredToken":                true,
	"ExpiredTokenException":       true,
	"InvalidClientTokenId":        true,
	"InvalidSecurity":             true,
	"InvalidSignatureException":   true,
	"NotFound":                    true,
	"NotFoundException":           true,
	"QueueDoesNotExist":           true,
	"ResourceNotFoundException":   true,
	"SignatureDoesNotMatch":       true,
	"UnrecognizedClientException": true,
}

// entryError returns the error of one entry of a call that succeeded for others.
func entryError(call, code, message string, senderFault bool) error {
	fault := smithy.FaultServer
	if senderFault {
		fault = smithy.FaultClient
	}
	err := fmt.Errorf("%s: %w", call, &smithy.GenericAPIError{Code: code, Message: message, Fault: fault})
	if isPermanent(err) {
		return sink.Permanent(err)
	}
	return err
}
