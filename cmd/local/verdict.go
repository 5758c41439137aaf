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

// verdicts are in the order of the summary.
var verdicts = []verdict{accepted, unconfirmed, simulated, notFound, refused, maybeSent, notDeleted}

// answer is what DDS answered to a deletion.
type answer struct {
	deletion deletion.Deletion
	err      *deletion.Error // nil for a success
	lost     bool            // the deletion may have been started, though DDS did not say so
}

// recorder passes deletions on and keeps the answers of DDS, because an outcome that could not be
// published no longer holds them.
type recorder struct {
	deletion.Deleter

	out io.Writer

	mu      sync.Mutex
	answers map[deletion.Target]answer
}

// DeleteBackup implements [deletion.Deleter]. A job id is printed at once: should the program end
// before it is published, it stands there.
func (r *recorder) DeleteBackup(ctx context.Context, t deletion.Target, maybeSent bool) (deletion.Deletion, error) {
	d, err := r.Deleter.DeleteBackup(ctx, t, maybeSent)
	a := answer{deletion: d}
	if errors.As(err, &a.err) {
		a.lost = maybeSent || a.err.MaybeSent
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[t] = a
	if d.JobID != "" {
		fmt.Fprintf(r.out, "  DDS started job %s for backup %s\n", d.JobID, t.BackupID)
	}
	return d, err
}

// verdict returns what DDS did with the backup of an outcome, and the details for a person.
func (r *recorder) verdict(o *deletion.Outcome) (verdict, string) {
	replayed := ""
	if o.Replayed {
		replayed = " (from the ledger; DDS was not asked again)"
	}
	switch {
	case o.JobID != "":
		return accepted, "job " + o.JobID + replayed
	case o.Status == deletion.Simulated:
		return simulated, "dry run: nothing was deleted"
	case o.Status == deletion.Unconfirmed:
		return unconfirmed, o.Err.Error() + replayed
	case o.Status == deletion.NotFound:
		return notFound, o.Err.Error() + replayed
	case o.Status == deletion.Rejected:
		return refused, o.Err.Error() + replayed
	}
	// It is a retry: either there is no verdict, or it could not be recorded or published.
	r.mu.Lock()
	a, asked := r.answers[deletion.Target{Region: o.Request.Region, ProjectID: o.Request.ProjectID, BackupID: o.Request.BackupID}]
	r.mu.Unlock()
	switch {
	case !asked:
		return notDeleted, "DDS was not asked to delete it: " + o.Err.Error()
	case a.err == nil && a.deletion.Unconfirmed != "":
		return unconfirmed, a.deletion.Unconfirmed
	case a.err == nil:
		return notDeleted, o.Err.Error()
	case a.lost:
		return maybeSent, "DDS may have started the deletion: " + reason(a.err)
	case a.err.Class == deletion.ClassNotFound:
		return notFound, reason(a.err)
	case a.err.Class == deletion.ClassInvalid:
		return refused, reason(a.err)
	default:
		return notDeleted, reason(a.err)
	}
}

// reason is the text of an error of the DDS client for a person.
func reason(err error) string {
	var e *deletion.Error
	if !errors.As(err, &e) {
		return secret.Redact(err.Error())
	}
	return secret.Redact(cmp.Or(strings.TrimSuffix(e.Error(), ": "), string(e.Class)))
}
