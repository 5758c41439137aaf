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

// refuses reports whether AWS would refuse again what err is about. What cannot be told counts as
// worth another try: an event that comes twice does no harm.
func refuses(err error) bool {
	if retryables.IsErrorRetryable(err) == aws.TrueTernary {
		return false
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch {
		case strings.Contains(api.ErrorCode(), "Throttl"): // KMS has its own, for each service
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

// retryables are the errors that the SDK itself would repeat a call for.
var retryables = retry.IsErrorRetryables(retry.DefaultRetryables)

// callFailed is what a call that failed as a whole means for each of its entries.
func callFailed(entries int, err error) []error {
	if refuses(err) {
		var api smithy.APIError
		err = &sink.RefusedError{Err: err, Whole: !errors.As(err, &api) || !ofNoEntry[api.ErrorCode()]}
	}
	return sink.Fail(entries, err)
}

// ofNoEntry are the codes of refusals that no single entry can be the cause of, so that another
// call for each would be refused, too.
var ofNoEntry = map[string]bool{
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

// entryError is the error of one entry of a call that succeeded for others.
func entryError(call, code, message string, sendersFault bool) error {
	fault := smithy.FaultServer
	if sendersFault {
		fault = smithy.FaultClient
	}
	err := fmt.Errorf("%s: %w", call, &smithy.GenericAPIError{Code: code, Message: message, Fault: fault})
	if refuses(err) {
		return &sink.RefusedError{Err: err}
	}
	return err
}
