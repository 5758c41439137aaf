package report

import (
	"strings"
	"testing"
	"time"

	"dds-backup-delete/bench/measure"
	"dds-backup-delete/internal/functiongraphtest"
)

// A run of the section alone must not touch what was measured another day.
func TestReplaceFunctionGraph(t *testing.T) {
	run := new(measure.FunctionGraphRun)
	run.Start.Add(time.Millisecond, time.Millisecond)
	in := &Input{Measured: &measure.Result{FunctionGraph: map[measure.FunctionGraphKey]*measure.FunctionGraphRun{
		{Peer: measure.Ours, Mode: functiongraphtest.Runtime}: run,
	}}}
	d := new(doc)
	in.functionGraph(d)
	section := d.String() // with an empty line before it
	const before, after = "# Page\n\n## Before\n\ntext\n", "\n" + costTitle + "\n| table |\n\n## After\n"
	for name, page := range map[string]string{
		"a page without it": before + after,
		"a page with it":    before + "\n" + functionGraphTitle + "\nold\n" + after,
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := string(in.replaceFunctionGraph([]byte(page))), before+section+after; got != want {
				t.Errorf("the page is\n%s\nwant\n%s", got, want)
			}
		})
	}
	if got, want := string(in.replaceFunctionGraph(nil)), strings.TrimPrefix(section, "\n"); got != want {
		t.Errorf("without a page it is\n%s", got)
	}
}
