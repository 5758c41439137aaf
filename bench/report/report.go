// Package report writes docs/benchmarks.md and its plots from what was measured.
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
	Plan     measure.Plan
	Micro    []Micro
	Throttle []throttle.Result
	// Machine says what it was measured on, and When says when.
	Machine string
	When    time.Time
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
	files := map[string][]byte{
		"benchmarks.md":       in.markdown(text),
		"benchmark-start.svg": in.startPlot(),
		"benchmark-batch.svg": in.batchPlot(),
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
	d.line("# Measured against those who do the same\n")
	d.line("Written by `make bench` on %s, on %s. Medians, with the interquartile range behind ±; ratios are of medians of one run, in",
		in.When.Format("2006-01-02"), in.Machine)
	d.line("which all take turns. [bench/](../bench) says how; times are of a loopback network and say nothing of AWS's own part of a start.\n")
	d.line("| peer | what it is | binary | zip |\n|---|---|---|---|")
	for _, p := range in.Measured.Peers {
		d.line("| %s | %s | %.1f MB | %.1f MB |", p.Name, description[p.Name], p.Size, p.Zip)
	}
	in.goals(d)
	d.line("\n![Start and first invocation](benchmark-start.svg)\n\n![Batches](benchmark-batch.svg)\n")
	in.cold(d)
	in.warm(d)
	in.cost(d)
	in.microTable(d)
	in.throttled(d)
	d.line("")
	d.Write(tried)
	return d.Bytes()
}

var description = map[string]string{
	measure.Floor:      "aws-lambda-go and a handler that returns at once: what no function can beat",
	measure.Ours:       "`cmd/handler`",
	measure.SDKGo:      "aws-lambda-go with its event types, the official Huawei Cloud SDK, the AWS SDK with its default configuration; the batch at once, connections kept",
	measure.Powertools: "Powertools for AWS Lambda (Python) with batch processor, idempotency and logger, the official SDK for Python, boto3, awslambdaric; on CPython 3.11",
}

