package report

import (
	"fmt"
	"time"

	"dds-backup-delete/bench/measure"
)

// times writes a time and its CPU time.
func times(t measure.Times) string {
	if len(t.Wall) == 0 {
		return "–"
	}
	return spread(t.Wall) + " / " + short(t.CPU.Median())
}

// templateKey is the row that a user of template.yaml gets.
func templateKey(peer string, latency time.Duration) measure.ColdKey {
	return measure.ColdKey{Peer: peer, Setting: measure.Template, Latency: latency, Batch: 10, Share: true}
}

// headlineTitle is the section whose one paragraph README.md repeats; a test holds it there.
const headlineTitle = "## Headline"

// Headline is what a user of template.yaml gets, beside the peers, with its conditions.
func (in *Input) Headline() string {
	took := func(peer string) string {
		s := in.cold(templateKey(peer, measure.Near)).Sum.Wall
		if len(s) == 0 {
			return "(not measured)"
		}
		if ms := s.Median(); ms < 1000 {
			return fmt.Sprintf("%.0f ms", ms)
		}
		return fmt.Sprintf("%.1f s", s.Median()/1000)
	}
	return fmt.Sprintf("With the template's settings, a new 128 MB function starts and works its first batch of ten in %s. Written with the official SDKs, "+
		"it takes %s in Go and %s in Python. Conditions: TLS, ledger in DynamoDB, `REQUIRE_MANUAL`, upstreams 20 ms away, a whole CPU for the start and "+
		"a fourteenth of one for the batch. AWS's own part of a cold start is not included.", took(measure.Ours), took(measure.SDKGo), took(measure.Powertools))
}

func (in *Input) headline(d *doc) { d.line("%s\n\n%s\n", headlineTitle, in.Headline()) }

// template writes the rows that a user of template.yaml gets.
func (in *Input) template(d *doc) {
	d.line("\n## With the template's settings\n")
	d.line("TLS, ledger in DynamoDB, `REQUIRE_MANUAL`, a batch of ten. Lambda gives")
	d.line("[a whole CPU to a start](https://serverlessland.com/content/service/lambda/guides/effectively-running-java-on-serverless/init-heavy-lifting),")
	d.line("and then [one for each 1,769 MB](https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). So after its start, the process")
	d.line("runs in a control group with a fourteenth of a CPU, the share of 128 MB, in slices of 20 ms. All peers look up each backup before they delete it.")
	d.line("The key pair comes from variables; reading the secret would be one more call at the start, for each program. Times are in milliseconds.\n")
	if len(in.cold(templateKey(measure.Ours, measure.Near)).Sum.Wall) == 0 {
		d.line("Not measured: this run left it out, or this machine offers no control group.")
		return
	}
	d.line("| upstreams | peer | starts | start to first `next` | first batch of ten | together |\n|---|---|---|---|---|---|")
	for _, latency := range []time.Duration{measure.Near, measure.Far} {
		for _, p := range in.Measured.Peers {
			if c := in.cold(templateKey(p.Name, latency)); len(c.Sum.Wall) > 0 {
				d.line("| %d ms | %s | %d | %s | %s | %s |", latency.Milliseconds(), p.Name, len(c.Sum.Wall), times(c.Start), times(c.First), times(c.Sum))
			}
		}
	}
}

// connections writes what connections that are opened at the start cost and save.
func (in *Input) connections(d *doc) {
	key := func(n, batch int, latency time.Duration, share bool) measure.ColdKey {
		s := measure.Template
		s.Connections = n
		return measure.ColdKey{Peer: measure.Ours, Setting: s, Latency: latency, Batch: batch, Share: share}
	}
	d.line("## Connections at start\n")
	d.line("This project with `CONNECTIONS_AT_START` of 1 and 10 for each of DDS, ledger and sink, and the template's settings. It shows what a batch of one")
	d.line("pays for connections that it does not need, and what a batch of ten saves. Times are in milliseconds.\n")
	d.line("| upstreams | CPU of the batch | connections | start | first batch of 1 | first batch of 10 | start and batch of 1 | start and batch of 10 |")
	d.line("|---|---|---|---|---|---|---|---|")
	for _, latency := range measure.Latencies {
		for _, share := range []bool{true, false} {
			for _, n := range measure.ConnectionsAtStart {
				one, ten := in.cold(key(n, 1, latency, share)), in.cold(key(n, 10, latency, share))
				if len(one.Sum.Wall) == 0 {
					continue
				}
				start := measure.Times{
					Wall: append(append(measure.Sample(nil), one.Start.Wall...), ten.Start.Wall...),
					CPU:  append(append(measure.Sample(nil), one.Start.CPU...), ten.Start.CPU...),
				}
				cpu := map[bool]string{true: "128 MB", false: "whole"}[share]
				d.line("| %d ms | %s | %d | %s | %s | %s | %s | %s |", latency.Milliseconds(), cpu, n, times(start), times(one.First), times(ten.First), times(one.Sum), times(ten.Sum))
			}
		}
	}
}

