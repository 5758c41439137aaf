package report

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"dds-backup-delete/bench/measure"
	"dds-backup-delete/internal/functiongraphtest"
)

const functionGraphTitle = "## FunctionGraph\n"

// WriteFunctionGraph replaces the section about FunctionGraph of the page in the folder docs, and leaves the rest as
// it is. Without a page the section is all of it.
func WriteFunctionGraph(docs string, in *Input) error {
	file := filepath.Join(docs, "benchmarks.md")
	page, err := os.ReadFile(file) //nolint:gosec // the user names the folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, in.replaceFunctionGraph(page), 0o644) //nolint:gosec // everyone may read it
}

// replaceFunctionGraph returns the page with a new section about FunctionGraph, which comes before the costs if there
// was none.
func (in *Input) replaceFunctionGraph(page []byte) []byte {
	d := new(doc)
	in.functionGraph(d)
	section := bytes.TrimPrefix(d.Bytes(), []byte("\n"))
	before, rest, found := bytes.Cut(page, []byte(functionGraphTitle))
	if at := bytes.Index(rest, []byte("\n## ")); found && at >= 0 {
		return slices.Concat(before, section, rest[at:])
	}
	if before, rest, found := bytes.Cut(page, []byte(costTitle)); found {
		return slices.Concat(before, section, []byte("\n"+costTitle), rest)
	}
	return slices.Concat(before, section)
}

// functionGraph writes what cmd/functiongraph costs, beside its floor.
func (in *Input) functionGraph(d *doc) {
	ours, floor := in.onFunctionGraph(measure.Ours, functiongraphtest.Runtime), in.onFunctionGraph(measure.NoOp, functiongraphtest.Runtime)
	if len(ours.Start.Wall) == 0 {
		return
	}
	d.line("\n%s", functionGraphTitle)
	theirs := in.onFunctionGraph(measure.SDKGo, functiongraphtest.Runtime)
	d.line("As a custom runtime, a new instance starts and works its first request in %.0f ms, with %.0f ms of CPU time. A record of a warm batch of ten takes "+
		"%.2f ms of CPU time, and the process %.0f MB. Written with the official SDK, these are %.0f ms, %.0f ms, %.2f ms and %.0f MB; a no-op, which makes no "+
		"calls, takes %.1f ms, %.1f ms, %.2f ms and %.0f MB. Conditions: TLS, ledger in Valkey or Redis, `REQUIRE_MANUAL`, `FOLLOW`, outcomes to an `https://` "+
		"address, upstreams 20 ms away (without latency for the warm record), a whole CPU all the time. FunctionGraph's own part of a cold start is not included.\n",
		ours.Sum.Wall.Median(), ours.Sum.CPU.Median(), ours.CPU.Median(), ours.Memory.Median(),
		theirs.Sum.Wall.Median(), theirs.Sum.CPU.Median(), theirs.CPU.Median(), theirs.Memory.Median(),
		floor.Sum.Wall.Median(), floor.Sum.CPU.Median(), floor.CPU.Median(), floor.Memory.Median())
	d.line("Measured on %s, on %s, by `make bench FLAGS='-only functiongraph -docs ../docs'` or with all other sections.%s", in.When.Format("2006-01-02"), in.Machine, in.noise())
	d.line("\nThe key pair and a token of %d bytes come with each invocation, in its headers. All invocations are asynchronous, like those of SMN and Kafka.", measure.TokenLength)
	d.line("The ledger is a real server with its append-only file on, synced once a second. Its connection uses TLS and has the same latency as the other")
	d.line("upstreams. Each CloudEvent is a separate request. We found no page that says how much CPU FunctionGraph gives to an instance, so every row has a whole")
	d.line("CPU.\n")
	d.line("This project does more than sdk-go. At its start it reads the server's settings, a round trip. In a first batch it tests the key with one call,")
	d.line("on a new connection, before it makes the others. It writes to the ledger three times for a request, not twice: the request is delivered only once, so the")
	d.line("ledger keeps its event until the receiver has it. It also plans to follow each deletion. On the other hand, valkey-go's defaults make sdk-go open a")
	d.line("second connection in most first invocations.\n")
	d.line("| program | what it is | binary | zip |\n|---|---|---|---|")
	for _, p := range in.Measured.Functions {
		d.line("| %s | %s | %.1f MB | %.1f MB |", p.Name, functionGraphDescription[p.Name], p.Size, p.Zip)
	}
	d.line("\nEach time is the median and, in brackets, the minimum, in milliseconds. After the slash is the CPU time. A start ends at the first")
	d.line("poll, or, for a container, when the server listens. Half of the processes get one message of SMN first, the others ten records of Kafka.\n")
	d.line("| way to run | program | starts | start | first request | start and first request | first batch of ten | start and first batch |\n|---|---|---|---|---|---|---|---|")
	for _, mode := range []functiongraphtest.Mode{functiongraphtest.Runtime, functiongraphtest.Container} {
		for _, p := range in.Measured.Functions {
			if r := in.onFunctionGraph(p.Name, mode); len(r.Start.Wall) > 0 {
				d.line("| %s | %s | %d | %s | %s | %s | %s | %s |", mode, p.Name, len(r.Start.Wall), least(r.Start), least(r.First), least(r.Sum), least(r.FirstBatch), least(r.SumBatch))
			}
		}
	}
	d.line("\nWarm, as a custom runtime. CPU time of a record and memory are from %d batches of ten without latency.\n", measure.Invocations)
	d.line("| program | processes | one request, 20 ms | batch of ten, 20 ms | CPU a record, ms | peak memory, MB |\n|---|---|---|---|---|---|")
	for _, p := range in.Measured.Functions {
		r := in.onFunctionGraph(p.Name, functiongraphtest.Runtime)
		d.line("| %s | %d | %s | %s | %s | %s |", p.Name, len(r.CPU), least(r.One), least(r.Ten), leastOf(r.CPU), leastOf(r.Memory))
	}
	d.line("\nThis project divided by the others, as a custom runtime. Each figure is the median of the ratios of consecutive measurements, which the noise of the")
	d.line("machine affects alike, and in brackets the ratio of the minimum values. An invocation of the no-op makes no calls, so only its start is comparable.\n")
	d.line("| | against no-op: clock | CPU time | against sdk-go: clock | CPU time |\n|---|---|---|---|---|")
	for _, row := range []struct {
		what string
		of   func(measure.FunctionGraphRun) measure.Times
	}{
		{"start", func(r measure.FunctionGraphRun) measure.Times { return r.Start }},
		{"start and first request", func(r measure.FunctionGraphRun) measure.Times { return r.Sum }},
		{"start and first batch of ten", func(r measure.FunctionGraphRun) measure.Times { return r.SumBatch }},
		{"one request, warm, 20 ms", func(r measure.FunctionGraphRun) measure.Times { return r.One }},
		{"batch of ten, warm, 20 ms", func(r measure.FunctionGraphRun) measure.Times { return r.Ten }},
		{"a record, warm, no latency", func(r measure.FunctionGraphRun) measure.Times { return measure.Times{CPU: r.CPU} }},
	} {
		a, b, c := row.of(ours), row.of(floor), row.of(theirs)
		d.line("| %s | %s | %s | %s | %s |", row.what, paired(a.Wall, b.Wall), paired(a.CPU, b.CPU), paired(a.Wall, c.Wall), paired(a.CPU, c.CPU))
	}
	d.line("| peak memory | %s | | %s | |", paired(ours.Memory, floor.Memory), paired(ours.Memory, theirs.Memory))
}