func spread(s measure.Sample) string {
	if len(s) == 0 {
		return "–"
	}
	return short(s.Median()) + " ± " + short(s.IQR())
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func (in *Input) cold(d *doc) {
	d.line("## Start\n")
	d.line("From starting the process to its first call for an event, then the first invocation, with upstreams at no added latency. With TLS, somebody")
	d.line("has to read the system's certificates and to make handshakes: this project while it starts, the others in their first invocation.")
	d.line("Milliseconds, %d starts each, fewer of the Python peer.\n", 2*in.Plan.Cold)
	d.line("| peer | ledger | TLS | start to first `next` | first invocation, batch of 1 | batch of 10 | start and first |\n|---|---|---|---|---|---|---|")
	for _, p := range in.Measured.Peers {
		for _, ledger := range []bool{false, true} {
			for _, tls := range []bool{false, true} {
				if c := in.Measured.Cold[measure.ColdKey{Peer: p.Name, Ledger: ledger, TLS: tls}]; c != nil {
					d.line("| %s | %s | %s | %s | %s | %s | %s |", p.Name, yes(ledger), yes(tls), spread(c.Init), spread(c.First), spread(c.FirstTen), spread(c.Total))
				}
			}
		}
	}
	in.share(d)
}

// share writes the table of first invocations with a share of a CPU, where that could be measured.
func (in *Input) share(d *doc) {
	if c := in.Measured.Cold[measure.ColdKey{Peer: measure.Ours, TLS: true}]; c == nil || len(c.FirstShare) == 0 {
		d.line("\nThe first invocation with a function's share of a CPU was not measured: this machine has no control group to be had.")
		return
	}
	d.line("\n### With the CPU that a function has\n")
	d.line("Lambda gives [a whole CPU to a start](https://serverlessland.com/content/service/lambda/guides/effectively-running-java-on-serverless/init-heavy-lifting),")
	d.line("and then [one for each 1,769 MB](https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). So here the process is put, once it has")
	d.line("started, into a control group with the fourteenth that 128 MB get, in slices of 20 ms. TLS, milliseconds, %d starts each, fewer of the Python peer.\n", in.Plan.Cold)
	d.line("| peer | ledger | first invocation, batch of 1 | batch of 10 |\n|---|---|---|---|")
	for _, p := range in.Measured.Peers {
		for _, ledger := range []bool{false, true} {
			if c := in.Measured.Cold[measure.ColdKey{Peer: p.Name, Ledger: ledger, TLS: true}]; c != nil {
				d.line("| %s | %s | %s | %s |", p.Name, yes(ledger), spread(c.FirstShare), spread(c.TenShare))
			}
		}
	}
}

func (in *Input) warm(d *doc) {
	d.line("\n## Warm\n")
	d.line("CPU time of a record in batches of ten, from the scheduler's own count; the peak of resident memory after those, and after everything,")
	d.line("batches of a hundred among it. The ledger is a table in the runner, the same for all: an engine as DynamoDB Local, which takes 40 ms for ten")
	d.line("writes at once here, or moto would be what is measured. On those the ledger is tested.\n")
	d.line("| peer | ledger | TLS | REQUIRE_MANUAL | CPU a record, ms | memory, MB | memory after all, MB |\n|---|---|---|---|---|---|---|")
	in.each(func(key measure.RunKey, r *measure.Run) {
		d.line("| %s | %s | %s | %s | %s | %s | %s |", key.Peer, yes(key.Ledger), yes(key.TLS), yes(key.Manual), spread(r.CPU), spread(r.Small), spread(r.Peak))
	})
	for _, latency := range measure.Latencies {
		d.line("\nUpstreams that take %d ms more: invocation in ms, p50 ± interquartile range (p99).\n", latency.Milliseconds())
		d.line("| peer | ledger | TLS | REQUIRE_MANUAL | batch of 1 | 10 | 100 |\n|---|---|---|---|---|---|---|")
		in.each(func(key measure.RunKey, _ *measure.Run) {
			cells := make([]string, len(measure.Batches))
			for i, batch := range measure.Batches {
				cells[i] = "–"
				if s := in.cell(key, latency, batch); len(s) > 0 {
					cells[i] = fmt.Sprintf("%s (%s)", spread(s), short(s.Quantile(0.99)))
				}
			}
			d.line("| %s | %s | %s | %s | %s | %s | %s |", key.Peer, yes(key.Ledger), yes(key.TLS), yes(key.Manual), cells[0], cells[1], cells[2])
		})
	}
	d.line("\nThe Python peer works a batch one by one; batches of a hundred would outlast a function's timeout there and are left out.")
}

// each calls f for all that ran warm, in a fixed order.
func (in *Input) each(f func(measure.RunKey, *measure.Run)) {
	for _, p := range in.Measured.Peers {
		for _, ledger := range []bool{false, true} {
			for _, manual := range []bool{false, true} {
				for _, tls := range []bool{false, true} {
					key := measure.RunKey{Peer: p.Name, Ledger: ledger, TLS: tls, Manual: manual}
					if r := in.Measured.Runs[key]; r != nil {
						f(key, r)
					}
				}
			}
		}
	}
}

// cell is what was measured of one latency and batch; nil where nothing was.
func (in *Input) cell(key measure.RunKey, latency time.Duration, batch int) measure.Sample {
	s := in.Measured.Warm[measure.WarmKey{
		Peer: key.Peer, Ledger: key.Ledger, TLS: key.TLS, Manual: key.Manual, Latency: latency, Batch: batch,
	}]
	if s == nil {
		return nil
	}
	return *s
}

func (in *Input) cost(d *doc) {
	const logBytes, writes = 900, 2
	d.line("\n## Cost of a million deletions\n")
	d.line("AWS list prices in US dollars (us-east-1, arm64, 128 MB, 2026-11, no free tier), batches of ten, upstreams of 20 ms, with a ledger:\n")
	d.line("```\nLambda  = 1e6/10 × (0.20e-6 + p50 × 0.125 GB × 0.0000133334)")
	d.line("SQS     = 1e6 × 0.40e-6 sent alone + 2 × 1e6/10 × 0.40e-6 received and deleted by ten")
	d.line("events  = 1e6 × 1.00e-6")
	d.line("ledger  = 1e6 × %d write units × 0.625e-6: lease and record of an item that stays below 1 KB", writes)
	d.line("log     = 1e6 × %d bytes × 0.50e-9\n```\n", logBytes)
	d.line("| peer | Lambda | SQS | EventBridge | DynamoDB | log | sum |\n|---|---|---|---|---|---|---|")
	for _, name := range []string{measure.Ours, measure.SDKGo, measure.Powertools} {
		s := in.cell(measure.RunKey{Peer: name, Ledger: true}, 20*time.Millisecond, 10)
		if len(s) == 0 {
			continue
		}
		c := costOf(10, s.Median(), writes, logBytes)
		d.line("| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |", name, c.Lambda, c.Queue, c.Events, c.Ledger, c.Log, c.Sum())
	}
	d.line("\nThe log is taken to be the same for all. What differs is Lambda's part, which is the least of it: the price of a deletion is the price")
	d.line("of remembering and announcing it. Prices: the pages named in [bench/report/cost.go](../bench/report/cost.go).")
}

func (in *Input) microTable(d *doc) {
	d.line("\n## Parts\n")
	d.line("`go test -bench . ./micro` in bench/. The decoder does more than its peer: it refuses a name that comes twice, takes names by their exact")
	d.line("spelling, finds out by itself which source it is, and opens the message; the peer only fills the type that it is told, message unopened.")
	d.line("A reply is made of outcomes, every second of which must be tried again; the peer encodes its full type, filled already.\n")
	d.line("| what | ours: ns, allocations, bytes | other: ns, allocations, bytes | other is | time, ours / other | allocations |\n|---|---|---|---|---|---|")
	for _, m := range in.Micro {
		d.line("| %s | %.0f, %d, %d | %.0f, %d, %d | %s | %.2f | %.2f |", m.Case.Name, m.Ours.Time, m.Ours.Allocs, m.Ours.Bytes,
			m.Theirs.Time, m.Theirs.Allocs, m.Theirs.Bytes, m.Case.Peer, m.Ours.Time/m.Theirs.Time, float64(m.Ours.Allocs)/float64(m.Theirs.Allocs))
	}
}

func (in *Input) throttled(d *doc) {
	d.line("\n## A DDS that allows few calls\n")
	d.line("Simulated clock; real decoder, service, DDS client and pace; simulated queue (batches of ten, 10 receives, visibility as the program")
	d.line("sets it), Lambda (30 s, five functions at first and five more a second up to the number given) and DDS (a fixed window, refused calls")
	d.line("count for nothing, 50 ms an answer).\n")
	d.line("| allowed | limit told in the answer | functions | queued | of the allowed rate | deleted | dead letters | calls refused | receives: mean, most | time |")
	d.line("|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range in.Throttle {
		d.line("| %d in %v | %s | %d | %d | %.1f %% | %d | %d | %.0f %% | %.2f, %d | %v |", r.Scenario.Calls, r.Scenario.Window, yes(!r.Scenario.Silent),
			r.Scenario.Concurrency, r.Scenario.Requests, 100*r.Share, r.Deleted, r.Dead, 100*r.Refused, r.Receives, r.MaxReceives, r.Took.Round(time.Second))
	}
	d.line("\nA function works its ten messages within 25 s, so it needs 0.4 calls a second; where more functions run than the rate feeds, messages are")
	d.line("received for nothing, and ten such receives make a dead letter. So the queue's `MaximumConcurrency` has to be no more than 2.5 × the")
	d.line("allowed calls a second, and 2 is the least that AWS takes. [scale.md](scale.md) has the arithmetic.")
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
