package ddstest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listedBackup is a backup in the list.
type listedBackup struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	InstanceID     string    `json:"instance_id"`
	InstanceName   string    `json:"instance_name"`
	Datastore      datastore `json:"datastore"`
	Type           string    `json:"type"`
	BeginTime      string    `json:"begin_time"`
	EndTime        string    `json:"end_time"`
	Status         string    `json:"status"`
	Size           int64     `json:"size"` // KB
	Description    string    `json:"description"`
	InstanceStatus string    `json:"instance_status"`
	InstanceMode   string    `json:"instance_mode"`
	Restoring      bool      `json:"is_instance_restoring"`
	BackupMethod   string    `json:"backup_method"`
	KMSEnable      bool      `json:"kms_enable"`
	Deletable      bool      `json:"deletable"`
}

type datastore struct {
	Type    string `json:"type"`
	Version string `json:"version"`
}

// backupTimeLayout is that of the times of backups and of the filters for them, in UTC.
const backupTimeLayout = "2006-01-02 15:04:05"

func newListedBackup(b Backup) listedBackup {
	listed := listedBackup{
		ID: b.ID, Name: b.Name, InstanceID: b.InstanceID, InstanceName: b.InstanceName,
		Datastore: datastore{"DDS-Community", b.Version},
		Type:      b.Type,
		BeginTime: b.Begin.UTC().Format(backupTimeLayout), EndTime: b.End.UTC().Format(backupTimeLayout),
		Status: b.Status, Size: b.SizeKB, Description: b.Description,
		InstanceStatus: "normal", InstanceMode: b.Mode,
		Restoring:    b.Restoring,
		BackupMethod: "Physical",
		Deletable:    b.manual(), // others while no policy protects them, and here one always does
	}
	if b.incremental() {
		listed.BackupMethod = "Incremental"
	}
	return listed
}

// listBackups lists backups, newest first. A backup_id that is not there gives an empty list,
// as in cn-north-4; other regions answer DBS.201214. Incremental backups are listed only for an
// instance, and without a type only when their id is given as well (the latter is inferred).
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0029.html
func (s *Server) listBackups(r *request) *answer {
	if s.mayNotList {
		return refuse(http.StatusForbidden, "DBS.280063", "Policy does not allow dds:backup:list to be performed.")
	}
	shown, refusal := backupFilter(r.query)
	if refusal != nil {
		return refusal
	}
	var found []listedBackup
	for _, b := range s.store.list() {
		if shown(b) {
			found = append(found, newListedBackup(b))
		}
	}
	slices.Reverse(found) // of those of one second, the last added is the newest
	slices.SortStableFunc(found, func(a, b listedBackup) int { return strings.Compare(b.BeginTime, a.BeginTime) })
	page, refusal := pageOf(r.query, found)
	if refusal != nil {
		return refusal
	}
	return succeed(struct {
		Backups    []listedBackup `json:"backups"`
		TotalCount int            `json:"total_count"`
	}{page, len(found)})
}

// backupFilter returns what tells the backups that a query asks for, or the refusal of the query.
func backupFilter(query url.Values) (shown func(Backup) bool, refusal *answer) {
	if refusal := only(query, "instance_id", "backup_id", "backup_type", "offset", "limit", "begin_time", "end_time", "mode"); refusal != nil {
		return nil, refusal
	}
	if !instanceID.MatchString(query.Get("instance_id")) {
		return nil, refuse(http.StatusBadRequest, "DBS.280404", "Invalid DB instance ID.")
	}
	kind := strings.ToLower(query.Get("backup_type"))
	if !slices.Contains([]string{"", "auto", "manual", "incremental"}, kind) {
		return nil, invalid("backup_type")
	}
	if kind == "incremental" && query.Get("instance_id") == "" {
		return nil, invalid("instance_id is required for backup_type Incremental")
	}
	if !slices.Contains([]string{"", "Sharding", "ReplicaSet", "Single"}, query.Get("mode")) {
		return nil, invalid("mode")
	}
	begin, end, refusal := timesOf(query)
	if refusal != nil {
		return nil, refusal
	}
	return func(b Backup) bool {
		return ofKind(query, kind, b) &&
			matches(query, "instance_id", b.InstanceID) && matches(query, "backup_id", b.ID) && matches(query, "mode", b.Mode) &&
			(begin.IsZero() || !b.Begin.Before(begin) && !b.Begin.After(end))
	}, nil
}

// instanceID is what can be the id of an instance, or none.
var instanceID = regexp.MustCompile(`^[\w-]{0,64}$`)

// ofKind tells whether a query for a kind of backups, in lower case, may show b.
func ofKind(query url.Values, kind string, b Backup) bool {
	if kind != "" {
		return strings.EqualFold(kind, b.Type)
	}
	return !b.incremental() || query.Get("instance_id") != "" && query.Get("backup_id") != ""
}

// timesOf reads begin_time and end_time, which come together or not at all. Which code goes with which
// of them is inferred.
func timesOf(query url.Values) (begin, end time.Time, refusal *answer) {
	if !query.Has("begin_time") && !query.Has("end_time") {
		return begin, end, nil
	}
	begin, err := time.Parse(backupTimeLayout, query.Get("begin_time"))
	if err != nil {
		return begin, end, refuse(http.StatusBadRequest, "DBS.280067", "Invalid start time.")
	}
	end, err = time.Parse(backupTimeLayout, query.Get("end_time"))
	if err != nil || end.Before(begin) {
		return begin, end, refuse(http.StatusBadRequest, "DBS.280068", "Invalid end time.")
	}
	return begin, end, nil
}

// matches tells whether a filter lets a value pass. An absent filter does.
func matches(query url.Values, filter, value string) bool {
	return query.Get(filter) == "" || query.Get(filter) == value
}

// pageOf cuts a list by offset (0) and limit (1 to 100, 100), and never to nil, which would
// be null in JSON.
func pageOf[T any](query url.Values, list []T) ([]T, *answer) {
	limit, ok := number(query, "limit", 100)
	if !ok || limit < 1 || limit > 100 {
		return nil, refuse(http.StatusBadRequest, "DBS.280439", "Invalid query limit.")
	}
	offset, ok := number(query, "offset", 0)
	if !ok || offset < 0 {
		return nil, refuse(http.StatusBadRequest, "DBS.280440", "Invalid offset.")
	}
	from := min(offset, len(list))
	return append([]T{}, list[from:min(from+limit, len(list))]...), nil
}

// number reads a parameter that is a number; absent is what it is where the query has none.
func number(query url.Values, name string, absent int) (n int, ok bool) {
	if !query.Has(name) {
		return absent, true
	}
	n, err := strconv.Atoi(query.Get(name))
	return n, err == nil
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
