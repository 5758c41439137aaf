// Command handler is the AWS Lambda function. Its Lambda handler, in lambda.go, hands payloads to an
// [app.App].
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/awsapp"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/logline"
)

// startTime bounds all look-ups at start; Lambda gives up after ten seconds.
const startTime = 8 * time.Second

func main() {
	if !config.InLambda() {
		fmt.Fprintln(os.Stderr, "This is the AWS Lambda function of dds-backup-delete, which only Lambda can start; to try it on this machine, run: go run ./cmd/local")
		os.Exit(2)
	}
	log := slog.New(logline.Bounded(lambdacontext.NewLogger().Handler()))
	if err := run(context.Background(), log); err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
}

// run reads the configuration, wires the app with everything that AWS has, and serves until the process ends.
func run(ctx context.Context, log *slog.Logger) error {
	c, err := config.Load()
	if err != nil {
		return err
	}
	links, err := awsapp.Links(c, log, nil)
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	a, err := app.New(starting, c, log, os.Stdout, links)
	if err != nil {
		return err
	}
	serveLambda(ctx, a, log)
	return nil
}
