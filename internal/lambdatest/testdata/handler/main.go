// Command handler is a function whose event says what to do.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type brokenError struct{}

func (brokenError) Error() string { return "it broke" }

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, brokenError{} }

var (
	mu    sync.Mutex
	count int
	both  = make(chan struct{})
)

// meet returns once two invocations have called it.
func meet() {
	mu.Lock()
	if count++; count == 2 {
		close(both)
	}
	mu.Unlock()
	<-both
}

func handle(ctx context.Context, in json.RawMessage) (any, error) {
	var do string
	_ = json.Unmarshal(in, &do)
	do, arg, _ := strings.Cut(do, " ")
	lc, _ := lambdacontext.FromContext(ctx)
	fmt.Println("event", lc.AwsRequestID)
	switch do {
	case "error":
		return nil, brokenError{}
	case "stream":
		return io.MultiReader(strings.NewReader("half"), brokenReader{}), nil
	case "panic":
		panic("at the disco")
	case "exit":
		fmt.Fprintln(os.Stderr, "leaving")
		os.Exit(3)
	case "hang":
		fmt.Println("hanging")
		select {}
	case "meet":
		meet()
	case "big":
		return strings.NewReader(strings.Repeat("x", 7<<20)), nil
	case "wait": // until the file exists
		for {
			if _, err := os.Stat(arg); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
	case "env":
		return os.Environ(), nil
	case "context":
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id":       lc.AwsRequestID,
			"arn":      lc.InvokedFunctionArn,
			"trace":    os.Getenv("_X_AMZN_TRACE_ID"),
			"deadline": deadline.UnixMilli(),
		}, nil
	}
	return in, nil
}

func main() {
	var options []lambda.Option
	switch os.Getenv("ON_SIGTERM") {
	case "print":
		options = append(options, lambda.WithEnableSIGTERM(func() { fmt.Println("terminating") }))
	case "exit":
		options = append(options, lambda.WithEnableSIGTERM(func() { os.Exit(7) }))
	}
	lambda.StartWithOptions(handle, options...)
}
