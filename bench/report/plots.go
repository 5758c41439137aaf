package report

import (
	"fmt"

	"dds-backup-delete/bench/measure"
)

func bar(name string, s measure.Sample) Bar {
	return Bar{
		Name: name, Value: s.Median(), Low: s.Quantile(0.25), High: s.Quantile(0.75),
		Ours: name == measure.Ours, Faint: name == measure.NoOp,
	}
}

// startPlot compares the starts, with the template's settings first.
func (in *Input) startPlot() []byte {
	sum := Group{Title: "start and first batch of ten, template's settings, 20 ms"}
	first := Group{Title: "that first batch, CPU of 128 MB, Go alone"}
	start := Group{Title: "that start, Go alone"}
	memory := Group{Title: "peak memory, warm (MB)"}
	for _, p := range in.Measured.Peers {
		if c := in.cold(templateKey(p.Name, measure.Near)); len(c.Sum.Wall) > 0 {
			if !p.Slow { // beside it, nobody could tell the others apart
				start.Bars = append(start.Bars, bar(p.Name, c.Start.Wall))
				first.Bars = append(first.Bars, bar(p.Name, c.First.Wall))
			}
			sum.Bars = append(sum.Bars, bar(p.Name, c.Sum.Wall))
		}
		if r := in.run(measure.RunKey{Peer: p.Name}); len(r.Small) > 0 {
			memory.Bars = append(memory.Bars, bar(p.Name, r.Small))
		}
	}
	return bars("Start (ms) and memory", "", []Group{sum, first, start, memory})
}

// batchPlot compares batches of ten and a hundred at 20 ms, and the CPU time of a record.
func (in *Input) batchPlot() []byte {
	var groups []Group
	for _, batch := range []int{10, 100} {
		for _, ledger := range []bool{false, true} {
			g := Group{Title: fmt.Sprintf("batch of %d%s", batch, map[bool]string{true: ", ledger"}[ledger])}
			for _, name := range []string{measure.Ours, measure.SDKGo, measure.Powertools} {
				if s := in.cell(measure.RunKey{Peer: name, Setting: measure.Setting{Ledger: ledger}}, measure.Near, batch).Wall; len(s) > 0 {
					g.Bars = append(g.Bars, bar(name, s))
				}
			}
			groups = append(groups, g)
		}
	}
	return bars("Warm invocation, upstreams of 20 ms", "ms", groups)
}
