package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/handler"
	"dds-backup-delete/internal/secret"
)

// errNothingDone ends a run in which DDS was not asked to delete anything.
var errNothingDone = errors.New("nothing was deleted")

// order is an input with the requests in it.
type order struct {
	name     string
	requests []deletion.Request
}

// runReal deletes what the inputs ask for at the DDS of the environment, after asking.
func runReal(ctx context.Context, inputs []input, yes bool, in io.Reader, out io.Writer) error {
	c, err := loadConfig()
	if err != nil {
		return err
	}
	orders, err := decodeAll(c, inputs)
	if err != nil {
		return err
	}
	options, err := awsOptions(ctx, c)
	if err != nil {
		return err
	}
	h, err := handler.New(ctx, c, slog.New(slog.DiscardHandler), out, options...)
	if err != nil {
		return fmt.Errorf("%w: %w", errNothingDone, err)
	}
	defer h.Close()
	r := &realRun{config: c, handler: h, service: h.Service(), out: out, counts: make(map[verdict]int)}
	r.answers = &recorder{Deleter: r.service.Deleter, out: out, answers: make(map[deletion.Target]answer)}
	r.service.Deleter = r.answers
	if err := r.findProject(ctx); err != nil {
		return err
	}
	r.announce(ctx, orders)
	if !yes {
		if err := r.confirm(ctx, in); err != nil {
			return err
		}
	}
	for _, order := range orders {
		r.work(ctx, order)
	}
	return r.summary()
}

// loadConfig reads the environment, in which an unset REQUIRE_MANUAL means true, as in the stack.
func loadConfig() (*config.Config, error) {
	const requireManual = "REQUIRE_MANUAL"
	if strings.TrimSpace(os.Getenv(requireManual)) == "" {
		if err := os.Setenv(requireManual, "true"); err != nil {
			return nil, err
		}
	}
	return config.Load()
}

// decodeAll reads the requests of all inputs. One that is not only requests is an error, so that
// nothing is deleted before the whole command is understood.
func decodeAll(c *config.Config, inputs []input) ([]order, error) {
	decoder := event.Decoder{RequestType: c.RequestType}
	orders := make([]order, len(inputs))
	for i, in := range inputs {
		batch, err := decoder.Decode(in.payload, invocation(in.name))
		if err != nil {
			return nil, fmt.Errorf("%s: not a request, so %w: %w", in.name, errNothingDone, err)
		}
		for _, r := range batch.Requests {
			if r.Err != nil {
				return nil, fmt.Errorf("%s: not only requests, so %w: %w", in.name, errNothingDone, r.Err)
			}
		}
		if len(batch.OwnEvents) > 0 {
			return nil, fmt.Errorf("%s: an outcome event of this program is not a request, so %w", in.name, errNothingDone)
		}
		if len(batch.Requests) == 0 {
			return nil, fmt.Errorf("%s: it asks for no deletion, so %w", in.name, errNothingDone)
		}
		orders[i] = order{in.name, batch.Requests}
	}
	return orders, nil
}

// realRun is one run against a real DDS.
type realRun struct {
	config  *config.Config
	handler *handler.Handler
	service *deletion.Service
	answers *recorder
	out     io.Writer
	project string // of requests that name none

	counts                 map[verdict]int
	published, unpublished int
}

// findProject resolves the default project, so that the question can name it.
func (r *realRun) findProject(ctx context.Context) error {
	r.project = r.service.Scope.ProjectID
	if r.project != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var err error
	if r.project, err = r.service.FindProject(ctx); err != nil {
		return fmt.Errorf("HUAWEICLOUD_SDK_PROJECT_ID: not set, and the project of region %q was not found, so %w: %w",
			r.config.Region, errNothingDone, err)
	}
	return nil
}

// target returns the backup that a request names, its defaults filled in.
func (r *realRun) target(request *deletion.Request) deletion.Target {
	return deletion.Target{
		Region: cmp.Or(request.Region, r.config.Region), ProjectID: cmp.Or(request.ProjectID, r.project), BackupID: request.BackupID,
	}
}

// dryRun reports whether a request ends before the deletion.
func (r *realRun) dryRun(request *deletion.Request) bool { return r.config.DryRun || request.DryRun }

// announce says what is about to happen.
func (r *realRun) announce(ctx context.Context, orders []order) {
	var requests []*deletion.Request
	var from []string
	dry := 0
	for i := range orders {
		for j := range orders[i].requests {
			request := &orders[i].requests[j]
			requests, from = append(requests, request), append(from, orders[i].name)
			if r.dryRun(request) {
				dry++
			}
		}
	}
	if dry == len(requests) {
		fmt.Fprintln(r.out, "Dry run: nothing will be deleted. It would be:")
	} else {
		fmt.Fprintln(r.out, "About to delete FOR REAL:")
	}
	for i, found := range r.lookUp(ctx, requests) {
		t := r.target(requests[i])
		endpoint, known := r.config.Endpoints[t.Region]
		if !known {
			endpoint = "no address: the region is not in ALLOWED_REGIONS"
		}
		note := ""
		if r.dryRun(requests[i]) && dry < len(requests) {
			note = "  (dry run: this one will not be deleted)"
		}
		fmt.Fprintf(r.out, "  backup %q of project %q at %s%s\n    %s\n", t.BackupID, t.ProjectID, endpoint, note, found)
		if from[i] != t.BackupID {
			fmt.Fprintf(r.out, "    asked for by %s\n", from[i])
		}
	}
	if r.config.RequireManual {
		fmt.Fprintln(r.out, "Only a finished manual backup is deleted (REQUIRE_MANUAL, which is on unless the environment says false).")
	} else {
		fmt.Fprintln(r.out, "REQUIRE_MANUAL=false: every backup that DDS agrees to delete is deleted, whatever its type.")
	}
	fmt.Fprintf(r.out, "Outcomes are published to %s.\n", r.sinkName())
	if r.config.LedgerTable() == "" {
		fmt.Fprintln(r.out, "LEDGER=memory: this run knows nothing of earlier ones, and later ones nothing of it. A repeat asks DDS again.")
	} else {
		fmt.Fprintf(r.out, "LEDGER=%s: what is recorded there is not asked of DDS again.\n", r.config.Ledger)
	}
}

