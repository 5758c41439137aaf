// Command noop is aws-lambda-go and a handler that returns at once. It makes no client and calls nothing,
// so it says what runtime and process cost, and not what a function that does something can reach.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

type handler struct{}

// Invoke implements [lambda.Handler].
func (handler) Invoke(context.Context, []byte) ([]byte, error) { //nolint:unparam // the interface has it
	return []byte(`{"batchItemFailures":[]}`), nil
}

func main() { lambda.Start(handler{}) }
