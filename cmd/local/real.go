package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"golang.org/x/sync/errgroup"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/awsapp"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/ledger/valkey"
	"dds-backup-delete/internal/sink"
)

// errNothingDone ends a run in which DDS was not asked to delete anything.
var errNothingDone = errors.New("nothing was deleted")

// order is an input with the requests in it.
type order struct {
	name     string
	requests []deletion.Request
}

// loadReal loads the configuration of the environment.
func loadReal() (*config.Config, error) {
	if strings.TrimSpace(os.Getenv("REQUIRE_MANUAL")) == "" {
		_ = os.Setenv("REQUIRE_MANUAL", "true") // as in the stack; it fails only for an impossible name
	}
	c, err := config.Load()
	if err != nil {
		err = fmt.Errorf("%w\nThe variables come from the environment; docs/laptop.md says where to find their values", err)
	}
	return c, err
}

// realApp is the app of the environment, with a report of what it does.
type realApp struct {
	*app.App
	*report

	project string // the default one
}

// newReal wires the app of the environment.
func newReal(ctx context.Context, c *config.Config, out io.Writer) (*realApp, error) {
	log := slog.New(slog.DiscardHandler)
	links, err := linksOf(ctx, c, log)
	if err != nil {
		return nil, err
	}
	a, err := app.New(ctx, c, log, out, links)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNothingDone, err)
	}
	r := &report{Backups: a.DDS, config: c, out: out, counts: make(map[verdict]int), answers: make(map[deletion.Target]answer)}
	a.Service.Backups = r
	project := c.ProjectID
	if project == "" { // the question names it
		looking, cancel := context.WithTimeout(ctx, timeout)
		project, err = a.Service.FindProject(looking)
		cancel()
		if err != nil {
			a.Close()
			return nil, fmt.Errorf("HUAWEICLOUD_SDK_PROJECT_ID: not set, and the project of region %q was not found, so %w: %w", c.Region, errNothingDone, err)
		}
	}
	return &realApp{a, r, project}, nil
}

// runReal deletes what the inputs ask for at the DDS of the environment, after asking.
func runReal(ctx context.Context, inputs []input, yes bool, in io.Reader, out io.Writer) error {
	c, err := loadReal()
	if err != nil {
		return err
	}
	orders, err := decodeAll(c, inputs)
	if err != nil {
		return err
	}
	r, err := newReal(ctx, c, out)
	if err != nil {
		return err
	}
	defer r.Close()
	dry, err := announce(ctx, r.DDS, c, r.project, orders, out)
	if err != nil {
		return err
	}
	if !yes && !dry {
		if err := confirm(ctx, in, out); err != nil {
			return err
		}
	}
	for _, order := range orders {
		fmt.Fprintf(out, "\n%s\n", order.name)
		working, cancel := context.WithTimeout(ctx, timeout)
		for _, outcome := range r.Service.Do(working, order.requests) {
			r.add(&outcome)
		}
		cancel()
	}
	return r.summary()
}

// linksOf returns the links to AWS, SMN and Valkey. AWS calls are signed with the credentials that the SDK's default
// chain finds: variables, profiles, single sign-on, roles. The deployed program does not link that chain, which
// would be a fifth of it.
func linksOf(ctx context.Context, c *config.Config, log *slog.Logger) (app.Links, error) {
	var keys aws.CredentialsProvider
	if c.NeedsAWS() {
		found, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return app.Links{}, fmt.Errorf("AWS credentials: %w", err)
		}
		keys = found.Credentials
	}
	links, err := awsapp.Links(c, log, keys)
	if err == nil {
		links.SMN = sink.NewSMN
		links.Ledgers[config.Valkey] = func(l *config.Ledger) (deletion.Ledger, error) { //nolint:contextcheck // it bounds its start itself
			return valkey.New(&l.Server, log, nil)
		}
	}
	return links, err
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
		case batch.Tick:
			return nil, fmt.Errorf("%s: a tick is not a request, so %w; -tick does what is due", in.name, errNothingDone)
		case len(batch.Requests) == 0:
			return nil, fmt.Errorf("%s: requests no deletion, so %w", in.name, errNothingDone)
		}
		orders = append(orders, order{in.name, batch.Requests})
	}
	return orders, nil
}

// warn shows the values of the environment that are probably wrong.
func warn(c *config.Config, out io.Writer) {
	for _, warning := range c.Warnings {
		fmt.Fprintf(out, "Warning: %s\n", warning)
	}
}

