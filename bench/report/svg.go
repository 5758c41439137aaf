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

// Line is a line of a plot: values at equal distances.
type Line struct {
	Name   string
	Values []float64
	Colour string
}

// lines draws lines over a common time, which ends at the right edge.
func lines(title, yTitle string, end float64, unit string, all []Line) []byte {
	const width, height, left, top, right, bottom = 760, 340, 70, 48, 150, 44
	most := 0.0
	for _, l := range all {
		for _, v := range l.Values {
			most = math.Max(most, v)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s" `+
		`font-family="system-ui, sans-serif" font-size="13" fill="%s">`+"\n", width, height, width, height, escape(title), textColour)
	fmt.Fprintf(&b, `<text x="12" y="24" font-size="16" font-weight="600">%s</text>`+"\n", escape(title))
	for i := range 5 {
		y := float64(height-bottom) - float64(i)/4*float64(height-top-bottom)
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="%s" stroke-opacity="0.3"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			left, y, width-right, textColour, left-8, y+4, short(most*float64(i)/4))
		x := float64(left) + float64(i)/4*float64(width-left-right)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s %s</text>`+"\n", x, height-bottom+20, short(end*float64(i)/4), unit)
	}
	fmt.Fprintf(&b, `<text x="12" y="42" font-size="12">%s</text>`+"\n", escape(yTitle))
	for n, l := range all {
		var path strings.Builder
		for i, v := range l.Values {
			x := float64(left) + float64(i)/float64(len(l.Values)-1)*float64(width-left-right)
			y := float64(height-bottom) - v/most*float64(height-top-bottom)
			fmt.Fprintf(&path, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[i == 0], x, y)
		}
		fmt.Fprintf(&b, `<path d="%s" stroke="%s" stroke-width="2" fill="none"/>`, path.String(), l.Colour)
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="14" height="3" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			width-right+12, top+n*20, l.Colour, width-right+32, top+n*20+6, escape(l.Name))
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
