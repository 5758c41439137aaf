package event

import (
	"encoding/json"
	"errors"

	"dds-backup-delete/internal/deletion"
)

// SourceDirect is an invocation of the function itself, by hand or as a step of a workflow.
const SourceDirect deletion.Source = "direct"

var directShape = shape{
	source: SourceDirect,
	fits: func(members object) error {
		if why := foreign(members); why != "" {
			return errors.New(why)
		}
		_, ours := members.get("backup_id")
		_, page := members.get("backups_id")
		if !ours && !page {
			return errors.New("no member backup_id")
		}
		return nil
	},
	decode: func(_ []byte, members object, id string) (*Batch, error) {
		r := requestOf(members)
		r.ID = id
		return &Batch{Requests: []deletion.Request{r}, reply: replyDirect}, nil
	},
}

// replyDirect returns the result of the one request, or the error that a workflow can match by its name.
func replyDirect(outcomes []deletion.Outcome) ([]byte, error) {
	o := &outcomes[0]
	if o.Status == deletion.Accepted || o.Status == deletion.Unconfirmed || o.Status == deletion.Simulated {
		return json.Marshal(o.Data())
	}
	message := o.Err.Error()
	if o.JobID != "" {
		message += "; job_id " + o.JobID
	}
	return nil, &FunctionError{Type: policyOf(o.Err.Class).name, Message: message}
}
