package report

import (
	"fmt"
	"math"
	"strings"
)

// Bar is one bar of a plot.
type Bar struct {
	Name        string
	Value       float64
	Low, High   float64 // the quartiles; the same where there is no spread
	Ours, Faint bool    // ours stands out, and what is only a measure is faint
}

// Group is the bars of one thing.
type Group struct {
	Title string
	Bars  []Bar
}

// colours that are readable on a light and on a dark page.
const (
	oursColour  = "#2f81f7"
	peerColour  = "#8b949e"
	faintColour = "#8b949e66"
	textColour  = "#7d8590"
)

// bars draws groups of horizontal bars, each group on a scale of its own.
func bars(title, unit string, groups []Group) []byte {
	const width, left, right, row, head = 760, 170, 110, 22, 30
	height := 44
	for _, g := range groups {
		height += head + row*len(g.Bars)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s" `+
		`font-family="system-ui, sans-serif" font-size="13" fill="%s">`+"\n", width, height, width, height, escape(title), textColour)
	fmt.Fprintf(&b, `<text x="12" y="24" font-size="16" font-weight="600">%s</text>`+"\n", escape(title))
	y := 40
	for _, g := range groups {
		most := 0.0
		for _, bar := range g.Bars {
			most = math.Max(most, math.Max(bar.Value, bar.High))
		}
		fmt.Fprintf(&b, `<text x="12" y="%d" font-weight="600">%s</text>`+"\n", y+18, escape(g.Title))
		y += head
		scale := float64(width-left-right) / most
		for _, bar := range g.Bars {
			colour := peerColour
			switch {
			case bar.Ours:
				colour = oursColour
			case bar.Faint:
				colour = faintColour
			}
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+14, escape(bar.Name))
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="14" rx="2" fill="%s"/>`, left, y+3, math.Max(1, bar.Value*scale), colour)
			end := float64(left) + bar.Value*scale
			if bar.High > bar.Low {
				fmt.Fprintf(&b, `<path d="M%.1f %dH%.1fM%.1f %dv6M%.1f %dv6" stroke="%s" fill="none"/>`, float64(left)+bar.Low*scale, y+10,
					float64(left)+bar.High*scale, float64(left)+bar.Low*scale, y+7, float64(left)+bar.High*scale, y+7, textColour)
				end = math.Max(end, float64(left)+bar.High*scale)
			}
			fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s %s</text>`+"\n", end+6, y+14, short(bar.Value), unit)
			y += row
		}
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
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
