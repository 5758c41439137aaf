package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
)

// listedJSON is a backup in the output of -list -json.
type listedJSON struct {
	ID        string `json:"id"`
	Region    string `json:"region"`
	ProjectID string `json:"project_id"`
	deletion.Backup
	// Deletable says that a request to delete the backup would be sent to DDS; if not, Reason says why.
	Deletable bool   `json:"deletable"`
	Reason    string `json:"reason,omitempty"`
}

// runList shows the manual backups of the project that the environment names. It changes nothing.
func runList(ctx context.Context, asJSON bool, out io.Writer) error {
	c, err := loadReal()
	if err != nil {
		return err
	}
	// A list needs neither of them, so their faults do not matter.
	c.Ledger, c.Sink = config.Ledger{Kind: config.Memory}, config.Sink{Kind: config.Stdout}
	r, err := newReal(ctx, c, out)
	if err != nil {
		return err
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	all, unreadable, err := r.DDS.ManualBackups(ctx, c.Region, r.project)
	if err != nil {
		return fmt.Errorf("the backup list of project %q at %s could not be read: %s; -real -check says what is wrong", r.project, c.Endpoints[c.Region], reason(err))
	}
	if asJSON {
		err = writeJSON(out, c.Region, r.project, all)
	} else {
		warn(c, out)
		err = writeTable(out, all, time.Now())
		total := 0.0
		for i := range all {
			total += all[i].Backup.SizeKB
		}
		summary := fmt.Sprintf("%d, together %s.", len(all), sizeText(total))
		if len(all) == 0 {
			summary = "none; are project and region those of your instances?"
		}
		fmt.Fprintf(out, "\nManual backups of project %q at %s: %s\n", r.project, c.Endpoints[c.Region], summary)
	}
	if err == nil && unreadable > 0 {
		err = fmt.Errorf("the backup list has entries that could not be read and are not shown: %d", unreadable)
	}
	return err
}

func writeJSON(out io.Writer, region, project string, all []dds.ListedBackup) error {
	list := make([]listedJSON, len(all)) // an empty list, not null
	for i, b := range all {
		list[i] = listedJSON{ID: b.ID, Region: region, ProjectID: project, Backup: *b.Backup, Deletable: b.Refusal == nil && !b.Deleting}
		switch {
		case b.Deleting:
			list[i].Reason = "it is being deleted"
		case b.Refusal != nil:
			list[i].Reason = reason(b.Refusal)
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(list)
}

func writeTable(out io.Writer, all []dds.ListedBackup, now time.Time) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BACKUP ID\tINSTANCE\tAGE\tSIZE\tSTATE\tNAME")
	for _, b := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", b.ID, cmp.Or(b.Backup.InstanceName, b.Backup.InstanceID, "?"),
			ageText(b.Backup.Begin, now), sizeText(b.Backup.SizeKB), cmp.Or(b.Backup.Status, "?"), b.Backup.Name)
	}
	return table.Flush()
}

// ageText is how long ago a time of the backup list was: days, or hours on the first day. The list has times in UTC;
// its pages show two forms.
func ageText(begin string, now time.Time) string {
	for _, layout := range []string{time.DateTime, time.RFC3339, "2006-01-02T15:04:05Z0700"} {
		if made, err := time.Parse(layout, begin); err == nil {
			hours := int(math.Max(0, now.Sub(made).Hours()))
			if hours < 24 {
				return fmt.Sprintf("%d h", hours)
			}
			return fmt.Sprintf("%d d", hours/24)
		}
	}
	return "?"
}

// sizeText is a size in KB for a person.
func sizeText(kb float64) string {
	switch {
	case kb <= 0:
		return "?"
	case kb < 1<<20:
		return fmt.Sprintf("%.1f MB", kb/(1<<10))
	default:
		return fmt.Sprintf("%.1f GB", kb/(1<<20))
	}
}