// lookUp says what the backup list of DDS shows of each request's backup.
func (r *realRun) lookUp(ctx context.Context, requests []*deletion.Request) []string {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found := make([]string, len(requests))
	var calls errgroup.Group
	calls.SetLimit(r.config.Concurrency)
	for i, request := range requests {
		calls.Go(func() error {
			b, ok, err := r.handler.Client().FindBackup(ctx, r.target(request))
			switch {
			case err != nil:
				found[i] = "not looked up: " + reason(err)
			case !ok:
				found[i] = "DDS does not list it"
			default:
				found[i] = describe(&b)
			}
			return nil
		})
	}
	_ = calls.Wait() // no call returns an error
	return found
}

// describe is a backup in one line.
func describe(b *dds.Backup) string {
	text := fmt.Sprintf("%s, %s, name %q, instance %q", cmp.Or(b.Type, "type unknown"), cmp.Or(b.Status, "status unknown"), b.Name, b.Instance)
	if b.Begin != "" {
		text += ", made " + b.Begin
	}
	if b.SizeKB > 0 {
		text += fmt.Sprintf(", %.1f MB", b.SizeKB/1024)
	}
	return text
}

// sinkName is where outcomes go. Path and query of an address are left out, since they may hold a key.
func (r *realRun) sinkName() string {
	if r.config.Sink().Kind != config.Address {
		return r.config.OutcomeSink
	}
	u, err := url.Parse(r.config.OutcomeSink)
	if err != nil {
		return "OUTCOME_SINK"
	}
	return u.Scheme + "://" + u.Host
}

// confirm asks for a yes. Anything else, the end of the input and an interrupt are a no.
func (r *realRun) confirm(ctx context.Context, in io.Reader) error {
	fmt.Fprint(r.out, "A deleted backup cannot be restored. Type yes to go on: ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case text := <-answer:
		if text == "yes" && ctx.Err() == nil {
			return nil
		}
	case <-ctx.Done():
	}
	return fmt.Errorf("the answer was not yes, so %w", errNothingDone)
}

// work works the requests of one input within the time of the deployed function, and reports on them.
func (r *realRun) work(ctx context.Context, o order) {
	fmt.Fprintf(r.out, "\n%s\n", o.name)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, outcome := range r.service.Do(ctx, o.requests) {
		r.report(&outcome)
	}
}

// report says what was deleted and, apart from that, what was published.
func (r *realRun) report(o *deletion.Outcome) {
	kind, text := r.answers.verdict(o)
	if r.dryRun(&o.Request) && o.Status == deletion.Retry && o.Err.Class == deletion.ClassUndelivered {
		kind, text = simulated, "dry run: nothing was deleted"
	}
	r.counts[kind]++
	fmt.Fprintf(r.out, "  backup %s\n    %-13s %s\n", cmp.Or(o.Request.BackupID, "without a valid id"), kind, text)
	switch {
	case o.Status != deletion.Retry:
		r.published++
		fmt.Fprintf(r.out, "    published     to %s\n", r.sinkName())
	case o.Err.Class == deletion.ClassUndelivered:
		r.unpublished++
		fmt.Fprintf(r.out, "    NOT PUBLISHED %s: %s\n", o.Err.Message, secret.Redact(o.Err.Cause))
		fmt.Fprintf(r.out, "                  %s\n", r.advice(kind, o))
	default:
		r.unpublished++
		fmt.Fprintln(r.out, "    not published there is no outcome yet; a repeat asks DDS again")
	}
	if o.LedgerFailed && o.Status != deletion.Retry {
		fmt.Fprintf(r.out, "    not recorded  LEDGER did not take the outcome; a repeat asks DDS again\n")
	}
}

// advice is what to do about an outcome that was not published.
func (r *realRun) advice(kind verdict, o *deletion.Outcome) string {
	switch recorded := r.config.LedgerTable() != "" && !o.LedgerFailed && kind != notDeleted; {
	case kind == simulated:
		return "A repeat publishes again."
	case recorded || o.Replayed:
		return "The ledger has the outcome: a repeat publishes it and does not ask DDS."
	case o.JobID != "":
		return "Keep the job id " + o.JobID + ": a repeat asks DDS again and cannot publish this job id."
	default:
		return "A repeat asks DDS again and publishes what it answers then."
	}
}

// summary counts what the run did; the error says that not everything was done.
func (r *realRun) summary() error {
	total := r.published + r.unpublished
	var parts []string
	for _, kind := range verdicts {
		if n := r.counts[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	fmt.Fprintf(r.out, "\nRequests: %d. DDS: %s. Outcomes: %d published, %d not published.\n",
		total, strings.Join(parts, ", "), r.published, r.unpublished)
	done := r.counts[accepted] + r.counts[unconfirmed] + r.counts[simulated]
	var missing []string
	if done < total {
		missing = append(missing, fmt.Sprintf("%d not deleted", total-done))
	}
	if r.unpublished > 0 {
		missing = append(missing, fmt.Sprintf("%d not published", r.unpublished))
	}
	if len(missing) > 0 {
		return fmt.Errorf("of %d requests: %s", total, strings.Join(missing, ", "))
	}
	return nil
}

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
