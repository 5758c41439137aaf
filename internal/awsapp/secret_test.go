package awsapp

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"dds-backup-delete/internal/secret"
)

// Callers see the code of a refusal, and nothing that only stands where a code belongs.
func TestCodesOfSecretsManager(t *testing.T) {
	secret.New("AKCANARYAKCANARY")
	for code, shown := range map[string]bool{
		"AccessDeniedException": true, "AKCANARYAKCANARY": false, "AKCANARY1234": false, "a b": false, strings.Repeat("x", 65): false,
	} {
		err := &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest}},
			Err:      errors.Join(&smithy.GenericAPIError{Code: code}),
		}}
		if got := secretError(err).Message; strings.Contains(got, code) != shown {
			t.Errorf("%q: message %q", code, got)
		}
	}
}
