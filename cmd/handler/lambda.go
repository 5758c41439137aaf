package main

import (
	"context"
	"errors"
	stdlog "log"
	"log/slog"
	"math"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/event"
)

// serveLambda serves the Lambda Runtime API until the process ends, with a thread for each CPU that the
// function's memory buys, but not more than most. On SIGTERM, which Lambda sends before the end if an
// extension runs beside the function, it closes the app. It registers no extension itself, as
// WithEnableSIGTERM does: that takes a fifth of the start, and an end loses nothing.
//
// The Lambda library prints function errors, and what it cannot do, with the standard logger.
// That becomes lines of log.
func serveLambda(ctx context.Context, a *app.App, log *slog.Logger, most int) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(libraryLog{log})
	signaled, _ := signal.NotifyContext(ctx, syscall.SIGTERM)
	context.AfterFunc(signaled, func() {
		log.Info("SIGTERM: closing")
		a.Close()
	})
	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // GOMEMLIMIT is not set
		debug.SetMemoryLimit(memoryLimit(lambdacontext.MemoryLimitInMB))
	}
	runtime.GOMAXPROCS(min(most, cpus(lambdacontext.MemoryLimitInMB)))
	lambda.StartWithOptions(lambdaHandler{a}, lambda.WithContext(ctx))
}

// libraryLog turns what is printed into lines of a log.
type libraryLog struct{ log *slog.Logger }

// Write implements io.Writer. The standard logger writes one message at a time.
func (l libraryLog) Write(text []byte) (int, error) {
	l.log.WarnContext(context.Background(), "aws-lambda-go", "text", strings.TrimSpace(string(text)))
	return len(text), nil
}

// cpus is how many CPUs a function of so many MB has once it has started: one for each 1,769 MB.
// Lambda always shows two or more; threads beyond the share only wait, and wake each other.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
func cpus(memory int) int { return (max(memory, 1) + 1768) / 1769 }

// memoryLimit is how many bytes a function of so many MB may use before the garbage collector works
// harder. A payload of 6 MB needs five times as much, and a heap that doubles between collections would
// come near the 128 MB at which Lambda ends the process.
func memoryLimit(memory int) int64 {
	if memory <= 0 {
		return math.MaxInt64
	}
	return int64(memory) << 20 / 2
}

// lambdaHandler hands the payload to the app as raw bytes: no reflection, no second pass of JSON.
type lambdaHandler struct{ app *app.App }

// Invoke implements [lambda.Handler].
func (h lambdaHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var in event.Invocation
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		in.ID = lc.AwsRequestID
	}
	in.TraceHeader, _ = ctx.Value("x-amzn-trace-id").(string) // aws-lambda-go puts it there
	reply, err := h.app.Handle(ctx, in, payload)
	if failure, ok := errors.AsType[*event.FunctionError](err); ok {
		// By value: only so does the library keep the type for Step Functions to match.
		return nil, messages.InvokeResponse_Error{Type: failure.Type, Message: failure.Message}
	}
	return reply, err
}
