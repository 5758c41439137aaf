package event

import (
	"encoding/json"

	"dds-backup-delete/internal/deletion"
)

// replyResult answers a source that can only deliver the whole payload again: with an error
// where that helps, else with the result, which a destination of the function may want. What
// was done before is not done again.
func replyResult(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	if err := failure(outcomes); err != nil {
		return nil, err
	}
	if len(outcomes) == 1 {
		return json.Marshal(outcomes[0].Data())
	}
	return json.Marshal(deletion.ResultsOf(outcomes))
}