func (in *Input) warm(d *doc) {
	d.line("\n## Warm\n")
	d.line("CPU time of a record is measured in batches of ten, by the scheduler's own count. Memory is the peak of resident memory after %d of those, and after everything,", measure.Invocations)
	d.line("including batches of a hundred. The ledger is a table in the runner, the same for all. With an engine such as DynamoDB Local, which takes 40 ms for ten")
	d.line("writes at once here, or moto, the figures would be those of the engine. The ledger is tested on those. Connections are open.\n")
	d.line("| peer | ledger | TLS | REQUIRE_MANUAL | CPU a record, ms | memory, MB | memory after all, MB |\n|---|---|---|---|---|---|---|")
	in.each(func(key measure.RunKey, r *measure.Run) {
		d.line("| %s | %s | %s | %s | %s | %s | %s |", key.Peer, yes(key.Ledger), yes(key.TLS), yes(key.Manual), spread(r.CPU), spread(r.Small), spread(r.Peak))
	})
	for _, latency := range []time.Duration{measure.Near, measure.Far, 0} {
		d.line("\nUpstreams that are %d ms away: invocation in ms, p50 ± interquartile range / CPU (p99).\n", latency.Milliseconds())
		d.line("| peer | ledger | TLS | REQUIRE_MANUAL | batch of 1 | 10 | 100 |\n|---|---|---|---|---|---|---|")
		in.each(func(key measure.RunKey, _ *measure.Run) {
			cells := make([]string, len(measure.Batches))
			measured := false
			for i, batch := range measure.Batches {
				cells[i] = "–"
				if t := in.cell(key, latency, batch); len(t.Wall) > 0 {
					cells[i] = fmt.Sprintf("%s (%s)", times(t), short(t.Wall.Quantile(0.99)))
					measured = true
				}
			}
			if measured {
				d.line("| %s | %s | %s | %s | %s | %s | %s |", key.Peer, yes(key.Ledger), yes(key.TLS), yes(key.Manual), cells[0], cells[1], cells[2])
			}
		})
	}
	d.line("\nThe Python peer processes the records of a batch one by one. A batch of a hundred would exceed the timeout of a function, so it is left out.")
}

// memory writes what the largest payload takes, and what GOGC makes of it.
func (in *Input) memory(d *doc) {
	row := func(ledger bool, gogc int) (measure.Large, bool) {
		l := in.Measured.Large[measure.RunKey{Peer: measure.Ours, Setting: measure.Setting{Ledger: ledger, GOGC: gogc}}]
		if l == nil {
			return measure.Large{}, false
		}
		return *l, true
	}
	some, ok := row(false, measure.GOGCs[0])
	if !ok {
		return
	}
	d.line("\n## Memory\n")
	d.line("The peak of resident memory of this project. The left columns are for %d records of a queue in one payload of %.2f million bytes, the first of its process. The", measure.LargeRecords, some.Size)
	d.line("right columns are for %d batches of ten with the template's settings. `GOGC` of 100 is Go's default.\n", measure.Invocations)
	d.line("| GOGC | payload, ledger in memory: MB | ms | given back | payload, ledger in DynamoDB: MB | ms | given back | batches: MB | CPU a record, ms |\n|---|---|---|---|---|---|---|---|---|")
	for _, gogc := range measure.GOGCs {
		memory, _ := row(false, gogc)
		stored, _ := row(true, gogc)
		s := measure.Template
		s.GOGC = gogc
		run := in.run(measure.RunKey{Peer: measure.Ours, Setting: s})
		d.line("| %d | %s | %s | %d | %s | %s | %d | %s | %s |", gogc, spread(memory.Peak), times(memory.Times), memory.GivenBack,
			spread(stored.Peak), times(stored.Times), stored.GivenBack, spread(run.Small), precise(run.CPU))
	}
}

// precise is spread with one digit more, for small differences.
func precise(s measure.Sample) string {
	if len(s) == 0 {
		return "–"
	}
	if len(s) < few {
		return fmt.Sprintf("%.3f", s.Median())
	}
	return fmt.Sprintf("%.3f ± %.3f", s.Median(), s.IQR())
}

// starts writes starts and first invocations without latency, the cheapest setting last.
func (in *Input) starts(d *doc) {
	d.line("\n## Start without latency\n")
	d.line("From the start of the process to its first call for an event, then the first invocation, with upstreams without added latency. With TLS, every program")
	d.line("must read the system's certificates and make handshakes: this project does that while it starts, the others in their first invocation.")
	d.line("The cheapest setting, plain HTTP without a ledger, is last; it is not for production. Times are in milliseconds.\n")
	d.line("| ledger | TLS | peer | start to first `next` | first batch of 10 | first batch of 1 | start and first of 1 | with the CPU of 128 MB: first batch of 10 | of 1 |")
	d.line("|---|---|---|---|---|---|---|---|---|")
	for _, tls := range []bool{true, false} {
		for _, ledger := range []bool{true, false} {
			for _, p := range in.Measured.Peers {
				key := measure.ColdKey{Peer: p.Name, Setting: measure.Setting{Ledger: ledger, TLS: tls}, Batch: 1}
				one := in.cold(key)
				if len(one.Sum.Wall) == 0 {
					continue
				}
				key.Share = true
				shared := in.cold(key)
				key.Batch = 10
				sharedTen := in.cold(key)
				key.Share = false
				d.line("| %s | %s | %s | %s | %s | %s | %s | %s | %s |", yes(ledger), yes(tls), p.Name, times(one.Start),
					times(in.cold(key).First), times(one.First), times(one.Sum), times(sharedTen.First), times(shared.First))
			}
		}
	}
}
