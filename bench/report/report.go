// Package report writes docs/benchmarks.md and its picture from what was measured.
package report

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"dds-backup-delete/bench/measure"
	"dds-backup-delete/bench/micro"
	"dds-backup-delete/bench/throttle"
)

// Input is everything that the report is made of.
type Input struct {
	Measured *measure.Result
	Micro    []Micro
	Throttle []throttle.Result
	// Machine says what it was measured on, and When says when. Load is how many programs wanted a CPU just before;
	// NaN if that is not known.
	Machine string
	When    time.Time
	Load    float64
}

// Micro is a micro benchmark with its figures.
type Micro struct {
	Case         micro.Case
	Ours, Theirs micro.Figures
}

// Write writes the report into the folder docs. The section on what was tried comes from the
// file tried.md, since no program knows it.
func Write(docs, tried string, in *Input) error {
	text, err := os.ReadFile(tried) //nolint:gosec // a file of this module
	if err != nil {
		return err
	}
	p := in.picture()
	numbers, err := p.json()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"benchmarks.md":        in.markdown(text),
		"benchmark-start.svg":  p.svg(),
		"benchmark-start.json": numbers,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(docs, name), content, 0o644); err != nil { //nolint:gosec // everyone may read it
			return err
		}
	}
	return nil
}

// doc is a page in the making.
type doc struct{ bytes.Buffer }

func (d *doc) line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (in *Input) markdown(tried []byte) []byte {
	d := new(doc)
	d.line("# Measured against programs that do the same\n")
	d.line("Written by `make bench` on %s, on %s. Figures are medians, with the interquartile range after ±. Ratios are of medians of one run, in",
		in.When.Format("2006-01-02"), in.Machine)
	d.line("which the programs take turns. [bench/](../bench) has the code. Times are from a loopback network and do not include AWS's own part of a start.")
	d.line("After a slash, a time is followed by the CPU time of the process, user and system. Upstreams that are 20 ms away take 20 ms for each")
	d.line("round trip: one for a request, two to open a connection with TLS. A figure without ± was measured one to three times.\n")
	in.headline(d)
	d.line("| peer | what it is | binary | zip |\n|---|---|---|---|")
	for _, p := range in.Measured.Peers {
		d.line("| %s | %s | %.1f MB | %.1f MB |", p.Name, description[p.Name], p.Size, p.Zip)
	}
	in.goals(d)
	in.template(d)
	d.line("\n%s\n", in.picture().markdown())
	in.connections(d)
	in.warm(d)
	in.memory(d)
	in.starts(d)
	in.functionGraph(d)
	in.cost(d)
	in.microTable(d)
	in.throttled(d)
	d.line("")
	_, _ = d.Write(tried) // a buffer takes it all
	return d.Bytes()
}

var description = map[string]string{
	measure.NoOp:       "aws-lambda-go and a handler that returns at once; it has no client and makes no calls",
	measure.Ours:       "`cmd/handler`, with the variables that template.yaml sets",
	measure.SDKGo:      "aws-lambda-go with its event types, the official Huawei Cloud SDK, the AWS SDK with its default configuration; the batch at once, connections kept",
	measure.Powertools: "Powertools for AWS Lambda (Python) with batch processor, idempotency and logger, the official SDK for Python, boto3, awslambdaric; the batch one by one; on CPython 3.11",
}

func spread(s measure.Sample) string {
	if len(s) == 0 {
		return "–"
	}
	if len(s) < few {
		return short(s.Median())
	}
	return short(s.Median()) + " ± " + short(s.IQR())
}

// few is how many samples a range of the middle half needs, to say something.
const few = 4

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// each calls f for all that ran warm, in a fixed order.
func (in *Input) each(f func(measure.RunKey, *measure.Run)) {
	for _, p := range in.Measured.Peers {
		for _, ledger := range []bool{true, false} {
			for _, manual := range []bool{true, false} {
				for _, tls := range []bool{true, false} {
					key := measure.RunKey{Peer: p.Name, Setting: measure.Setting{Ledger: ledger, TLS: tls, Manual: manual}}
					if r := in.Measured.Runs[key]; r != nil {
						f(key, r)
					}
				}
			}
		}
	}
}

// cell is what was measured of one latency and batch; empty where nothing was.
func (in *Input) cell(key measure.RunKey, latency time.Duration, batch int) measure.Times {
	if t := in.Measured.Warm[measure.WarmKey{RunKey: key, Latency: latency, Batch: batch}]; t != nil {
		return *t
	}
	return measure.Times{}
}

// cold is what was measured of a start; empty where nothing was.
func (in *Input) cold(key measure.ColdKey) measure.Cold {
	if c := in.Measured.Cold[key]; c != nil {
		return *c
	}
	return measure.Cold{}
}

