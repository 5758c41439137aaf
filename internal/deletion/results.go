package deletion

// Results is the answer to a list of requests: a result for each, in their order.
type Results struct {
	Results []Data `json:"results"`
}

// ResultsOf returns the results of outcomes.
func ResultsOf(outcomes []Outcome) Results {
	all := Results{make([]Data, len(outcomes))}
	for i := range outcomes {
		all.Results[i] = outcomes[i].Data()
	}
	return all
}

// LongestRetry returns the outcome that should wait longest before its next try; nil if no outcome
// needs another try.
func LongestRetry(outcomes []Outcome) *Outcome {
	var found *Outcome
	for i := range outcomes {
		if o := &outcomes[i]; o.Status == Retry && (found == nil || o.Err.RetryAfter > found.Err.RetryAfter) {
			found = o
		}
	}
	return found
}
