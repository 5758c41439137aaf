package throttle

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

var (
	requests = flag.Int("requests", 2000, "how many requests wait in the queue")
	out      = flag.String("out", "", "the file that the results are written to")
)

// scenarios returns all scenarios. 60 calls a minute is the published limit of the sibling service
// DDM; DDS publishes none.
func scenarios() []Scenario {
	var all []Scenario
	for _, s := range []Scenario{
		{Calls: 60, Window: time.Minute}, {Calls: 1200, Window: time.Minute}, {Calls: 20, Window: time.Second},
		{Calls: 20, Window: time.Second, Silent: true}, {Calls: 60, Window: time.Minute, Silent: true},
	} {
		for _, s.Concurrency = range []int{2, 10, 100} {
			s.Requests = *requests
			if s.Concurrency < 100 || s.Rate() > 1 {
				all = append(all, s)
			}
		}
	}
	return all
}

func TestThrottled(t *testing.T) {
	var results []Result
	for _, s := range scenarios() {
		t.Run(s.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := Run(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%.1f %% of the allowed rate in %v, %d deleted, %d dead, %.1f %% refused, %.2f receives, %d at the most",
					100*r.Share, r.Took.Round(time.Second), r.Deleted, r.Dead, 100*r.Refused, r.Receives, r.MaxReceives)
				results = append(results, r)
			})
		})
	}
	for _, r := range results { // two functions are never too many for the rate, so they must lose nothing
		if s := r.Scenario; s.Concurrency == 2 && (r.Dead > 0 || r.Deleted != s.Requests) {
			t.Errorf("%s: %d deleted, %d dead letters", s.Name(), r.Deleted, r.Dead)
		}
	}
	if *out == "" {
		return
	}
	text, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*out, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
