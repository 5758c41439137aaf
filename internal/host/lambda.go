// Package host carries payloads to a [Handler] and replies back, and nothing else.
package host

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"dds-backup-delete/internal/event"
)

// Handler works one payload of an invocation.
type Handler func(ctx context.Context, in event.Invocation, payload []byte) ([]byte, error)

// Lambda serves the Lambda Runtime API until the process ends. On SIGTERM, which Lambda
// sends half a second before the end, it calls stop.
func Lambda(ctx context.Context, h Handler, stop func()) {
	lambda.StartWithOptions(lambdaHandler(h), lambda.WithContext(ctx), lambda.WithEnableSIGTERM(stop))
}

// lambdaHandler takes the payload as raw bytes: no reflection, no second pass of JSON.
type lambdaHandler Handler

// Invoke implements [lambda.Handler].
func (h lambdaHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var in event.Invocation
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		in.ID = lc.AwsRequestID
	}
	in.TraceHeader, _ = ctx.Value("x-amzn-trace-id").(string) // where aws-lambda-go puts it
	reply, err := h(ctx, in, payload)
	var failure *event.FunctionError
	if errors.As(err, &failure) {
		// By value: only so does the library keep the type for Step Functions to match.
		return nil, messages.InvokeResponse_Error{Type: failure.Type, Message: failure.Message}
	}
	return reply, err
}
