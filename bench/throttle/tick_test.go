package throttle

import (
	"testing"
	"testing/synctest"
	"time"
)

// How many deletions reach their end in an hour. docs/scale.md has the figures.
func TestTicks(t *testing.T) {
	for _, s := range []Ticks{
		{Backups: 2000, Gone: 3 * time.Minute, Rate: 1},
		{Backups: 2000, Gone: 3 * time.Minute, Rate: 1, Alone: true},
		{Backups: 100, Gone: time.Hour, Rate: 1},
		{Backups: 100, Gone: time.Hour, Rate: 1, Listed: true},
		{Backups: 2000, Gone: 3 * time.Minute, Calls: 60},
		{Backups: 2000, Gone: 3 * time.Minute, Calls: 60, Alone: true},
		{Backups: 2000, Gone: 3 * time.Minute},
	} {
		t.Run(s.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := RunTicks(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%+v", r)
				ends := 0
				for _, n := range r.Ends {
					ends += n
				}
				// An unlimited DDS, or few backups, must leave nothing open.
				if ends > s.Backups || ends < s.Backups && (s.Backups == 100 || s.Rate == 0 && s.Calls == 0) {
					t.Errorf("%d ends of %d deletions", ends, s.Backups)
				}
			})
		})
	}
}
