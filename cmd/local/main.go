// Command local runs the deployed pipeline on a laptop: simulated DDS, sample events, no
// account.
//
//	go run ./cmd/local                     every sample event
//	go run ./cmd/local events/sqs.json     one of them
//	go run ./cmd/local -serve :8080        the HTTP API
//	go run ./cmd/local -real my-event.json the DDS that the environment names; it asks first
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "local:", err)
		}
		os.Exit(1) //nolint:gocritic // the process ends: stop has nothing to restore
	}
}

// run is main without the process.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	serve := flags.String("serve", "", "serve the HTTP API at this `address` against the simulated DDS")
	realDDS := flags.Bool("real", false, "delete for real: DDS, project and credentials from the environment")
	yes := flags.Bool("yes", false, "with -real: do not ask")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *realDDS && *serve != "":
		return errors.New("-serve has no authentication, so it is for the simulated DDS only; leave out -real")
	case *realDDS && flags.NArg() == 0:
		return errors.New("-real wants the files of the events to send; the samples are for the simulated DDS")
	case *realDDS:
		return runReal(ctx, flags.Args(), *yes, in, out)
	case *serve != "":
		return runServer(ctx, *serve, out)
	default:
		return runSamples(ctx, flags.Args(), out)
	}
}

// runSamples sends files, by default every sample, through the pipeline to a simulated DDS.
func runSamples(ctx context.Context, files []string, out io.Writer) error {
	if len(files) == 0 {
		var err error
		if files, err = filepath.Glob("events/*.json"); err != nil || len(files) == 0 {
			return errors.New("no events/*.json here; run in the project's folder, or name files")
		}
	}
	simulated := newSimulated()
	defer simulated.Close()
	fmt.Fprintf(out, "Simulated DDS in %s with %d backups. Nothing real is touched.\n", ddstest.Region, len(simulated.Backups()))
	samples, err := read(files)
	if err != nil {
		return err
	}
	show, err := newShow(ctx, simulatedConfig(simulated), out)
	if err != nil {
		return err
	}
	show.calls = simulated.Calls
	show.all(ctx, samples)
	return nil
}

// runReal sends files through the pipeline to the DDS of the environment, after asking.
func runReal(ctx context.Context, files []string, yes bool, in io.Reader, out io.Writer) error {
	c, err := config.Load()
	if err != nil {
		return err
	}
	samples, err := read(files) // once: what is shown is what is sent
	if err != nil {
		return err
	}
	if c.DryRun {
		fmt.Fprintln(out, "DRY_RUN: everything but the deletion of:")
	} else {
		fmt.Fprintln(out, "About to delete FOR REAL:")
	}
	for _, sample := range samples {
		batch, err := (&event.Decoder{RequestType: c.RequestType}).Decode(sample.payload, invocation(sample.name))
		if err != nil {
			return fmt.Errorf("%s: %w", sample.name, err)
		}
		for _, r := range batch.Requests {
			if r.Err != nil {
				continue
			}
			endpoint, known := c.Endpoints[cmp.Or(r.Region, c.Region)]
			if !known {
				endpoint = "nowhere: the region is not allowed"
			}
			fmt.Fprintf(out, "  backup %q of project %q at %s  (%s)\n", r.BackupID, cmp.Or(r.ProjectID, c.ProjectID, "the region's"), endpoint, sample.name)
		}
	}
	if !yes {
		fmt.Fprint(out, "A deleted backup cannot be brought back. Type yes to go on: ")
		answer, _ := bufio.NewReader(in).ReadString('\n') // no answer is no yes
		if strings.TrimSpace(answer) != "yes" {
			return errors.New("nothing was deleted")
		}
	}
	options, err := awsOptions(ctx, c)
	if err != nil {
		return err
	}
	show, err := newShow(ctx, c, out, options...)
	if err != nil {
		return err
	}
	if failed := show.all(ctx, samples); failed > 0 {
		return fmt.Errorf("%d of %d files: not everything was deleted", failed, len(samples))
	}
	return nil
}

// sample is an event and the name of its file.
type sample struct {
	name    string
	payload []byte
}

func read(files []string) ([]sample, error) {
	samples := make([]sample, len(files))
	for i, file := range files {
		payload, err := os.ReadFile(file) //nolint:gosec // the user named it
		if err != nil {
			return nil, err
		}
		samples[i] = sample{file, payload}
	}
	return samples, nil
}

// newSimulated starts a DDS that has the backups of the sample events.
func newSimulated() *ddstest.Server {
	server := ddstest.NewServer(ddstest.Options{})
	server.Add(ddstest.SampleBackups()...)
	return server
}

// simulatedConfig is the configuration for a simulated DDS.
func simulatedConfig(server *ddstest.Server) *config.Config {
	return &config.Config{
		Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)},
		ProjectID:   ddstest.ProjectID,
		Region:      ddstest.Region,
		Endpoints:   map[string]string{ddstest.Region: server.URL()},
		Concurrency: 32,
		OutcomeSink: config.StdoutSink,
	}
}
