package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
)

// dryRun reports whether a request ends before the deletion.
func (r *realRun) dryRun(request *deletion.Request) bool { return r.config.DryRun || request.DryRun }

// announce says what is about to happen.
func (r *realRun) announce(ctx context.Context, orders []order) {
	var all []announced
	dry := 0
	for _, order := range orders {
		for i := range order.requests {
			request := &order.requests[i]
			target := request.Target()
			target.Region, target.ProjectID = cmp.Or(target.Region, r.config.Region), cmp.Or(target.ProjectID, r.project)
			all = append(all, announced{Target: target, from: order.name, dryRun: r.dryRun(request)})
			if r.dryRun(request) {
				dry++
			}
		}
	}
	r.lookUp(ctx, all)
	if dry == len(all) {
		fmt.Fprintln(r.out, "Dry run: nothing will be deleted. It would be:")
	} else {
		fmt.Fprintln(r.out, "About to delete FOR REAL:")
	}
	for _, b := range all {
		endpoint := cmp.Or(r.config.Endpoints[b.Region], "no address: the region is not in ALLOWED_REGIONS")
		if b.dryRun && dry < len(all) {
			endpoint += "  (dry run: this one will not be deleted)"
		}
		fmt.Fprintf(r.out, "  backup %q of project %q at %s\n    %s\n", b.BackupID, b.ProjectID, endpoint, b.found)
		if b.from != b.BackupID {
			fmt.Fprintf(r.out, "    asked for by %s\n", b.from)
		}
	}
	if r.config.RequireManual {
		fmt.Fprintln(r.out, "Only a finished manual backup is deleted (REQUIRE_MANUAL, which is on unless the environment says false).")
	} else {
		fmt.Fprintln(r.out, "REQUIRE_MANUAL=false: every backup that DDS agrees to delete is deleted, whatever its type.")
	}
	fmt.Fprintf(r.out, "Outcomes are published to %s.\n", r.config.Sink)
	if r.config.Ledger.Kind == config.Memory {
		fmt.Fprintln(r.out, "LEDGER=memory: this run knows nothing of earlier ones, and later ones nothing of it. A repeat asks DDS again.")
	} else {
		fmt.Fprintf(r.out, "LEDGER=%s: what is recorded there is not asked of DDS again.\n", r.config.Ledger)
	}
}

// announced is a backup in the announcement.
type announced struct {
	deletion.Target

	from   string // the input with the request
	dryRun bool
	found  string // what the backup list of DDS shows
}

// lookUp finds the backups in the backup list of DDS.
func (r *realRun) lookUp(ctx context.Context, all []announced) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var calls errgroup.Group
	calls.SetLimit(r.config.Concurrency)
	for i := range all {
		calls.Go(func() error {
			b, listed, err := r.DDS.FindBackup(ctx, all[i].Target)
			switch {
			case err != nil:
				all[i].found = "not looked up: " + reason(err)
			case !listed:
				all[i].found = "DDS does not list it"
			default:
				all[i].found = describe(&b)
			}
			return nil
		})
	}
	_ = calls.Wait() // no call returns an error
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

// confirm asks for a yes. Anything else, the end of the input and an interrupt are a no.
func confirm(ctx context.Context, in io.Reader, out io.Writer) error {
	fmt.Fprint(out, "A deleted backup cannot be restored. Type yes to go on: ")
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
