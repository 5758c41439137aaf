package report

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"dds-backup-delete/bench/measure"
)

var update = flag.Bool("update", false, "draw the picture again from its stored numbers")

// TestPicture holds docs/benchmark-start.svg to the numbers that are stored beside it, and these to the
// tables of docs/benchmarks.md.
func TestPicture(t *testing.T) {
	const docs = "../../docs/"
	read := func(file string) string {
		text, err := os.ReadFile(docs + file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var p picture
	if err := json.Unmarshal([]byte(read("benchmark-start.json")), &p); err != nil {
		t.Fatal(err)
	}
	drawn := string(p.svg())
	if *update {
		if err := os.WriteFile(docs+"benchmark-start.svg", []byte(drawn), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if read("benchmark-start.svg") != drawn {
		t.Error("benchmark-start.svg is not what its numbers give: go test ./report -update")
	}

	page := read("benchmarks.md")
	if !strings.Contains(page, "\n"+p.markdown()+"\n") {
		t.Errorf("docs/benchmarks.md lacks\n%s", p.markdown())
	}
	_, template, _ := strings.Cut(page, "\n## With the template's settings\n")
	for _, b := range p.New {
		inRow(t, template, "| 20 ms | "+b.Peer+" |", b.Start, b.Median)
	}
	_, warm, _ := strings.Cut(page, "\nUpstreams that are 20 ms away:")
	for _, b := range p.Warm {
		inRow(t, warm, "| "+b.Peer+" | yes |  |  |", b.Median)
	}
	if len(p.New) != len(compared) || len(p.Warm) != len(compared) {
		t.Errorf("%d and %d bars, expected %d each", len(p.New), len(p.Warm), len(compared))
	}
}

// inRow reports a row that lacks one of the values.
func inRow(t *testing.T, page, row string, values ...float64) {
	t.Helper()
	_, cells, found := strings.Cut(page, "\n"+row)
	cells, _, _ = strings.Cut(cells, "\n")
	for _, v := range values {
		if !found || !strings.Contains(cells, " "+short(v)+" ") {
			t.Errorf("the picture has %s, the row %s%s of docs/benchmarks.md has not", short(v), row, cells)
		}
	}
}

// TestPictureOfMeasurements makes a picture of samples, and reads it back from its numbers.
func TestPictureOfMeasurements(t *testing.T) {
	cold := &measure.Cold{Start: measure.Times{Wall: measure.Sample{3}}, Sum: measure.Times{Wall: measure.Sample{10, 20, 30, 40, 50}}}
	in := &Input{Measured: &measure.Result{
		Cold: map[measure.ColdKey]*measure.Cold{templateKey(measure.SDKGo, measure.Near): cold},
		Warm: map[measure.WarmKey]*measure.Times{
			{RunKey: measure.RunKey{Peer: measure.Ours, Setting: measure.Setting{Ledger: true}}, Latency: measure.Near, Batch: 10}: {Wall: measure.Sample{7, 9}},
		},
	}}
	want := &picture{
		Measured: "0001-01-01",
		New:      []bar{{Peer: measure.SDKGo, Median: 30, Low: 20, High: 40, Start: 3, Starts: 5}},
		Warm:     []bar{{Peer: measure.Ours, Median: 8, Low: 8, High: 8}}, // two samples have no quartiles
	}
	text, err := in.picture().json()
	if err != nil {
		t.Fatal(err)
	}
	got := new(picture)
	if err := json.Unmarshal(text, got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v (%v), expected %+v", got, err, want)
	}
}
