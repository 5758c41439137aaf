// Command guard compares the size, the allocations and the work of package initialisation of both functions with a
// baseline. It shows what a change adds to the start or to every record before it is deployed. It
// checks nothing that depends on the speed of the machine. Its -h has examples and exit codes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"dds-backup-delete/bench/micro"
	"dds-backup-delete/internal/lambdatest"
)

const baseline = "baseline.json"

// tolerance is how much a figure may exceed the baseline, by its unit.
var tolerance = map[string]float64{"bytes": 1.05, "allocs": 1.10}

const help = `Compares the size, the allocations and the package initialisation of both functions with baseline.json.
It checks nothing that depends on the speed of the machine. Run it in the folder bench.

Usage:
  guard [-update]

Flags:
  -update   write baseline.json instead of comparing with it
  -h        show this text

Examples:
  go run ./cmd/guard            compare; a figure that is more than 5 % (bytes) or 10 % (allocations) higher is WORSE
  go run ./cmd/guard -update    accept the figures of this version

Exit codes ("go run" also reports 2 as 1):
  0   no figure is worse, or baseline.json was written
  1   a figure is worse, or something could not be measured
  2   wrong usage: an unknown flag or argument
`

func main() {
	set := flag.NewFlagSet("guard", flag.ExitOnError)
	set.Usage = func() { fmt.Fprint(set.Output(), help) }
	update := set.Bool("update", false, "")
	_ = set.Parse(os.Args[1:]) // it exits if it fails
	if set.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "guard: %q: unexpected; expected no argument but -update\n", set.Arg(0))
		os.Exit(2)
	}
	if err := run(context.Background(), *update); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, update bool) error {
	figures, err := measure(ctx)
	if err != nil {
		return err
	}
	if update {
		text, err := json.MarshalIndent(figures, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(baseline, append(text, '\n'), 0o644) //nolint:gosec // everyone may read it
	}
	text, err := os.ReadFile(baseline)
	if err != nil {
		return err
	}
	var want map[string]float64
	if err := json.Unmarshal(text, &want); err != nil {
		return fmt.Errorf("%s: %w", baseline, err)
	}
	worse := 0
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		got, most := figures[name], want[name]*tolerance[unit(name)]
		verdict := "ok"
		switch {
		case got > most:
			verdict, worse = "WORSE", worse+1
		case got < want[name]*0.9:
			verdict = "better; to accept: go run ./cmd/guard -update"
		}
		fmt.Printf("%-45s %10.0f  baseline %10.0f  %s\n", name, got, want[name], verdict)
	}
	if worse > 0 {
		return fmt.Errorf("guard: figures that are worse than %s: %d; expected 0. Fix them, or run with -update and say why in the commit", baseline, worse)
	}
	return nil
}

// unit returns the last word of a figure's name.
func unit(name string) string {
	for word := range tolerance {
		if len(name) > len(word) && name[len(name)-len(word):] == word {
			return word
		}
	}
	return ""
}

// measure measures all figures.
func measure(ctx context.Context) (map[string]float64, error) {
	dir, err := os.MkdirTemp("", "guard")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is a temporary one
	figures := make(map[string]float64)
	for command, prefix := range map[string]string{"handler": "", "functiongraph": "functiongraph "} {
		binary := filepath.Join(dir, command)
		if err := lambdatest.Build(ctx, "../cmd/"+command, ".", binary); err != nil {
			return nil, err
		}
		info, err := os.Stat(binary)
		if err != nil {
			return nil, err
		}
		figures[prefix+"binary, bytes"] = float64(info.Size())
		if err := initialisation(ctx, binary, prefix, figures); err != nil {
			return nil, err
		}
	}
	cases, err := micro.Cases("../events")
	if err != nil {
		return nil, err
	}
	for _, c := range cases {
		var failed error
		figures[c.Name+", allocs"] = testing.AllocsPerRun(200, func() {
			if err := c.Ours(); err != nil {
				failed = err
			}
		})
		if failed != nil {
			return nil, fmt.Errorf("guard: %s: %w", c.Name, failed)
		}
	}
	return figures, nil
}

// traced matches the line that GODEBUG=inittrace=1 prints for a package.
var traced = regexp.MustCompile(`(?m)^init (\S+) @.* clock, (\d+) bytes, (\d+) allocs$`)

// initialisation adds up what the packages of a program allocate before main, under names with that prefix. Their time
// is what matters, but it cannot be compared on a busy machine, and it follows from the allocations.
func initialisation(ctx context.Context, binary, prefix string, figures map[string]float64) error {
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	output, err := cmd.CombinedOutput() // without its variables the program ends at once
	if err == nil {
		return errors.New("guard: the program started without its variables")
	}
	var bytes, allocs float64
	for _, line := range traced.FindAllSubmatch(output, -1) {
		b, _ := strconv.ParseFloat(string(line[2]), 64) // digits, by the expression
		a, _ := strconv.ParseFloat(string(line[3]), 64)
		bytes, allocs = bytes+b, allocs+a
	}
	if allocs == 0 {
		return fmt.Errorf("guard: no trace of the initialisation:\n%s", output)
	}
	figures[prefix+"package initialisation, bytes"], figures[prefix+"package initialisation, allocs"] = bytes, allocs
	return nil
}
