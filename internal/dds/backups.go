package dds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// LookUp implements [deletion.Backups]. It needs the permission dds:backup:list. Its error has no MaybeSent.
//
// A backup is absent only if the list is complete without it, or if the list answers one of the two codes that
// some regions have in place of an empty list. Any other code that means "not found" may be about the
// project or the instance. It is no verdict on the backup, so its class is unknown.
func (c *Client) LookUp(ctx context.Context, t deletion.Target) (deletion.Sight, error) {
	page, err := c.listPage(ctx, t, url.Values{"backup_id": {t.BackupID}})
	e, failed := errors.AsType[*deletion.Error](err)
	if failed && e.Class == deletion.ClassNotFound {
		if e.Code == "DBS.201214" || e.Code == "DBS.201502" {
			return deletion.Sight{}, nil
		}
		e.Class = deletion.ClassUnknown
	}
	if err != nil {
		return deletion.Sight{}, err
	}
	for _, b := range page.backups {
		if b.ID == t.BackupID {
			return b.Sight, nil
		}
	}
	if !page.isAll() { // the filter was ignored, or a part cannot be read
		return deletion.Sight{}, unreadable(page.answer)
	}
	return deletion.Sight{}, nil
}

// List implements [deletion.Backups] with the first 100 backups of the list, which is newest first. It needs the
// permission dds:backup:list. What cannot be read is left out. Its error has no MaybeSent.
func (c *Client) List(ctx context.Context, region, projectID string) (map[string]deletion.Sight, error) {
	page, err := c.listPage(ctx, deletion.Target{Region: region, ProjectID: projectID}, url.Values{"limit": {"100"}})
	if err != nil {
		return nil, err
	}
	sights := make(map[string]deletion.Sight, len(page.backups))
	for _, b := range page.backups {
		sights[b.ID] = b.Sight
	}
	return sights, nil
}

// ListedBackup is a backup of the backup list.
type ListedBackup struct {
	ID string
	deletion.Sight
}

// ManualBackups returns all manual backups of a project, newest first, and how many entries of the list could not be
// read: those without an id that can be shown, and those that the list counts but has on no page. It needs the permission
// dds:backup:list. The list is read page by page, so a backup that is made or deleted meanwhile may be missing.
func (c *Client) ManualBackups(ctx context.Context, region, projectID string) (all []ListedBackup, unreadable int, err error) {
	seen := make(map[string]bool)
	for offset, total := 0, math.MaxInt; ; {
		page, err := c.listPage(ctx, deletion.Target{Region: region, ProjectID: projectID},
			url.Values{"backup_type": {"Manual"}, "limit": {"100"}, "offset": {strconv.Itoa(offset)}})
		if err != nil {
			return nil, 0, err
		}
		added := 0
		for _, b := range page.backups {
			if !seen[b.ID] { // a backup made meanwhile moves the others to later pages
				seen[b.ID] = true
				added++
				switch {
				case printable(b.ID) != b.ID:
					unreadable++
				case strings.EqualFold(b.Backup.Type, "manual"):
					all = append(all, b)
				}
			}
		}
		unreadable += page.entries - len(page.backups)
		offset += page.entries
		if page.total >= 0 {
			total = min(total, page.total) // what is made or deleted meanwhile is not counted
		}
		if page.total >= 0 && offset >= page.total || added == 0 { // a list that ignores the offset would never end
			if total < math.MaxInt {
				unreadable = max(unreadable, total-len(seen))
			}
			return all, unreadable, nil
		}
	}
}

// listedPage is a page of the backup list.
type listedPage struct {
	backups []ListedBackup // that can be read
	entries int            // all of them
	total   int            // on all pages; -1 if the answer does not say
	answer  *response
}

// isAll reports whether the first page has all backups that the query asked for. Without a total, only an empty list
// is known to be all.
func (p *listedPage) isAll() bool {
	return len(p.backups) == p.entries && (p.total >= 0 && p.total <= p.entries || p.total < 0 && p.entries == 0)
}

// listPage reads a page of the backup list.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0029.html
func (c *Client) listPage(ctx context.Context, t deletion.Target, query url.Values) (*listedPage, error) {
	request, err := c.newProjectCall(ctx, http.MethodGet, t.Region, t.ProjectID, query, "backups")
	if err != nil {
		return nil, err
	}
	var body struct {
		Backups *[]json.RawMessage `json:"backups"`
		Total   text               `json:"total_count"`
	}
	resp, err := c.read(request, "dds:backup:list", &body)
	if err != nil {
		return nil, err
	}
	if body.Backups == nil {
		return nil, unreadable(resp)
	}
	page := &listedPage{entries: len(*body.Backups), total: -1, answer: resp}
	if body.Total != "" {
		if page.total, err = strconv.Atoi(string(body.Total)); err != nil {
			page.total = math.MaxInt // no page is known to be the last
		}
	}
	for _, raw := range *body.Backups {
		var b listedBackup
		if json.Unmarshal(raw, &b) == nil && b.ID != "" {
			page.backups = append(page.backups, ListedBackup{b.ID, b.sight()})
		}
	}
	return page, nil
}

// listedBackup is a backup in the JSON of the backup list. The documentation is inconsistent about the
// letter case of type and status, and about the word for being deleted.
type listedBackup struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Status string `json:"status"`

	// DDS itself refuses to delete a backup that a restore is using, and the others are only shown to people.
	// So an unexpected type must not make the backup unreadable.
	Restoring    json.RawMessage `json:"is_instance_restoring"`
	Name         text            `json:"name"`
	InstanceID   text            `json:"instance_id"`
	InstanceName text            `json:"instance_name"`
	Begin        text            `json:"begin_time"`
	End          text            `json:"end_time"`
	Size         text            `json:"size"`
}

// sight returns what the list shows of b.
func (b *listedBackup) sight() deletion.Sight {
	size, err := strconv.ParseFloat(string(b.Size), 64)
	if err != nil || !(size >= 0 && size <= math.MaxFloat64) { // not a number is neither
		size = 0
	}
	s := deletion.Sight{
		Backup: &deletion.Backup{
			Name: printable(string(b.Name)), Type: printable(b.Type), Status: printable(b.Status),
			InstanceID: printable(string(b.InstanceID)), InstanceName: printable(string(b.InstanceName)),
			Begin: printable(string(b.Begin)), End: printable(string(b.End)), SizeKB: size,
		},
		Deleting: strings.EqualFold(b.Status, "DISABLED") || strings.EqualFold(b.Status, "DELETING"),
	}
	if !s.Deleting {
		s.Refusal = b.refusal()
	}
	return s
}

// refusal returns why b must not be deleted, nil if it is a finished manual backup.
func (b *listedBackup) refusal() *deletion.Error {
	refuse := func(class deletion.Class, problem string) *deletion.Error {
		return &deletion.Error{Class: class, Message: "REQUIRE_MANUAL: " + problem}
	}
	switch {
	case !strings.EqualFold(b.Type, "manual"):
		return refuse(deletion.ClassInvalid, fmt.Sprintf("the backup is of type %q, want Manual", printable(b.Type)))
	case strings.EqualFold(strings.Trim(string(b.Restoring), `"`), "true"):
		return refuse(deletion.ClassConflict, "the instance of the backup is being restored")
	case !strings.EqualFold(b.Status, "COMPLETED") && !strings.EqualFold(b.Status, "FAILED"):
		return refuse(deletion.ClassConflict, fmt.Sprintf("the backup is %q, want COMPLETED or FAILED", printable(b.Status)))
	default:
		return nil
	}
}
