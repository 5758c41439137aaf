package dds

import (
	"context"

	"dds-backup-delete/internal/deletion"
)

type credentialsKey struct{}

// WithCredentials returns a context for the work of an invocation that brought credentials. A [Client] without
// credentials of its own uses them for the calls with that context, and for no others.
func WithCredentials(ctx context.Context, c Credentials) context.Context {
	return context.WithValue(ctx, credentialsKey{}, c)
}

// InvocationCredentials returns the credentials that [WithCredentials] put into ctx. Without any, the error is
// a [*deletion.Error] of [deletion.ClassForbidden], because only a person can help.
func InvocationCredentials(ctx context.Context) (Credentials, error) {
	c, ok := ctx.Value(credentialsKey{}).(Credentials)
	if !ok {
		return Credentials{}, &deletion.Error{
			Class: deletion.ClassForbidden,
			Message: "no credentials: the environment has none, and none came with the invocation; expected an agency of the function that may call DDS, " +
				"with \"Include Keys\" for an HTTP function or a container image, or HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK",
		}
	}
	return c, nil
}
