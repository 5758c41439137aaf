// Command functiongraph is the function of Huawei FunctionGraph. It is a custom runtime (runtime.go), or an HTTP
// server for container images and HTTP functions (server.go), and hands what it gets to an [app.App].
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/signal"
	goruntime "runtime"
	"runtime/debug"
	"syscall"
	"time"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/ledger/valkey"
	"dds-backup-delete/internal/logline"
	"dds-backup-delete/internal/sink"
)

// startTime bounds all look-ups at start. There are none without credentials of the environment.
const startTime = 8 * time.Second

func main() {
	most := goruntime.GOMAXPROCS(1) // at start, more threads only wake each other
	// Anywhere else POST /invoke would be an open port to delete backups with.
	if !config.InFunctionGraph() {
		fmt.Fprintln(os.Stderr, "This is the Huawei FunctionGraph function of dds-backup-delete, which only FunctionGraph can start "+
			"(it sets RUNTIME_API_ADDR, RUNTIME_FUNC_NAME or RUNTIME_PROJECT_ID); to try it on this machine, run: go run ./cmd/local\n"+
			"It takes no arguments; docs/configuration.md has its variables. Exit codes: 1 if it cannot start, 2 outside of FunctionGraph.")
		os.Exit(2)
	}
	// Before the end of an instance, what is being worked is finished.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	out := logline.NewWriter(os.Stdout)
	log := newLogger(out)
	if err := run(ctx, log, out, most); err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1) //nolint:gocritic // there is nothing to stop any more
	}
}

// run reads the configuration, wires the app with what FunctionGraph can use, and serves until ctx ends, with a thread for
// each CPU that the instance has, but not more than most.
func run(ctx context.Context, log *slog.Logger, out *logline.Writer, most int) error {
	c, err := config.Load()
	if err != nil {
		return err
	}
	a, err := newApp(ctx, c, log, out)
	if err != nil {
		return err
	}
	defer a.Close()
	a.Service.Together = out.Together
	if memory := c.FunctionGraph.Memory; memory > 0 && debug.SetMemoryLimit(-1) == math.MaxInt64 { // GOMEMLIMIT is not set
		debug.SetMemoryLimit(int64(memory) << 20 / 2) // a payload of 6 MB needs five times as much
	}
	if cpus := (c.FunctionGraph.CPU + 999) / 1000; cpus > 0 {
		most = min(most, cpus)
	}
	goruntime.GOMAXPROCS(most)
	h := &host{app: a, log: log, timeout: c.FunctionGraph.Timeout}
	if c.FunctionGraph.RuntimeAPI != "" {
		newRuntime(h, c.FunctionGraph.RuntimeAPI).serve(ctx)
		return nil
	}
	return serveHTTP(ctx, h, c.FunctionGraph)
}

func newApp(ctx context.Context, c *config.Config, log *slog.Logger, out io.Writer) (*app.App, error) {
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return app.New(starting, c, log, out, app.Links{
		SMN: sink.NewSMN,
		Ledgers: map[config.LedgerKind]func(*config.Ledger) (deletion.Ledger, error){
			config.DynamoDB: func(*config.Ledger) (deletion.Ledger, error) { return ddbledger.Open(starting, c, log) },
			config.Valkey: func(l *config.Ledger) (deletion.Ledger, error) { //nolint:contextcheck // it bounds its start itself
				return valkey.New(&l.Server, log, nil)
			},
		},
	})
}
