package report

import (
	"fmt"
	"math"
	"strings"

	"dds-backup-delete/bench/measure"
)

// goal is a line of the table of goals.
type goal struct {
	what, want string
	got, most  float64 // met where got is no more than most; NaN where it was not measured
	unit       string
	note       string // what stands beside it
	why        string // why it is missed, where it is
}

// goals writes the table of the goals that were set before the work on them, and those that
// are kept from earlier.
func (in *Input) goals(d *doc) {
	d.line("\n## Goals\n\nThe goals were set before the work on them began. A missed goal stays in the table, with the reason.\n")
	table(d, in.set())
	d.line("\n%s\n", in.limit())
	d.line("Earlier goals:\n")
	table(d, in.kept())
}

func table(d *doc, goals []goal) {
	d.line("| | goal | measured | | |\n|---|---|---|---|---|")
	for _, g := range goals {
		verdict, got := "**missed**", short(g.got)+g.unit
		switch {
		case math.IsNaN(g.got):
			verdict, got = "not measured", "–"
		case g.got <= g.most:
			verdict = "met"
		case g.why != "":
			g.note = strings.TrimPrefix(g.note+". "+g.why, ". ")
		}
		d.line("| %s | %s | %s | %s | %s |", g.what, g.want, got, verdict, g.note)
	}
}

// set are the goals of the first batch of a small function.
func (in *Input) set() []goal {
	stored, near := measure.Setting{Ledger: true, TLS: true}, measure.Near
	plain := measure.RunKey{Peer: measure.Ours}
	all := []goal{
		{
			what: "first batch of ten, CPU of 128 MB, TLS, ledger", want: "≤ 0.3 × sdk-go", most: 0.3, unit: " ×",
			got:  in.pair(measure.ColdKey{Setting: stored, Batch: 10, Share: true}, first),
			note: in.milliseconds(measure.ColdKey{Setting: stored, Batch: 10, Share: true}, first), why: why["first batch"],
		},
		{
			what: "start and first batch of ten together, a whole CPU, TLS, ledger, upstreams 20 ms away", want: "≤ 0.8 × sdk-go", most: 0.8, unit: " ×",
			got: in.pair(measure.ColdKey{Setting: stored, Latency: near, Batch: 10}, sum),
			note: fmt.Sprintf("%s; with `REQUIRE_MANUAL` %s ×", in.milliseconds(measure.ColdKey{Setting: stored, Latency: near, Batch: 10}, sum),
				short(in.pair(measure.ColdKey{Setting: measure.Template, Latency: near, Batch: 10}, sum))),
			why: why["together"],
		},
		{
			what: "start and first invocation together, TLS", want: "≤ 0.65 × sdk-go", most: 0.65, unit: " ×",
			got: in.pair(measure.ColdKey{Setting: measure.Setting{TLS: true}, Batch: 1}, sum),
			note: fmt.Sprintf("%s; with a ledger %s ×", in.milliseconds(measure.ColdKey{Setting: measure.Setting{TLS: true}, Batch: 1}, sum),
				short(in.pair(measure.ColdKey{Setting: stored, Batch: 1}, sum))),
			why: why["together, TLS"],
		},
		in.cpuGoal(false, "CPU a record, warm, batch of 10", 0.65, why["cpu"]),
		in.cpuGoal(true, "CPU a record, warm, batch of 10, ledger", 0.7, why["cpu, ledger"]),
		{
			what: "start, CPU time, plain HTTP", want: "≤ 1.8 × no-op", most: 1.8, unit: " ×",
			got:  ratio(startCPU(in, measure.Ours), startCPU(in, measure.NoOp)),
			note: fmt.Sprintf("by the clock %s ×", short(ratio(in.start(measure.Ours, false), in.start(measure.NoOp, false)))), why: why["start"],
		},
		{
			what: fmt.Sprintf("peak memory after %d invocations", measure.Invocations), want: "≤ 1.5 × no-op", most: 1.5, unit: " ×",
			got:  ratio(in.run(plain).Small.Median(), in.run(measure.RunKey{Peer: measure.NoOp}).Small.Median()),
			note: fmt.Sprintf("%s MB; sdk-go %s MB", short(in.run(plain).Small.Median()), short(in.run(measure.RunKey{Peer: measure.SDKGo}).Small.Median())), why: why["memory"],
		},
	}
	for _, ledger := range []bool{false, true} {
		want, most, what := "≤ 2.3 round trips", 2.3, ""
		if ledger {
			want, most, what = "≤ 4.5 round trips", 4.5, ", ledger"
		}
		all = append(all, goal{
			what: "batch of 10, 20 ms" + what, want: want, most: most, got: in.trips(ledger, false, 10),
			note: "with `REQUIRE_MANUAL` one more, " + short(in.trips(ledger, true, 10)), why: why["trips"],
		}, goal{
			what: "batch of 100, 20 ms" + what, want: "≤ 4 × the batch of 10", most: 4, unit: " ×",
			got:  ratio(in.trips(ledger, false, 100), in.trips(ledger, false, 10)),
			note: fmt.Sprintf("with `REQUIRE_MANUAL` %s round trips", short(in.trips(ledger, true, 100))), why: why["trips"],
		})
	}
	return all
}

// first and sum choose what is compared of a start.
func first(c measure.Cold) measure.Sample { return c.First.Wall }
func sum(c measure.Cold) measure.Sample   { return c.Sum.Wall }

