package event

import (
	"strings"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// callerOf returns who called API Gateway or a function URL, from the requestContext: the IAM identity that signed the
// call, or the subject of the token that an authorizer checked. It is nil if the front asked for neither.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
func callerOf(context strictjson.Object) *deletion.Principal {
	authorizer := context.Object("authorizer")
	for _, identity := range []strictjson.Object{authorizer.Object("iam"), context.Object("identity")} {
		if arn, _ := identity.Text("userArn"); arn != "" {
			return body.Principal(kindOf(arn), arn)
		}
	}
	for _, claims := range []strictjson.Object{authorizer.Object("jwt").Object("claims"), authorizer.Object("claims")} {
		if subject, _ := claims.Text("sub"); subject != "" {
			return body.Principal("app_user", subject)
		}
	}
	return nil
}

// kindOf returns the kind of principal that the ARN of an IAM identity names.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
func kindOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	kind, _, _ := strings.Cut(parts[len(parts)-1], "/")
	switch kind {
	case "user", "federated-user":
		return "user"
	case "assumed-role", "role":
		return "service_account"
	default:
		return "unknown"
	}
}
