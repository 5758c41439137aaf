// Command bench measures the handler and its peers side by side and writes docs/benchmarks.md
// with its plots.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"dds-backup-delete/bench/measure"
	"dds-backup-delete/bench/upstream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	quick := flag.Bool("quick", false, "fewer rounds")
	flag.Parse()
	_ = quick
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	peers, err := measure.Build(ctx, root, dir)
	if err != nil {
		return err
	}
	plain := upstream.New()
	defer plain.Close()
	secure, ca, err := upstream.NewTLS(dir)
	if err != nil {
		return err
	}
	defer secure.Close()
	ca, _ = filepath.Abs(ca)
	r := &measure.Runner{Peers: peers, Plain: plain, TLS: secure, CA: ca, Progress: os.Stderr,
		Plan: measure.Plan{Cold: 2, Warm: 1, SlowWarm: 1, SlowEvery: 2, CPU: 40, Repeat: 12}}
	result, err := r.Run(ctx)
	if err != nil {
		return err
	}
	for _, p := range result.Peers {
		fmt.Printf("%s %.2f %.2f\n", p.Name, p.Size, p.Zip)
	}
	for k, v := range result.Cold {
		fmt.Printf("%+v init %.1f first %.1f ten %.1f\n", k, v.Init.Median(), v.First.Median(), v.FirstTen.Median())
	}
	for k, v := range result.Runs {
		fmt.Printf("%+v cpu %.3f small %.1f peak %.1f\n", k, v.CPU.Median(), v.Small.Median(), v.Peak.Median())
	}
	for k, v := range result.Warm {
		fmt.Printf("%+v %.1f\n", k, v.Median())
	}
	return nil
}
