package report

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"dds-backup-delete/bench/measure"
)

// picture is what docs/benchmark-start.svg shows. It is stored beside it, so that the picture can be
// drawn again without a measurement.
type picture struct {
	Measured string // a date
	New      []bar  // the start and the first batch of ten of a new function
	Warm     []bar  // a batch of ten of a warm function
}

// bar is one bar of a picture, in milliseconds.
type bar struct {
	Peer      string
	Median    float64
	Low, High float64 // the quartiles; the same where too little was measured
	Start     float64 `json:",omitempty"` // the median of the start, which is a part of Median
	Starts    int     `json:",omitempty"` // how many starts were measured
}

// compared are the peers of the picture. The no-op deletes nothing.
var compared = []string{measure.Ours, measure.SDKGo, measure.Powertools}

func barOf(peer string, s measure.Sample) bar {
	b := bar{Peer: peer, Median: s.Median()}
	b.Low, b.High = b.Median, b.Median
	if len(s) >= few {
		b.Low, b.High = s.Quantile(0.25), s.Quantile(0.75)
	}
	return b
}

// picture returns what was measured of the template's settings, and of warm functions in the setting that
// all peers were measured in.
func (in *Input) picture() *picture {
	p := &picture{Measured: in.When.Format("2006-01-02")}
	for _, peer := range compared {
		if cold := in.cold(templateKey(peer, measure.Near)); len(cold.Sum.Wall) > 0 {
			b := barOf(peer, cold.Sum.Wall)
			b.Start, b.Starts = cold.Start.Wall.Median(), len(cold.Sum.Wall)
			p.New = append(p.New, b)
		}
		if s := in.cell(measure.RunKey{Peer: peer, Setting: measure.Setting{Ledger: true}}, measure.Near, 10).Wall; len(s) > 0 {
			p.Warm = append(p.Warm, barOf(peer, s))
		}
	}
	return p
}

// json returns the numbers of the picture.
func (p *picture) json() ([]byte, error) {
	text, err := json.MarshalIndent(p, "", "  ")
	return append(text, '\n'), err
}

// title, newTitle and warmTitle are in the picture, and in its description.
const (
	pictureTitle = "A batch of ten deletions"
	newTitle     = "New 128 MB function: start and first batch"
	warmTitle    = "Warm function: a later batch"
)

// caption says how it was measured.
func (p *picture) caption() []string {
	return []string{
		"Medians; a line joins the quartiles. DDS and AWS",
		"are simulated, 20 ms away. All keep a ledger.",
		"sdk-go is Go with the official SDKs.",
		"powertools-python works a batch one by one.",
		"New: TLS, REQUIRE_MANUAL, a whole CPU to start",
		"and then 1/14 of one. AWS's own part of a cold",
		"start is not included. Starts: " + p.starts() + ".",
		"Warm: no TLS, no REQUIRE_MANUAL, a whole CPU.",
		"Measured on " + p.Measured + ".",
	}
}

// starts says how many starts were measured, in the order of the bars.
func (p *picture) starts() string {
	var counts []string
	for _, b := range p.New {
		counts = append(counts, strconv.Itoa(b.Starts))
	}
	return strings.Join(counts, ", ")
}

// describe says what the picture shows, for those who do not see it.
func (p *picture) describe() string {
	list := func(bars []bar) string {
		var all []string
		for _, b := range bars {
			all = append(all, b.Peer+" "+short(b.Median)+" ms")
		}
		return strings.Join(all, ", ")
	}
	return newTitle + ": " + list(p.New) + ". " + warmTitle + ": " + list(p.Warm) + "."
}

// markdown returns the picture as docs/benchmarks.md shows it.
func (p *picture) markdown() string { return "![" + p.describe() + "](benchmark-start.svg)" }