var functionGraphDescription = map[string]string{
	measure.NoOp:  "net/http and a handler that returns at once, as a custom runtime or a server; it makes no calls",
	measure.Ours:  "`cmd/functiongraph`",
	measure.SDKGo: "the no-op with encoding/json, the official Huawei Cloud SDK, valkey-go with its default configuration as an idempotency store, the CloudEvents SDK; the batch at once, connections kept",
}

// onFunctionGraph is what was measured of a program on FunctionGraph; empty where nothing was.
func (in *Input) onFunctionGraph(peer string, mode functiongraphtest.Mode) measure.FunctionGraphRun {
	if r := in.Measured.FunctionGraph[measure.FunctionGraphKey{Peer: peer, Mode: mode}]; r != nil {
		return *r
	}
	return measure.FunctionGraphRun{}
}

// noise says how busy the machine was before the run began.
func (in *Input) noise() string {
	switch {
	case math.IsNaN(in.Load):
		return ""
	case in.Load > float64(runtime.NumCPU())/2:
		return fmt.Sprintf(" The machine was **not quiet**: %.1f programs wanted a CPU when the run began, so times by the clock are too long. "+
			"The minimum values, CPU times and ratios are more reliable.", in.Load)
	default:
		return fmt.Sprintf(" %.1f programs wanted a CPU when the run began.", in.Load)
	}
}

// least writes the median and the least of a time, and of its CPU time.
func least(t measure.Times) string {
	if len(t.Wall) == 0 {
		return "–"
	}
	return leastOf(t.Wall) + " / " + leastOf(t.CPU)
}

func leastOf(s measure.Sample) string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s)", short(s.Median()), short(s.Quantile(0)))
}

// paired writes the median of the ratios of two samples, value by value, and the ratio of their least values.
func paired(a, b measure.Sample) string {
	var ratios measure.Sample
	for i := range min(len(a), len(b)) {
		ratios = append(ratios, ratio(a[i], b[i]))
	}
	if len(ratios) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s)", short(ratios.Median()), short(ratio(a.Quantile(0), b.Quantile(0))))
}
