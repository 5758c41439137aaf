package sink

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// callError is the error of a call that failed as a whole, as a [*refusal] where AWS would refuse
// it again. What cannot be told counts as worth another try: an event that comes twice does no harm.
func callError(err error) error {
	if retryables.IsErrorRetryable(err) == aws.TrueTernary {
		return err
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch {
		case strings.Contains(api.ErrorCode(), "Throttl"): // KMS has its own, for each service
			return err
		case api.ErrorFault() == smithy.FaultClient:
			return &refusal{err}
		}
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		if status := response.HTTPStatusCode(); status >= http.StatusMultipleChoices && status < http.StatusInternalServerError {
			return &refusal{err}
		}
	}
	return err
}

// retryables are the errors that the SDK itself would repeat a call for.
var retryables = retry.IsErrorRetryables(retry.DefaultRetryables)

// entryError is the error of one entry of a call that succeeded for others.
func entryError(call, code, message string, sendersFault bool) error {
	fault := smithy.FaultServer
	if sendersFault {
		fault = smithy.FaultClient
	}
	return callError(fmt.Errorf("%s: %w", call, &smithy.GenericAPIError{Code: code, Message: message, Fault: fault}))
}
