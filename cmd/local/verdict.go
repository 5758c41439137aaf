package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// verdict is what DDS did with a backup, whether or not the outcome was published.
type verdict string

const (
	accepted    verdict = "accepted"
	unconfirmed verdict = "unconfirmed"
	simulated   verdict = "simulated"
	notFound    verdict = "not found"
	refused     verdict = "refused"
	maybeSent   verdict = "maybe deleted"
	notDeleted  verdict = "not deleted"
)

// answer is what DDS did with a backup, and the details for a person.
type answer struct {
	verdict verdict
	text    string
}

// recorder keeps the answers of DDS, because an outcome that could not be published no longer has them.
type recorder struct {
	deletion.Deleter

	out io.Writer

	mu      sync.Mutex
	answers map[deletion.Target]answer
}

// DeleteBackup implements [deletion.Deleter]. A job id is printed at once, in case the program ends before
// it is published.
func (r *recorder) DeleteBackup(ctx context.Context, t deletion.Target, sentBefore bool) (deletion.Deletion, error) {
	d, err := r.Deleter.DeleteBackup(ctx, t, sentBefore)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[t] = answerOf(&d, err, sentBefore)
	if d.JobID != "" {
		fmt.Fprintf(r.out, "  DDS started job %s for backup %s\n", d.JobID, t.BackupID)
	}
	return d, err
}

// answerOf returns what an answer of DDS means.
func answerOf(d *deletion.Deletion, err error, sentBefore bool) answer {
	e, ok := errors.AsType[*deletion.Error](err)
	switch {
	case d.JobID != "":
		return answer{accepted, "job " + d.JobID}
	case d.Unconfirmed != "":
		return answer{unconfirmed, d.Unconfirmed}
	case ok && (sentBefore || e.MaybeSent):
		return answer{maybeSent, "DDS may have started the deletion: " + reason(err)}
	case ok && e.Class == deletion.ClassNotFound:
		return answer{notFound, reason(err)}
	case ok && e.Class == deletion.ClassInvalid:
		return answer{refused, reason(err)}
	default:
		return answer{notDeleted, reason(err)}
	}
}

// verdictOf are the verdicts of the outcomes that have no job id.
var verdictOf = map[deletion.Status]verdict{deletion.Unconfirmed: unconfirmed, deletion.NotFound: notFound, deletion.Rejected: refused}

// answerTo returns what DDS did with the backup of an outcome. A retry says only that there is no verdict
// yet, or that it could not be recorded or published, so then the answer of DDS counts.
func (r *recorder) answerTo(o *deletion.Outcome, dryRun bool) answer {
	replayed := ""
	if o.Replayed {
		replayed = " (from the ledger; DDS was not asked again)"
	}
	switch {
	case o.JobID != "":
		return answer{accepted, "job " + o.JobID + replayed}
	case o.Status == deletion.Simulated, dryRun && o.Err.Class == deletion.ClassUndelivered:
		return answer{simulated, "dry run: nothing was deleted"}
	case o.Status != deletion.Retry:
		return answer{verdictOf[o.Status], o.Err.Error() + replayed}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if found, asked := r.answers[o.Request.Target()]; asked {
		return found
	}
	return answer{notDeleted, "DDS was not asked to delete it: " + o.Err.Error()}
}

// reason is the text of an error for a person.
func reason(err error) string {
	if e, ok := errors.AsType[*deletion.Error](err); ok {
		return secret.Redact(cmp.Or(strings.TrimSuffix(e.Error(), ": "), string(e.Class)))
	}
	return secret.Redact(err.Error())
}