// pair is a start of this project by that of the fair peer.
func (in *Input) pair(key measure.ColdKey, of func(measure.Cold) measure.Sample) float64 {
	ours, theirs := key, key
	ours.Peer, theirs.Peer = measure.Ours, measure.SDKGo
	return ratio(of(in.cold(ours)).Median(), of(in.cold(theirs)).Median())
}

// milliseconds says what both took.
func (in *Input) milliseconds(key measure.ColdKey, of func(measure.Cold) measure.Sample) string {
	ours, theirs := key, key
	ours.Peer, theirs.Peer = measure.Ours, measure.SDKGo
	return fmt.Sprintf("%s and %s ms", short(of(in.cold(ours)).Median()), short(of(in.cold(theirs)).Median()))
}

// start is the median of a start by the clock, without a ledger.
func (in *Input) start(peer string, tls bool) float64 {
	return in.cold(measure.ColdKey{Peer: peer, Setting: measure.Setting{TLS: tls}, Batch: 1}).Start.Wall.Median()
}

// startCPU is the median of the CPU time of a start over plain HTTP.
func startCPU(in *Input, peer string) float64 {
	return in.cold(measure.ColdKey{Peer: peer, Batch: 1}).Start.CPU.Median()
}

func (in *Input) cpuGoal(ledger bool, what string, most float64, reason string) goal {
	cpu := func(peer string, s measure.Setting) float64 {
		return in.run(measure.RunKey{Peer: peer, Setting: s}).CPU.Median()
	}
	s := measure.Setting{Ledger: ledger}
	manual := measure.Setting{Ledger: ledger, Manual: true}
	return goal{
		what: what, want: fmt.Sprintf("≤ %s × sdk-go", strings.TrimRight(short(most), "0")), most: most, unit: " ×",
		got: ratio(cpu(measure.Ours, s), cpu(measure.SDKGo, s)),
		note: fmt.Sprintf("%.3f and %.3f ms; with `REQUIRE_MANUAL` %s ×", cpu(measure.Ours, s), cpu(measure.SDKGo, s),
			short(ratio(cpu(measure.Ours, manual), cpu(measure.SDKGo, manual)))),
		why: reason,
	}
}

// trips is how many round trips a warm batch of this project takes.
func (in *Input) trips(ledger, manual bool, batch int) float64 {
	key := measure.RunKey{Peer: measure.Ours, Setting: measure.Setting{Ledger: ledger, Manual: manual}}
	return in.cell(key, measure.Near, batch).Wall.Median() / float64(measure.Near.Milliseconds())
}

// limit says why no goal holds a start over TLS against the no-op.
func (in *Input) limit() string {
	return fmt.Sprintf("No goal compares a start over TLS with the no-op, which takes %s ms. This project's %s ms include handshakes and the system's "+
		"certificates,\nwhich every program needs at some time. They are cheapest while Lambda gives a whole CPU.", short(in.start(measure.NoOp, true)), short(in.start(measure.Ours, true)))
}

// kept are goals of earlier work.
func (in *Input) kept() []goal {
	var all []goal
	for _, m := range in.Micro {
		if m.Case.Peer == "signer of the official SDK" {
			all = append(all,
				goal{what: "signer, time", want: "≤ 1/3 of the official one", most: 1.0 / 3, got: ratio(m.Ours.Time, m.Theirs.Time), unit: " ×", why: why["signer"]},
				goal{what: "signer, allocations", want: "≤ 1/5 of the official one", most: 0.2, got: ratio(float64(m.Ours.Allocs), float64(m.Theirs.Allocs)), unit: " ×", why: why["signer"]})
		}
	}
	return append(all, in.throttleGoals()...)
}

// throttleGoals are those of the runs that the rate can feed: with more functions, messages
// are received for nothing, whatever the program does.
func (in *Input) throttleGoals() []goal {
	var all []goal
	for _, r := range in.Throttle {
		if s := r.Scenario; float64(s.Concurrency) <= 2.5*s.Rate() && !s.Silent {
			all = append(all, goal{
				what: fmt.Sprintf("throttled DDS, %d in %v, %d functions", s.Calls, s.Window, s.Concurrency),
				want: "≥ 95 % of the allowed rate, no dead letter", most: 0, unit: " % lacking and dead",
				got:  max(0, 95-100*r.Share) + float64(r.Dead),
				note: fmt.Sprintf("%.1f %%, %d dead letters, %d queued", 100*r.Share, r.Dead, s.Requests),
			})
		}
	}
	return all
}

// why says why a goal is missed, where it is; see the section on what was tried. Read it again
// after each run, since it stands beside other figures then.
var why = map[string]string{
	"first batch":   "the batch works with a fourteenth of a CPU",
	"together":      "the start waits for its connections",
	"together, TLS": "the template opens connections for a batch of ten, and a batch of one pays for all their handshakes; see [Connections at start](#connections-at-start)",
	"cpu":           "most of it is net/http and the kernel for one call a record, which both make",
	"cpu, ledger":   "most of it is net/http and the kernel for three calls a record, which both make",
	"start":         "the tables of the AWS clients, and connections for a batch of ten, which the no-op does not need",
	"memory":        "the no-op has no HTTP client, no TLS and no AWS client in memory; sdk-go needs more",
	"trips":         "a call waited for another",
	"signer":        "the hashing is the same for both",
}
