package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/awsapp"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
)

// errNothingDone ends a run in which DDS was not asked to delete anything.
var errNothingDone = errors.New("nothing was deleted")

// order is an input with the requests in it.
type order struct {
	name     string
	requests []deletion.Request
}

// realRun is one run against a real DDS.
type realRun struct {
	*app.App

	config  *config.Config
	answers *recorder
	out     io.Writer
	project string // of requests that name none

	counts                 map[verdict]int
	published, unpublished int
}

// runReal deletes what the inputs ask for at the DDS of the environment, after asking.
func runReal(ctx context.Context, inputs []input, yes bool, in io.Reader, out io.Writer) error {
	if strings.TrimSpace(os.Getenv("REQUIRE_MANUAL")) == "" {
		_ = os.Setenv("REQUIRE_MANUAL", "true") // as in the stack; it fails only for an impossible name
	}
	c, err := config.Load()
	if err != nil {
		return err
	}
	orders, err := decodeAll(c, inputs)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	links, err := awsLinks(ctx, c, log)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, c, log, out, links)
	if err != nil {
		return fmt.Errorf("%w: %w", errNothingDone, err)
	}
	defer a.Close()
	r := &realRun{App: a, config: c, out: out, project: c.ProjectID, counts: make(map[verdict]int)}
	r.answers = &recorder{Deleter: a.DDS, out: out, answers: make(map[deletion.Target]answer)}
	a.Service.Deleter = r.answers
	if r.project == "" { // the question names it
		looking, cancel := context.WithTimeout(ctx, timeout)
		r.project, err = a.Service.FindProject(looking)
		cancel()
		if err != nil {
			return fmt.Errorf("HUAWEICLOUD_SDK_PROJECT_ID: not set, and the project of region %q was not found, so %w: %w", c.Region, errNothingDone, err)
		}
	}
	r.announce(ctx, orders)
	if !yes {
		if err := confirm(ctx, in, out); err != nil {
			return err
		}
	}
	for _, order := range orders {
		fmt.Fprintf(out, "\n%s\n", order.name)
		working, cancel := context.WithTimeout(ctx, timeout)
		for _, outcome := range a.Service.Do(working, order.requests) {
			r.report(&outcome)
		}
		cancel()
	}
	return r.summary()
}

// awsLinks returns the links whose AWS calls are signed with the credentials that the SDK's default chain
// finds: variables, profiles, single sign-on, roles. The deployed program does not link that chain, which
// would be a fifth of it.
func awsLinks(ctx context.Context, c *config.Config, log *slog.Logger) (app.Links, error) {
	var keys aws.CredentialsProvider
	if c.NeedsAWS() {
		found, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return app.Links{}, fmt.Errorf("AWS credentials: %w", err)
		}
		keys = found.Credentials
	}
	return awsapp.Links(c, log, keys)
}

// decodeAll reads the requests of all inputs. Anything else in them is an error, so
// nothing is deleted unless every input is understood.
func decodeAll(c *config.Config, inputs []input) ([]order, error) {
	decoder := event.Decoder{RequestType: c.RequestType}
	var orders []order
	for _, in := range inputs {
		batch, err := decoder.Decode(in.payload, invocation(in.name))
		if err != nil {
			return nil, fmt.Errorf("%s: not a request, so %w: %w", in.name, errNothingDone, err)
		}
		for _, r := range batch.Requests {
			if r.Err != nil {
				return nil, fmt.Errorf("%s: not only requests, so %w: %w", in.name, errNothingDone, r.Err)
			}
		}
		switch {
		case len(batch.OwnEvents) > 0:
			return nil, fmt.Errorf("%s: an outcome event of this program is not a request, so %w", in.name, errNothingDone)
		case len(batch.Requests) == 0:
			return nil, fmt.Errorf("%s: it asks for no deletion, so %w", in.name, errNothingDone)
		}
		orders = append(orders, order{in.name, batch.Requests})
	}
	return orders, nil
}

// report says what was deleted and, apart from that, what was published.
func (r *realRun) report(o *deletion.Outcome) {
	answer := r.answers.answerTo(o, r.dryRun(&o.Request))
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
	switch recorded := r.config.Ledger.Kind != config.Memory && !o.LedgerFailed && kind != notDeleted; {
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
	var parts, missing []string
	for _, kind := range slices.Sorted(maps.Keys(r.counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", r.counts[kind], kind))
	}
	fmt.Fprintf(r.out, "\nRequests: %d. DDS: %s. Outcomes: %d published, %d not published.\n",
		total, strings.Join(parts, ", "), r.published, r.unpublished)
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
