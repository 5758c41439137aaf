package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"dds-backup-delete/internal/config"
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

// report reports what a run does. It passes deletions on and keeps the answers of DDS, because an outcome
// that could not be published no longer has them.
type report struct {
	deletion.Backups

	config *config.Config
	out    io.Writer

	counts                 map[verdict]int
	published, unpublished int

	mu      sync.Mutex
	answers map[deletion.Target]answer
}

// DeleteBackup implements [deletion.Backups]. A job id is printed at once, in case the program ends before
// it is published.
func (r *report) DeleteBackup(ctx context.Context, t deletion.Target, sentBefore bool) (deletion.Deletion, error) {
	d, err := r.Backups.DeleteBackup(ctx, t, sentBefore)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[t] = answerOf(&d, err, sentBefore)
	if d.JobID != "" {
		fmt.Fprintf(r.out, "  DDS started job %s for backup %s\n", d.JobID, t.BackupID)
	}
	return d, err
}

// LookUp implements [deletion.Backups]. A look-up may decide without a DELETE.
func (r *report) LookUp(ctx context.Context, t deletion.Target) (deletion.Sight, error) {
	sight, err := r.Backups.LookUp(ctx, t)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.answers[t] = answer{notDeleted, reason(err)}
	case sight.Backup == nil:
		r.answers[t] = answer{notFound, "DDS does not list it"}
	case sight.Deleting:
		r.answers[t] = answer{unconfirmed, "it is already being deleted"}
	case sight.Refusal != nil && sight.Refusal.Class == deletion.ClassInvalid:
		r.answers[t] = answer{refused, reason(sight.Refusal)}
	case sight.Refusal != nil:
		r.answers[t] = answer{notDeleted, reason(sight.Refusal)}
	default: // what DeleteBackup answers counts
	}
	return sight, err
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
func (r *report) answerTo(o *deletion.Outcome) answer {
	replayed := ""
	if o.Replayed {
		replayed = " (from the ledger; DDS was not asked again)"
	}
	switch {
	case o.JobID != "":
		return answer{accepted, "job " + o.JobID + replayed}
	case o.Status == deletion.Simulated, isDryRun(r.config, &o.Request) && o.Err.Class == deletion.ClassUndelivered:
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

// isDryRun reports whether a request ends before the deletion.
func isDryRun(c *config.Config, request *deletion.Request) bool { return c.DryRun || request.DryRun }

// reason is the text of an error for a person.
func reason(err error) string {
	if e, ok := errors.AsType[*deletion.Error](err); ok {
		return secret.Redact(cmp.Or(strings.TrimSuffix(e.Error(), ": "), string(e.Class)))
	}
	return secret.Redact(err.Error())
}

// add says what was deleted and, apart from that, what was published.
func (r *report) add(o *deletion.Outcome) {
	answer := r.answerTo(o)
	r.counts[answer.verdict]++
	fmt.Fprintf(r.out, "  backup %s\n    %-13s %s\n", cmp.Or(o.Request.BackupID, "without a valid id"), answer.verdict, answer.text)
	switch {
	case o.Status != deletion.Retry:
		r.published++
		fmt.Fprintf(r.out, "    published     to %s\n", r.config.Sink)
	case o.Err.Class == deletion.ClassUndelivered:
		r.unpublished++
		fmt.Fprintf(r.out, "    NOT PUBLISHED %s: %s\n", o.Err.Message, secret.Redact(o.Err.Cause))
		fmt.Fprintf(r.out, "                  %s\n", r.advice(answer.verdict, o))
	case o.Parked:
		r.unpublished++
		fmt.Fprintln(r.out, "    not published there is no outcome yet; the ledger keeps the request, and a tick retries it")
	default:
		r.unpublished++
		fmt.Fprintln(r.out, "    not published there is no outcome yet; a repeat asks DDS again")
	}
	if o.LedgerFailed && o.Status != deletion.Retry {
		fmt.Fprintf(r.out, "    not recorded  LEDGER did not accept the outcome; a repeat asks DDS again\n")
	}
}

// advice is what to do about an outcome that was not published.
func (r *report) advice(kind verdict, o *deletion.Outcome) string {
	switch recorded := r.config.Ledger.Kind != config.Memory && !o.LedgerFailed && kind != notDeleted; {
	case kind == simulated:
		return "A repeat publishes again."
	case recorded || o.Replayed:
		return "The ledger has the outcome: a repeat publishes it and does not ask DDS."
	case o.JobID != "":
		return "Keep the job id " + o.JobID + ": a repeat asks DDS again and cannot publish this job id."
	default:
		return "A repeat asks DDS again and publishes the new answer."
	}
}

// summary counts what the run did; the error says that not everything was done.
func (r *report) summary() error {
	total := r.published + r.unpublished
	var missing []string
	fmt.Fprintf(r.out, "\nRequests: %d. DDS: %s. Outcomes: %d published, %d not published.\n",
		total, listed(r.counts), r.published, r.unpublished)
	if r.config.Follow && r.counts[accepted]+r.counts[unconfirmed] > 0 {
		fmt.Fprintln(r.out, "FOLLOW: the ends of the deletions are published later, by scheduled ticks or by: local -real -tick")
	}
	if done := r.counts[accepted] + r.counts[unconfirmed] + r.counts[simulated]; done < total {
		missing = append(missing, fmt.Sprintf("%d not deleted", total-done))
	}
	if r.unpublished > 0 {
		missing = append(missing, fmt.Sprintf("%d not published", r.unpublished))
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("of %d requests: %s", total, strings.Join(missing, ", "))
}

// listed names the counts of each kind; "none" if there are none.
func listed[K ~string](counts map[K]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}