// run is what was measured of a warm process; empty where nothing was.
func (in *Input) run(key measure.RunKey) measure.Run {
	if r := in.Measured.Runs[key]; r != nil {
		return *r
	}
	return measure.Run{}
}

const costTitle = "## Cost of a million deletions\n"

func (in *Input) cost(d *doc) {
	const logBytes, writes = 900, 2
	d.line("\n%s", costTitle)
	d.line("AWS list prices in US dollars (us-east-1, arm64, 128 MB, 2026-11, no free tier), batches of ten, upstreams of 20 ms, with a ledger:\n")
	d.line("```\nLambda  = 1e6/10 × (0.20e-6 + p50 × 0.125 GB × 0.0000133334)")
	d.line("SQS     = 1e6 × 0.40e-6 sent alone + 2 × 1e6/10 × 0.40e-6 received and deleted by ten")
	d.line("events  = 1e6 × 1.00e-6")
	d.line("ledger  = 1e6 × %d write units × 0.625e-6: lease and record of an item that stays below 1 KB", writes)
	d.line("log     = 1e6 × %d bytes × 0.50e-9\n```\n", logBytes)
	d.line("| peer | Lambda | SQS | EventBridge | DynamoDB | log | sum |\n|---|---|---|---|---|---|---|")
	for _, name := range []string{measure.Ours, measure.SDKGo, measure.Powertools} {
		s := in.cell(measure.RunKey{Peer: name, Setting: measure.Setting{Ledger: true}}, measure.Near, 10).Wall
		if len(s) == 0 {
			continue
		}
		c := costOf(10, s.Median(), writes, logBytes)
		d.line("| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |", name, c.Lambda, c.Queue, c.Events, c.Ledger, c.Log, c.Sum())
	}
	d.line("\nThe log is assumed to be the same for all. Only Lambda's part differs, and it is the smallest. Most of the price of a deletion is the price")
	d.line("of recording and publishing it. The prices are from the pages named in [bench/report/cost.go](../bench/report/cost.go).")
}

func (in *Input) microTable(d *doc) {
	d.line("\n## Parts\n")
	d.line("From `go test -bench . ./micro` in bench/. The decoder does more than its peer. It refuses a name that appears twice, matches names by their exact")
	d.line("spelling, detects the source, and decodes the message. The peer only fills a given type, and does not decode the message.")
	d.line("A reply is made from outcomes, half of which must be retried. The peer only encodes its type, which is already filled.\n")
	d.line("| what | ours: ns, allocations, bytes | other: ns, allocations, bytes | other is | time, ours / other | allocations |\n|---|---|---|---|---|---|")
	for _, m := range in.Micro {
		d.line("| %s | %.0f, %d, %d | %.0f, %d, %d | %s | %.2f | %.2f |", m.Case.Name, m.Ours.Time, m.Ours.Allocs, m.Ours.Bytes,
			m.Theirs.Time, m.Theirs.Allocs, m.Theirs.Bytes, m.Case.Peer, m.Ours.Time/m.Theirs.Time, float64(m.Ours.Allocs)/float64(m.Theirs.Allocs))
	}
}

func (in *Input) throttled(d *doc) {
	d.line("\n## A DDS that allows few calls\n")
	d.line("The clock is simulated. Decoder, service, DDS client and rate control are real. Simulated are the queue (batches of ten, 10 receives, visibility as the program")
	d.line("sets it), Lambda (30 s, five functions at first and five more a second up to the given number) and DDS (a fixed window, refused calls")
	d.line("do not count, 50 ms an answer).\n")
	d.line("| allowed | limit reported in the answer | functions | queued | of the allowed rate | deleted | dead letters | calls refused | receives: mean, most | time |")
	d.line("|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range in.Throttle {
		d.line("| %d in %v | %s | %d | %d | %.1f %% | %d | %d | %.0f %% | %.2f, %d | %v |", r.Scenario.Calls, r.Scenario.Window, yes(!r.Scenario.Silent),
			r.Scenario.Concurrency, r.Scenario.Requests, 100*r.Share, r.Deleted, r.Dead, 100*r.Refused, r.Receives, r.MaxReceives, r.Took.Round(time.Second))
	}
	d.line("\nA function processes its ten messages within 25 s, so it needs 0.4 calls a second. If more functions run than the rate allows, messages are")
	d.line("received without progress, and ten such receives make a dead letter. So the queue's `MaximumConcurrency` must be at most 2.5 × the")
	d.line("allowed calls a second. The minimum on AWS is 2. [scale.md](scale.md) has the arithmetic.")
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
