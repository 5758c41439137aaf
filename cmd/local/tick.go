package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/logline"
)

// maxNamed is how many backups the announcement of a tick names.
const maxNamed = 20

// runTick works the agenda of the environment's ledger, after asking, until nothing is due or DDS throttles calls.
func runTick(ctx context.Context, yes bool, in io.Reader, out io.Writer) error {
	c, err := loadReal()
	if err != nil {
		return err
	}
	if !c.Ledger.Durable {
		return fmt.Errorf("LEDGER: %s has no agenda, because it ends with the process; "+
			"expected the ledger of the deployed function, for example dynamodb://dds-backup-delete", c.Ledger)
	}
	out = &lockedWriter{Writer: out} // a tick does several things at once
	r, err := newReal(ctx, c, out)
	if err != nil {
		return err
	}
	defer r.Close()
	due, err := announceTick(ctx, r, out)
	if err != nil || !due {
		return err
	}
	if !yes {
		if err := confirm(ctx, in, out); err != nil {
			return err
		}
	}
	log := &tickLog{Handler: slog.DiscardHandler, report: r.report}
	r.Service.Log = slog.New(logline.Bounded(log))
	fmt.Fprintln(out)
	var result *deletion.TickResult
	looks, published, overdue, ends := 0, 0, 0, make(map[deletion.Status]int)
	for again := true; again && ctx.Err() == nil; again = result.Again() {
		working, cancel := context.WithTimeout(ctx, timeout)
		result = r.Service.Tick(working)
		cancel()
		for i := range result.Outcomes {
			r.add(&result.Outcomes[i])
		}
		looks, published, overdue = looks+result.Looks, published+result.Published, overdue+result.Overdue
		for status, n := range result.Ends {
			ends[status] += n
		}
	}
	fmt.Fprintf(out, "\nRequests that waited: %d. DDS: %s. Backups checked: %d. Events published: %d. Ends: %s. Overdue: %d.\n",
		r.published+r.unpublished, listed(r.counts), looks, r.published+published, listed(ends), overdue)
	return tickProblem(ctx, r.unpublished, int(log.failures.Load()), result)
}

// tickProblem returns what was not done of what was due.
func tickProblem(ctx context.Context, undecided, failures int, last *deletion.TickResult) error {
	var problems []string
	if undecided > 0 {
		problems = append(problems, fmt.Sprintf("requests that still wait: %d", undecided))
	}
	if failures > 0 {
		problems = append(problems, fmt.Sprintf("failures, see above: %d", failures))
	}
	switch {
	case ctx.Err() != nil:
		problems = append(problems, "interrupted")
	case last.Throttled:
		problems = append(problems, "DDS throttles calls")
	case last.More:
		problems = append(problems, "there was not enough time for everything")
	}
	if len(problems) == 0 {
		return nil
	}
	return errors.New("not all that was due was done, and the rest stays due: " + strings.Join(problems, ", "))
}

// announceTick says what is due, and reports whether anything is.
func announceTick(ctx context.Context, r *realApp, out io.Writer) (due bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var keys [2][]deletion.Key
	for i, kind := range []deletion.Agenda{deletion.Deletions, deletion.Checks} {
		if keys[i], err = r.dueKeys(ctx, kind); err != nil {
			return false, fmt.Errorf("LEDGER: the agenda of %s could not be read, so nothing was done: %s", r.config.Ledger, reason(err))
		}
	}
	c, deletions, checks := r.config, keys[0], keys[1]
	if len(deletions)+len(checks) == 0 {
		fmt.Fprintf(out, "Nothing is due in %s.\n", c.Ledger)
		return false, nil
	}
	fmt.Fprintf(out, "About to do what is due in %s, for project %q at %s:\n", c.Ledger, r.project, c.Endpoints[c.Region])
	if len(deletions) > 0 {
		doing := "to delete FOR REAL, because requests for them wait"
		if c.DryRun || c.StopDeletions {
			doing = "not deleted although requests for them wait, because DRY_RUN or STOP_DELETIONS is set"
		}
		fmt.Fprintf(out, "  backups %s: %d\n", doing, len(deletions))
		for _, key := range deletions[:min(len(deletions), maxNamed)] {
			fmt.Fprintf(out, "    %q of project %q\n", key.BackupID, key.ProjectID)
		}
		if more := len(deletions) - maxNamed; more > 0 {
			fmt.Fprintf(out, "    and %d more\n", more)
		}
	}
	if len(checks) > 0 {
		fmt.Fprintf(out, "  backups to check, or to publish events for: %d\n", len(checks))
	}
	fmt.Fprintf(out, "Events are published to %s.\n", c.Sink)
	if c.Sink.Kind == config.Stdout {
		fmt.Fprintln(out, "OUTCOME_SINK=stdout: an event that is printed here counts as published, so its consumers never get it.")
	}
	return true, nil
}

// dueKeys returns all backups for which something of a kind is due now.
func (r *realApp) dueKeys(ctx context.Context, kind deletion.Agenda) (all []deletion.Key, err error) {
	for cursor := ""; ; {
		var keys []deletion.Key
		if keys, cursor, err = r.Service.Ledger.Due(ctx, kind, time.Now(), 100, cursor); err != nil {
			return nil, err
		}
		if all = append(all, keys...); cursor == "" {
			return all, nil
		}
	}
}

// tickLog is a [slog.Handler] that shows what a tick logs and does not return: the events that the ledger owed, and
// what failed.
type tickLog struct {
	slog.Handler // without output

	report   *report
	failures atomic.Int64
}

// Enabled implements [slog.Handler].
func (l *tickLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (l *tickLog) Handle(_ context.Context, line slog.Record) error {
	attrs := make(map[string]string)
	line.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.String()
		return true
	})
	var text string
	switch {
	case line.Message == "published":
		text = attrs["error"]
		if job := attrs["job_id"]; job != "" {
			text = strings.TrimSuffix("job "+job+": "+text, ": ")
		}
		text = fmt.Sprintf("%-13s %s\n    published     to %s", attrs["status"], text, l.report.config.Sink)
	case line.Message == "outcome", line.Level < slog.LevelWarn: // the report has it
		return nil
	case line.Message == "closed without an end": // what happened, and no failure of this tick
		text = line.Message
	default:
		l.failures.Add(1)
		text = line.Message
		if step := attrs["step"]; step != "" {
			text += " (" + step + ")"
		}
		text += ": " + attrs["error"]
	}
	if id := attrs["backup_id"]; id != "" {
		text = "backup " + id + "\n    " + text
	}
	_, err := fmt.Fprintf(l.report.out, "  %s\n", text)
	return err
}

// lockedWriter is a writer for many goroutines.
type lockedWriter struct {
	io.Writer

	mu sync.Mutex
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Writer.Write(p)
}
