package awssink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"dds-backup-delete/internal/sink"
)

// advice returns the [*sink.PublishError] in err, or an empty one.
func advice(err error) *sink.PublishError {
	var e *sink.PublishError
	if errors.As(err, &e) {
		return e
	}
	return new(sink.PublishError)
}

// withStatus returns the error of a client for an answer with that status.
func withStatus(status int, code string) error {
	return &smithy.OperationError{Err: &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code},
	}}}
}

func TestWhichAWSErrorsAreWorthAnotherTry(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		again bool
	}{
		"throttled":             {withStatus(400, "ThrottlingException"), true},
		"throttled by KMS":      {withStatus(400, "KMSThrottlingException"), true},
		"throttled, as modeled": {&sqstypes.RequestThrottled{}, true},
		"503":                   {withStatus(503, "ServiceUnavailable"), true},
		"501, of a proxy":       {withStatus(501, "NotImplemented"), true},
		"internal":              {&types.InternalException{}, true},
		"denied":                {withStatus(400, "AccessDeniedException"), false},
		"403":                   {withStatus(403, "InvalidClientTokenId"), false},
		"no such queue":         {&sqstypes.QueueDoesNotExist{}, false},
		"redirected":            {withStatus(301, ""), false},
		"connection refused":    {&net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		"cut off":               {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true},
		"garbage":               {&smithy.DeserializationError{Err: errors.New("invalid character '<'")}, true},
		"too slow":              {fmt.Errorf("%w", context.DeadlineExceeded), true},
	} {
		apart := name == "denied" || name == "redirected" // one entry may be the cause
		for _, err := range callFailed(2, tc.err) {
			if got := advice(err); got.Permanent == tc.again || got.WholeCall != apart {
				t.Errorf("%s: permanent: %v, want %v; each by itself: %v, want %v", name, got.Permanent, !tc.again, got.WholeCall, apart)
			}
			if !errors.Is(err, tc.err) {
				t.Errorf("%s: the cause is lost", name)
			}
		}
	}
}

func TestEntryErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		again bool
	}{
		"the sender's fault":  {entryError("Call", "InvalidParameterValue", "", true), false},
		"the service's fault": {entryError("Call", "InternalError", "", false), true},
		"throttled":           {entryError("Call", "KmsThrottled", "", true), true},
	} {
		if got := advice(tc.err); got.Permanent == tc.again || got.WholeCall {
			t.Errorf("%s: permanent: %v, want %v", name, got.Permanent, !tc.again)
		}
	}
	err := entryError("PutEvents", "MalformedDetail", "Detail is malformed.", true)
	if got, want := err.Error(), "PutEvents: api error MalformedDetail: Detail is malformed."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
