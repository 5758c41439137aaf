// Command handler is the AWS Lambda function. Its Lambda handler, in lambda.go, hands payloads to an
// [app.App].
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/awsapp"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/logline"
)

// startTime bounds all look-ups at start; Lambda gives up after ten seconds.
const startTime = 8 * time.Second

func main() {
	cpus := runtime.GOMAXPROCS(1) // at start, more threads only wake each other
	if !config.InLambda() {
		fmt.Fprintln(os.Stderr, "This is the AWS Lambda function of dds-backup-delete, which only Lambda can start; to try it on this machine, run: go run ./cmd/local\n"+
			"It takes no arguments; docs/configuration.md has its variables. Exit codes: 1 if it cannot start, 2 outside of Lambda.")
		os.Exit(2)
	}
	out := logline.NewWriter(os.Stdout)
	log := newLogger(out)
	if err := run(context.Background(), log, out, cpus); err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
}

// run reads the configuration, wires the app with everything that AWS has, and serves, with at most so
// many threads, until the process ends.
func run(ctx context.Context, log *slog.Logger, out *logline.Writer, cpus int) error {
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
	a, err := app.New(starting, c, log, out, links)
	if err != nil {
		return err
	}
	a.Service.Together = out.Together
	serveLambda(ctx, a, log, cpus)
	return nil
}
