package measure

import (
	"math"
	"slices"
	"time"
)

// Sample is what was measured of one thing, in one unit.
type Sample []float64

// Add adds a duration, in milliseconds.
func (s *Sample) Add(d time.Duration) { *s = append(*s, float64(d)/float64(time.Millisecond)) }

// Times is what something cost, in milliseconds: by the clock, and of user and system CPU time.
type Times struct{ Wall, CPU Sample }

// Add adds one measurement.
func (t *Times) Add(wall, cpu time.Duration) {
	t.Wall.Add(wall)
	t.CPU.Add(cpu)
}

// Quantile returns the value below which that share of the sample lies; NaN for an empty one.
func (s Sample) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// Median returns the middle of the sample.
func (s Sample) Median() float64 { return s.Quantile(0.5) }

// IQR returns the distance between the quartiles.
func (s Sample) IQR() float64 { return s.Quantile(0.75) - s.Quantile(0.25) }
