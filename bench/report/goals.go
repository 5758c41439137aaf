package report

import (
	"fmt"
	"time"

	"dds-backup-delete/bench/measure"
)

// goal is a line of the table of goals.
type goal struct {
	what, want string
	got, most  float64 // met where got is no more than most
	unit       string
	note       string // what stands beside it; why, where it is missed
}

const ms20 = 20 * time.Millisecond

// goals writes the table of the goals that were set before anything was measured.
func (in *Input) goals(d *doc) {
	d.line("\n## Goals\n\nSet before anything was measured, and held over plain HTTP. One that is missed stays in the table, with the reason. The rows with TLS hold the same" +
		"\nfigures where real upstreams are; they were added when connections had moved into the start, and so say what start and first invocation are together.\n")
	d.line("| | goal | measured | | |\n|---|---|---|---|---|")
	for _, g := range in.allGoals() {
		verdict := "**missed**"
		if g.got <= g.most {
			verdict = "met"
		}
		d.line("| %s | %s | %s%s | %s | %s |", g.what, g.want, short(g.got), g.unit, verdict, g.note)
	}
}

func (in *Input) allGoals() []goal {
	cold := func(peer string, ledger, tls bool) *measure.Cold {
		if c := in.Measured.Cold[measure.ColdKey{Peer: peer, Ledger: ledger, TLS: tls}]; c != nil {
			return c
		}
		return new(measure.Cold)
	}
	run := func(peer string, ledger bool) *measure.Run {
		if r := in.Measured.Runs[measure.RunKey{Peer: peer, Ledger: ledger}]; r != nil {
			return r
		}
		return new(measure.Run)
	}
	trips := func(ledger, manual bool, batch int) float64 {
		return in.cell(measure.RunKey{Peer: measure.Ours, Ledger: ledger, Manual: manual}, ms20, batch).Median() / 20
	}
	ours, theirs, floor := measure.Ours, measure.SDKGo, measure.Floor
	all := []goal{
		{
			what: "start to first `next`", want: "≤ 1.25 × floor", most: 1.25, unit: " ×",
			got:  ratio(cold(ours, false, false).Init.Median(), cold(floor, false, false).Init.Median()),
			note: fmt.Sprintf("%.2f × sdk-go. %s", ratio(cold(ours, false, false).Init.Median(), cold(theirs, false, false).Init.Median()), why["start"]),
		},
		{
			what: "the same, TLS", want: "≤ 1.25 × floor", most: 1.25, unit: " ×",
			got:  ratio(cold(ours, false, true).Init.Median(), cold(floor, false, true).Init.Median()),
			note: why["start, TLS"],
		},
		{
			what: "first invocation, plain HTTP", want: "≤ 0.6 × sdk-go", most: 0.6, unit: " ×",
			got: ratio(cold(ours, false, false).First.Median(), cold(theirs, false, false).First.Median()),
			note: fmt.Sprintf("start and first together: %.2f × sdk-go. %s",
				ratio(cold(ours, false, false).Total.Median(), cold(theirs, false, false).Total.Median()), why["first"]),
		},
		{
			what: "first invocation, TLS", want: "≤ 0.6 × sdk-go", most: 0.6, unit: " ×",
			got: ratio(cold(ours, false, true).First.Median(), cold(theirs, false, true).First.Median()),
			note: fmt.Sprintf("start and first together: %.2f × sdk-go. With a ledger %.2f ×%s",
				ratio(cold(ours, false, true).Total.Median(), cold(theirs, false, true).Total.Median()),
				ratio(cold(ours, true, true).First.Median(), cold(theirs, true, true).First.Median()),
				shareNote(cold(ours, false, true).FirstShare, cold(theirs, false, true).FirstShare)),
		},
		{
			what: "CPU a record, warm, batch of 10", want: "≤ 0.35 × sdk-go", most: 0.35, unit: " ×",
			got:  ratio(run(ours, false).CPU.Median(), run(theirs, false).CPU.Median()),
			note: fmt.Sprintf("with a ledger %.2f ×. %s", ratio(run(ours, true).CPU.Median(), run(theirs, true).CPU.Median()), why["cpu"]),
		},
	}
	for _, ledger := range []bool{false, true} {
		want, most := "≤ 2.3 round trips", 2.3
		what := "batch of 10, 20 ms"
		if ledger {
			want, most, what = "≤ 4.5 round trips", 4.5, what+", ledger"
		}
		all = append(all, goal{
			what: what, want: want, most: most, got: trips(ledger, false, 10),
			note: fmt.Sprintf("`REQUIRE_MANUAL`: one more, %.2f", trips(ledger, true, 10)),
		}, goal{
			what: "batch of 100, 20 ms" + map[bool]string{true: ", ledger"}[ledger], want: "≤ 4 × the batch of 10", most: 4, unit: " ×",
			got:  ratio(trips(ledger, false, 100), trips(ledger, false, 10)),
			note: fmt.Sprintf("`REQUIRE_MANUAL`: %.2f round trips", trips(ledger, true, 100)),
		})
	}
	all = append(all, goal{
		what: "peak memory", want: "≤ 1.5 × floor", most: 1.5, unit: " ×",
		got: ratio(run(ours, false).Small.Median(), run(floor, false).Small.Median()), note: why["memory"],
	})
	for _, m := range in.Micro {
		if m.Case.Peer == "signer of the official SDK" {
			all = append(all,
				goal{what: "signer, time", want: "≤ 1/3 of the official one", most: 1.0 / 3, got: ratio(m.Ours.Time, m.Theirs.Time), unit: " ×", note: why["signer"]},
				goal{what: "signer, allocations", want: "≤ 1/5 of the official one", most: 0.2, got: ratio(float64(m.Ours.Allocs), float64(m.Theirs.Allocs)), unit: " ×"})
		}
	}
	return append(all, in.throttleGoals()...)
}

// shareNote compares the first invocations with a share of a CPU, where that was measured.
func shareNote(ours, theirs measure.Sample) string {
	if len(ours) == 0 || len(theirs) == 0 {
		return ""
	}
	return fmt.Sprintf("; with the CPU of 128 MB %.2f ×", ratio(ours.Median(), theirs.Median()))
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

// why says why a goal is missed, where it is; see the section on what was tried.
var why = map[string]string{
	"start":      "the tables of five AWS clients, and connections that the floor has no use for",
	"start, TLS": "handshakes and certificates, which the first invocation would pay for with a fourteenth of the CPU",
	"first":      "code and types that are used for the first time",
	"cpu":        "most of it is net/http and the kernel for one call a record, which both make",
	"memory":     "the floor has no HTTP client, no TLS and no AWS client in memory; sdk-go needs more",
	"signer":     "the hashing is the same for both",
}
