// Command bench measures the handler and its peers side by side and writes docs/benchmarks.md
// with its picture. It is started by ./run, in the folder bench. Its -h has examples and exit codes.
package main

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/bench/measure"
	"dds-backup-delete/bench/micro"
	"dds-backup-delete/bench/report"
	"dds-backup-delete/bench/upstream"
)

// Sections beside those of measure.
const (
	parts    measure.Section = "parts"    // micro benchmarks
	throttle measure.Section = "throttle" // the simulated run, which ./run makes first
)

// sections are all of them.
var sections = []measure.Section{
	measure.Goals, measure.Starts, measure.Connections, measure.Warm, measure.Memory, measure.FunctionGraph, parts, throttle,
}

const (
	out      = "out"
	measured = out + "/measured.gob" // the last run
)

// flags are those of the command.
type flags struct {
	quick, add, render bool
	only, docs         string
}

const help = `Measures the program and its peers side by side, and writes benchmarks.md with its pictures.
./run, in the folder bench, installs the Python peer, makes the simulated run and starts this program with its flags.

Usage:
  ./run [flags]

`

const examples = `
Examples:
  ./run                                         everything, in half an hour; writes to ../docs
  ./run -quick                                  few rounds, in ten minutes; writes to out
  ./run -only goals,warm                        two sections; writes to out
  ./run -only functiongraph -docs ../docs       replaces one section of the page
  ./run -add -only memory                       one section; keeps the others of the last run
  ./run -render                                 writes the results of the last run again

Exit codes:
  0   the page was written
  1   something could not be measured or written; what was measured is kept for -add
  2   wrong usage: an unknown flag or argument
`

func main() {
	testing.Init() // testing.Benchmark needs its flags, but they are not flags of this command
	set := flag.NewFlagSet("bench", flag.ExitOnError)
	set.Usage = func() {
		fmt.Fprintf(set.Output(), "%sFlags:\n", help)
		set.PrintDefaults()
		fmt.Fprint(set.Output(), examples)
	}
	var f flags
	set.BoolVar(&f.quick, "quick", false, "make few rounds, to see that everything works")
	set.BoolVar(&f.add, "add", false, "keep what the last run measured of other sections")
	set.BoolVar(&f.render, "render", false, "measure nothing, write what the last run measured")
	set.StringVar(&f.only, "only", "", "measure only these `sections`, separated by commas: "+join(sections))
	set.StringVar(&f.docs, "docs", "", "the `folder` to write to (default ../docs for a whole run, out for any other)")
	_ = set.Parse(os.Args[1:]) // it exits if it fails
	if set.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench: %q: unexpected; expected only flags, for example -only goals\n", set.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, f)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) error {
	chosen, err := choose(f.only)
	if err != nil {
		return err
	}
	if f.docs == "" {
		f.docs = "../docs"
		if f.quick || f.only != "" || f.render {
			f.docs = out
		}
	}
	in := new(report.Input)
	if f.render || f.add {
		if err := load(in); err != nil {
			return err
		}
	}
	p := plan(f.quick, chosen)
	if !f.render {
		err := measureAll(ctx, p, in)
		if in.Measured != nil { // half of a run is kept too: -add completes it
			err = errors.Join(err, save(in))
		}
		if err != nil {
			return err
		}
	}
	if p.Only(measure.FunctionGraph) {
		return report.WriteFunctionGraph(f.docs, in)
	}
	return report.Write(f.docs, "tried.md", in)
}

// choose reads the names of sections.
func choose(names string) ([]measure.Section, error) {
	if names == "" {
		return sections, nil
	}
	var chosen []measure.Section
	for name := range strings.SplitSeq(names, ",") {
		s := measure.Section(name)
		if !slices.Contains(sections, s) {
			return nil, fmt.Errorf("-only: %q is not a section; expected some of %s", name, join(sections))
		}
		chosen = append(chosen, s)
	}
	return chosen, nil
}

func join(all []measure.Section) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = string(s)
	}
	return strings.Join(names, ",")
}

func plan(quick bool, chosen []measure.Section) measure.Plan {
	if quick {
		return measure.Plan{Sections: chosen, Goals: 4, Starts: 2, Connections: 2, Warm: 1, Full: 1, Memory: 1, FunctionGraph: 3, SlowEvery: 8, Repeat: 20}
	}
	return measure.Plan{Sections: chosen, Goals: 50, Starts: 30, Connections: 20, Warm: 6, Full: 2, Memory: 5, FunctionGraph: 40, SlowEvery: 10, Repeat: 60}
}

// measureAll measures the sections of a plan, and adds them to in.
func measureAll(ctx context.Context, p measure.Plan, in *report.Input) error {
	in.When, in.Machine, in.Load = time.Now(), machine(), loadAverage()
	if p.Has(throttle) {
		text, err := os.ReadFile(out + "/throttle.json")
		if err == nil {
			err = json.Unmarshal(text, &in.Throttle)
		}
		if err != nil {
			return fmt.Errorf("the simulated run, which ./run makes first: %w", err)
		}
	}
	result, err := sideBySide(ctx, p)
	if result != nil {
		if in.Measured != nil {
			result.Merge(in.Measured)
		}
		in.Measured = result
	}
	if err != nil || !p.Has(parts) {
		return err
	}
	in.Micro, err = microParts()
	return err
}

// sideBySide builds and measures the peers.
func sideBySide(ctx context.Context, p measure.Plan) (result *measure.Result, err error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &measure.Runner{Progress: os.Stderr, Plan: p}
	if !p.Only(measure.FunctionGraph) {
		if r.Peers, err = measure.Build(ctx, root, dir); err != nil {
			return nil, err
		}
	}
	if r.Plain, err = upstream.New(ctx); err != nil {
		return nil, err
	}
	defer r.Plain.Close()
	if r.TLS, r.CA, err = upstream.NewTLS(ctx, dir); err != nil {
		return nil, err
	}
	defer r.TLS.Close()
	if p.Has(measure.FunctionGraph) {
		if r.Functions, err = measure.BuildFunctionGraph(ctx, root, dir); err != nil {
			return nil, err
		}
		if r.Valkey, err = r.TLS.NewValkey(ctx, dir); err != nil {
			return nil, err
		}
		defer r.Valkey.Close()
	}
	return r.Run(ctx)
}

// microParts measures the micro benchmarks.
func microParts() ([]report.Micro, error) {
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

func save(in *report.Input) (err error) {
	f, err := os.Create(measured)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return gob.NewEncoder(f).Encode(in)
}

func load(in *report.Input) error {
	f, err := os.Open(measured)
	if err != nil {
		return fmt.Errorf("no earlier run to take figures from: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was read
	return gob.NewDecoder(f).Decode(in)
}

func machine() string {
	return fmt.Sprintf("%d cores of %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// loadAverage is how many programs wanted a CPU in the last minute; NaN where the machine does not tell.
func loadAverage() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}