// announce says what is about to happen, and whether all of it is a dry run. It is an error if no backup can be looked
// up, because then none would be deleted.
func announce(ctx context.Context, client *dds.Client, c *config.Config, project string, orders []order, out io.Writer) (allDry bool, err error) {
	warn(c, out)
	var all []announced
	dry := 0
	for _, order := range orders {
		for i := range order.requests {
			request := &order.requests[i]
			target := request.Target()
			target.Region, target.ProjectID = cmp.Or(target.Region, c.Region), cmp.Or(target.ProjectID, project)
			all = append(all, announced{Target: target, from: order.name, dryRun: isDryRun(c, request)})
			if isDryRun(c, request) {
				dry++
			}
		}
	}
	lookUp(ctx, client, c.Concurrency, all)
	if c.RequireManual && !slices.ContainsFunc(all, func(b announced) bool { return !b.outOfReach }) {
		return false, fmt.Errorf("backup %q was %s, so %w; -real -check says what is wrong", all[0].BackupID, all[0].found, errNothingDone)
	}
	if dry == len(all) {
		fmt.Fprintln(out, "Dry run: nothing will be deleted. It would be:")
	} else {
		fmt.Fprintln(out, "About to delete FOR REAL:")
	}
	for _, b := range all {
		endpoint := cmp.Or(c.Endpoints[b.Region], "no address: the region is not in ALLOWED_REGIONS")
		if b.dryRun && dry < len(all) {
			endpoint += "  (dry run: this one will not be deleted)"
		}
		fmt.Fprintf(out, "  backup %q of project %q at %s\n    %s\n", b.BackupID, b.ProjectID, endpoint, b.found)
		if b.from != b.BackupID {
			fmt.Fprintf(out, "    requested by %s\n", b.from)
		}
	}
	if c.RequireManual {
		fmt.Fprintln(out, "Only a finished manual backup is deleted (REQUIRE_MANUAL, which is on unless the environment says false).")
	} else {
		fmt.Fprintln(out, "REQUIRE_MANUAL=false: every backup that DDS agrees to delete is deleted, whatever its type.")
	}
	fmt.Fprintf(out, "Outcomes are published to %s.\n", c.Sink)
	if c.Ledger.Kind == config.Memory {
		fmt.Fprintln(out, "LEDGER=memory: nothing is remembered from one run to the next. A repeat asks DDS again.")
	} else {
		fmt.Fprintf(out, "LEDGER=%s: DDS is not asked again about outcomes that are recorded there.\n", c.Ledger)
	}
	return dry == len(all), nil
}

// announced is a backup in the announcement.
type announced struct {
	deletion.Target

	from       string // the input with the request
	dryRun     bool
	found      string // what the backup list of DDS shows
	outOfReach bool   // DDS did not answer, or refused the key
}

// lookUp finds the backups in the backup list of DDS.
func lookUp(ctx context.Context, client *dds.Client, atOnce int, all []announced) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var calls errgroup.Group
	calls.SetLimit(atOnce)
	for i := range all {
		calls.Go(func() error {
			sight, err := client.LookUp(ctx, all[i].Target)
			switch {
			case err != nil:
				all[i].found = "not looked up: " + reason(err)
				e, _ := errors.AsType[*deletion.Error](err)
				all[i].outOfReach = e != nil && (e.Class == deletion.ClassUnavailable || e.Class == deletion.ClassUnauthenticated)
			case sight.Backup == nil:
				all[i].found = "DDS does not list it"
			default:
				all[i].found = describe(sight.Backup)
			}
			return nil
		})
	}
	_ = calls.Wait() // no call returns an error
}

// describe is a backup in one line.
func describe(b *deletion.Backup) string {
	text := fmt.Sprintf("%s, %s, name %q, instance %q", cmp.Or(b.Type, "type unknown"), cmp.Or(b.Status, "status unknown"), b.Name, b.InstanceName)
	if b.Begin != "" {
		text += ", made " + b.Begin
	}
	if b.SizeKB > 0 {
		text += fmt.Sprintf(", %.1f MB", b.SizeKB/1024)
	}
	return text
}

// confirm asks for a yes. Anything else, the end of the input and an interrupt are a no.
func confirm(ctx context.Context, in io.Reader, out io.Writer) error {
	fmt.Fprint(out, "A deleted backup cannot be restored. Type yes to continue: ")
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
