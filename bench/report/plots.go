package report

import (
	"fmt"
	"slices"

	"dds-backup-delete/bench/measure"
)

func bar(name string, s measure.Sample) Bar {
	return Bar{
		Name: name, Value: s.Median(), Low: s.Quantile(0.25), High: s.Quantile(0.75),
		Ours: name == measure.Ours, Faint: name == measure.Floor,
	}
}

// startPlot compares the starts.
func (in *Input) startPlot() []byte {
	start := Group{Title: "start to first next, TLS, Go alone"}
	first := Group{Title: "start and first invocation, TLS"}
	share := Group{Title: "first invocation, TLS, CPU of 128 MB, Go alone"}
	memory := Group{Title: "peak memory, warm (MB)"}
	for _, p := range in.Measured.Peers {
		if c := in.Measured.Cold[measure.ColdKey{Peer: p.Name, TLS: true}]; c != nil {
			if !p.Slow { // beside it, nobody could tell the others apart
				start.Bars = append(start.Bars, bar(p.Name, c.Init))
				if len(c.FirstShare) > 0 {
					share.Bars = append(share.Bars, bar(p.Name, c.FirstShare))
				}
			}
			first.Bars = append(first.Bars, bar(p.Name, c.Total))
		}
		if r := in.Measured.Runs[measure.RunKey{Peer: p.Name}]; r != nil {
			memory.Bars = append(memory.Bars, bar(p.Name, r.Small))
		}
	}
	groups := []Group{start, share, first, memory}
	if len(share.Bars) == 0 {
		groups = slices.Delete(groups, 1, 2)
	}
	return bars("Start (ms) and memory", "", groups)
}

// batchPlot compares batches of ten and a hundred at 20 ms, and the CPU time of a record.
func (in *Input) batchPlot() []byte {
	var groups []Group
	for _, batch := range []int{10, 100} {
		for _, ledger := range []bool{false, true} {
			g := Group{Title: fmt.Sprintf("batch of %d%s", batch, map[bool]string{true: ", ledger"}[ledger])}
			for _, name := range []string{measure.Ours, measure.SDKGo, measure.Powertools} {
				if s := in.cell(measure.RunKey{Peer: name, Ledger: ledger}, ms20, batch); len(s) > 0 {
					g.Bars = append(g.Bars, bar(name, s))
				}
			}
			groups = append(groups, g)
		}
	}
	return bars("Warm invocation, upstreams of 20 ms", "ms", groups)
}
