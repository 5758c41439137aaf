package ddstest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listedBackup is a backup in the list.
type listedBackup struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	InstanceID   string    `json:"instance_id"`
	InstanceName string    `json:"instance_name"`
	Datastore    datastore `json:"datastore"`
	Type         string    `json:"type"`
	BeginTime    string    `json:"begin_time"`
	EndTime      string    `json:"end_time"`
	Status       string    `json:"status"`
	Size         int64     `json:"size"` // KB
	Description  string    `json:"description"`
	Restoring    bool      `json:"is_instance_restoring"`
	Deletable    bool      `json:"deletable"`
}

type datastore struct {
	Type    string `json:"type"`
	Version string `json:"version"`
}

func newListedBackup(b Backup) listedBackup {
	return listedBackup{
		ID: b.ID, Name: b.Name, InstanceID: b.InstanceID, InstanceName: b.InstanceName,
		Datastore: datastore{"DDS-Community", b.Version},
		Type:      b.Type,
		BeginTime: b.Begin.UTC().Format(time.RFC3339), EndTime: b.End.UTC().Format(time.RFC3339),
		Status: b.Status, Size: b.SizeKB, Description: b.Description,
		Restoring: b.Restoring,
		Deletable: b.manual(), // others while no policy protects them, and here one always does
	}
}

// listBackups lists backups, newest first. A backup_id that is not there gives an empty list,
// as in cn-north-4; other regions answer DBS.201214.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0026.html
func (s *Server) listBackups(r *request) *answer {
	if s.mayNotList {
		return refuse(http.StatusForbidden, "DBS.280063", "Policy does not allow dds:backup:list to be performed.")
	}
	if refusal := only(r.query, "instance_id", "backup_id", "backup_type", "offset", "limit"); refusal != nil {
		return refusal
	}
	kind := r.query.Get("backup_type")
	switch strings.ToLower(kind) {
	case "", "auto", "manual":
	case "incremental":
		if r.query.Get("instance_id") == "" {
			return invalid("instance_id is required for backup_type Incremental")
		}
	default:
		return invalid("backup_type")
	}
	var found []listedBackup
	for _, b := range s.store.list() {
		if (kind == "" || strings.EqualFold(kind, b.Type)) &&
			matches(r.query, "instance_id", b.InstanceID) && matches(r.query, "backup_id", b.ID) {
			found = append(found, newListedBackup(b))
		}
	}
	slices.Reverse(found) // of those of one second, the last added is the newest
	slices.SortStableFunc(found, func(a, b listedBackup) int { return strings.Compare(b.BeginTime, a.BeginTime) })
	page, refusal := pageOf(r.query, found)
	if refusal != nil {
		return refusal
	}
	return succeed(http.StatusOK, struct {
		Backups    []listedBackup `json:"backups"`
		TotalCount int            `json:"total_count"`
	}{page, len(found)})
}

// matches tells whether a filter lets a value pass. An absent filter does.
func matches(query url.Values, filter, value string) bool {
	return query.Get(filter) == "" || query.Get(filter) == value
}

// pageOf cuts a list by offset (0) and limit (1 to 100, 100), and never to nil, which would
// be null in JSON.
func pageOf[T any](query url.Values, list []T) ([]T, *answer) {
	offset, limit := 0, 100
	for name, p := range map[string]*int{"offset": &offset, "limit": &limit} {
		if query.Has(name) {
			n, err := strconv.Atoi(query.Get(name))
			if err != nil {
				return nil, invalid(name)
			}
			*p = n
		}
	}
	if offset < 0 {
		return nil, invalid("offset")
	}
	if limit < 1 || limit > 100 {
		return nil, invalid("limit")
	}
	from := min(offset, len(list))
	return append([]T{}, list[from:min(from+limit, len(list))]...), nil
}

// only refuses parameters that are not simulated, which is better than to ignore them.
func only(query url.Values, names ...string) *answer {
	for name := range query {
		if !slices.Contains(names, name) {
			return invalid(name + " is not simulated")
		}
	}
	return nil
}

func invalid(what string) *answer {
	return refuse(http.StatusBadRequest, "DBS.280001", "Parameter error: "+what+".")
}
