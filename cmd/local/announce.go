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
	for _, order := range orders {
		for i := range order.requests {
			request := &order.requests[i]
			requests, from = append(requests, request), append(from, order.name)
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
	fmt.Fprintf(r.out, "Outcomes are published to %s.\n", r.config.Sink)
	if r.config.Ledger.Kind == config.Memory {
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
			b, ok, err := r.DDS.FindBackup(ctx, r.target(request))
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
