package event

import (
	"encoding/json"
	"errors"
	"fmt"

	"dds-backup-delete/internal/deletion"
)

// SourceDirect is an invocation of the function itself: by hand, as a step of a workflow, by a
// schedule, or as the destination of another function.
const SourceDirect deletion.Source = "direct"

var directShape = shape{
	source: SourceDirect,
	fits: func(members object) bool {
		return isDestinationRecord(members) || isNotification(members) || (namesBackup(members) && notARequest(members) == "")
	},
	decode: func(d *Decoder, payload []byte, _ object, in Invocation) (*Batch, error) {
		c := d.readList(payload, deletion.Request{ID: in.ID})
		if c.echo != "" {
			return nil, errors.New(c.echo)
		}
		batch := &Batch{reply: replyCaller}
		if c.list {
			batch.reply = replyList
		}
		batch.add(message{id: in.ID}, c)
		return batch, nil
	},
}

// results is the answer to a list of requests.
type results struct {
	Results []deletion.Data `json:"results"`
}

func resultsOf(outcomes []deletion.Outcome) results {
	all := results{make([]deletion.Data, len(outcomes))}
	for i := range outcomes {
		all.Results[i] = outcomes[i].Data()
	}
	return all
}

// replyCaller returns the result of the one request, or the error that a workflow can match by
// its name.
func replyCaller(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	o := &outcomes[0]
	if o.Status == deletion.Accepted || o.Status == deletion.Unconfirmed || o.Status == deletion.Simulated {
		return json.Marshal(o.Data())
	}
	return nil, failed(o)
}

// replyList answers a list with one result for each request, never with an error, which would
// hide the job ids that were earned.
func replyList(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	return json.Marshal(resultsOf(outcomes))
}

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
	return json.Marshal(resultsOf(outcomes))
}

// failure returns the error of an invocation of which something must be tried again; nil of another.
func failure(outcomes []deletion.Outcome) error {
	if o := longest(outcomes); o != nil {
		return failed(o)
	}
	return nil
}

// failed returns the error of an invocation for that of a request.
func failed(o *deletion.Outcome) *FunctionError {
	message := o.Err.Error()
	if o.JobID != "" {
		message = fmt.Sprintf("%s; job_id %s", message, o.JobID)
	}
	return &FunctionError{Type: policyOf(o.Err.Class).name, Message: message}
}