// style has the colours of GitHub's light and dark pages. The picture brings its own background, because
// the theme of a page can differ from that of the browser. Blue and grey differ for all kinds of colour blindness.
const style = `<style>
text{fill:#1f2328;stroke:#fff;stroke-width:4px;paint-order:stroke} .quiet{fill:#59636e} .card{fill:#fff;stroke:#d1d9e0} .grid{stroke:#d1d9e0} .line{stroke:#1f2328}
.ours{fill:#218bff} .peer{fill:#8c959f}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc;stroke:#0d1117} .quiet{fill:#9198a1} .card{fill:#0d1117;stroke:#3d444d} .grid{stroke:#3d444d} .line{stroke:#f0f6fc}
.ours{fill:#1f6feb} .peer{fill:#656c76}
}
</style>
`

// The picture is no wider than a phone, so that its text stays readable there. On a wide page it is as wide.
const (
	pictureWidth = 400
	barLeft      = 16
	barWidth     = 356 // of the longest bar with its quartiles
)

// svg draws the picture. All bars share one scale, which begins at zero.
func (p *picture) svg() []byte {
	var b strings.Builder
	text := func(x, y, size int, attributes, s string) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="%d"%s>%s</text>`+"\n", x, y, size, attributes, escape(s))
	}
	most := 1.0
	for _, bar := range append(append([]bar(nil), p.New...), p.Warm...) {
		most = max(most, bar.High)
	}
	scale := barWidth / most
	x := func(ms float64) float64 { return barLeft + ms*scale }

	const bold = ` font-weight="600"`
	y := 30
	text(barLeft, y, 18, bold, pictureTitle)
	y += 20
	text(barLeft, y, 14, ` class="quiet"`, "milliseconds, less is better")
	top := y + 12
	axis := top + 2*44 + 46*(len(p.New)+len(p.Warm))
	step := tickStep(most)
	for ms := 0.0; ms <= most; ms += step {
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %dV%d"/>`, x(ms), top, axis)
		anchor := "middle"
		if ms == 0 {
			anchor = "start"
		}
		text(int(x(ms)), axis+18, 14, fmt.Sprintf(` class="quiet" text-anchor="%s"`, anchor), fmt.Sprintf("%.0f", ms))
	}
	y = top
	for _, group := range []struct {
		title string
		bars  []bar
	}{{newTitle, p.New}, {warmTitle, p.Warm}} {
		y += 28
		text(barLeft, y, 15, bold, group.title)
		y += 10
		for _, bar := range group.bars {
			label := bar.Peer + ": " + short(bar.Median) + " ms"
			if bar.Start > 0 {
				label += " (start " + short(bar.Start) + " ms)"
			}
			y += 18
			text(barLeft, y, 15, "", label)
			y += 6
			class := "peer"
			if bar.Peer == measure.Ours {
				class = "ours"
			}
			fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="14"/>`, class, barLeft, y, max(1, bar.Median*scale))
			if bar.High > bar.Low {
				fmt.Fprintf(&b, `<path class="line" stroke-width="1.5" d="M%.1f %dH%.1fM%.1f %dv6M%.1f %dv6"/>`,
					x(bar.Low), y+7, x(bar.High), x(bar.Low), y+4, x(bar.High), y+4)
			}
			y += 22
		}
		y += 6
	}
	y = axis + 46
	for _, line := range p.caption() {
		text(barLeft, y, 14, ` class="quiet"`, line)
		y += 19
	}
	return []byte(fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" `+
		`aria-labelledby="title desc" font-family="system-ui, -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif">
<title id="title">%s</title>
<desc id="desc">%s</desc>
%s<rect class="card" x="0.5" y="0.5" width="%d" height="%d" rx="6"/>
%s</svg>
`, pictureWidth, y, pictureWidth, y, escape(pictureTitle), escape(p.describe()+" "+strings.Join(p.caption(), " ")), style, pictureWidth-1, y-1, b.String()))
}

// tickStep returns the distance of the ticks of a scale: 1, 2 or 5 times a power of ten, for three to six ticks.
func tickStep(most float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(most)))
	switch {
	case most/step < 2:
		return step / 2
	case most/step > 5:
		return step * 2
	}
	return step
}

// short writes a number with three digits that count.
func short(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v == 0:
		return "0"
	case v >= 100_000:
		return fmt.Sprintf("%.0fk", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
