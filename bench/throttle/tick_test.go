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
			})
		})
	}
}
