// Command bench measures the handler and its peers side by side and writes docs/benchmarks.md
// with its plots. It is started by ./run, in the folder bench.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"testing"
	"time"

	"dds-backup-delete/bench/measure"
	"dds-backup-delete/bench/micro"
	"dds-backup-delete/bench/report"
	"dds-backup-delete/bench/upstream"
)

func main() {
	testing.Init()
	quick := flag.Bool("quick", false, "fewer rounds, two minutes instead of twelve")
	cold := flag.Int("cold", 30, "rounds of starts")
	warm := flag.Int("warm", 5, "rounds of warm runs")
	docs := flag.String("docs", "../docs", "the folder that is written to")
	flag.Parse()
	plan := measure.Plan{Cold: *cold, Warm: *warm, SlowWarm: 2, SlowEvery: 5, CPU: 200, Repeat: 60}
	if *quick {
		plan = measure.Plan{Cold: 5, Warm: 1, SlowWarm: 1, SlowEvery: 5, CPU: 60, Repeat: 20}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, plan, *docs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, plan measure.Plan, docs string) error {
	in := &report.Input{Plan: plan, When: time.Now(), Machine: machine()}
	text, err := os.ReadFile("out/throttle.json")
	if err == nil {
		err = json.Unmarshal(text, &in.Throttle)
	}
	if err != nil {
		return fmt.Errorf("the simulated run, which ./run makes first: %w", err)
	}
	if in.Measured, err = sideBySide(ctx, plan); err != nil {
		return err
	}
	if in.Micro, err = parts(); err != nil {
		return err
	}
	return report.Write(docs, "tried.md", in)
}

// sideBySide builds and measures the peers.
func sideBySide(ctx context.Context, plan measure.Plan) (result *measure.Result, err error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	peers, err := measure.Build(ctx, root, dir)
	if err != nil {
		return nil, err
	}
	plain := upstream.New()
	defer plain.Close()
	secure, ca, err := upstream.NewTLS(dir)
	if err != nil {
		return nil, err
	}
	defer secure.Close()
	r := &measure.Runner{Peers: peers, Plain: plain, TLS: secure, CA: ca, Progress: os.Stderr, Plan: plan}
	return r.Run(ctx)
}

// parts measures the micro benchmarks.
func parts() ([]report.Micro, error) {
	if err := flag.Set("test.benchtime", "200ms"); err != nil {
		return nil, err
	}
	cases, err := micro.Cases("../events")
	if err != nil {
		return nil, err
	}
	all := make([]report.Micro, len(cases))
	for i, c := range cases {
		fmt.Fprintf(os.Stderr, "parts: %s\n", c.Name)
		all[i] = report.Micro{Case: c, Ours: micro.Measure(c.Ours), Theirs: micro.Measure(c.Theirs)}
	}
	return all, nil
}

func machine() string {
	return fmt.Sprintf("%d cores of %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
