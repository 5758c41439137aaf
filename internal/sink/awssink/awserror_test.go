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

// verdict returns what a sink makes of an error: whether it sends the event again, and whether the
// whole call was refused.
func verdict(err error) (again, whole bool) {
	var refused *sink.RefusedError
	if errors.As(err, &refused) {
		return false, refused.Whole
	}
	return true, false
}

// withStatus is an error as a client returns it for an answer of that status.
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
			if again, whole := verdict(err); again != tc.again || whole != apart {
				t.Errorf("%s: another try: %v, want %v; each by itself: %v, want %v", name, again, tc.again, whole, apart)
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
		"ours to mend": {entryError("Call", "InvalidParameterValue", "", true), false},
		"theirs":       {entryError("Call", "InternalError", "", false), true},
		"throttled":    {entryError("Call", "KmsThrottled", "", true), true},
	} {
		if again, whole := verdict(tc.err); again != tc.again || whole {
			t.Errorf("%s: another try: %v, want %v", name, again, tc.again)
		}
	}
	err := entryError("PutEvents", "MalformedDetail", "Detail is malformed.", true)
	if got, want := err.Error(), "PutEvents: api error MalformedDetail: Detail is malformed."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
