package ddstest

import (
	"net/http"
	"regexp"
	"slices"
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

// backupTimeLayout is the form of the times of backups, and of the filters for them, in UTC.
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
		Deletable:    b.is("Manual"), // others while no policy protects them, and here one always does
	}
	if b.is("Incremental") {
		listed.BackupMethod = "Incremental"
	}
	return listed
}

// instanceID is what can be the id of an instance, or none.
var instanceID = regexp.MustCompile(`^[\w-]{0,64}$`)

// listBackups lists backups, newest first. A backup_id that is not there gives an empty list, as in
// cn-north-4, or the code of [Options], as in other regions. Incremental backups are listed only for an
// instance, and without a type only when their id is given as well (the latter is inferred).
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0029.html
func (s *store) listBackups(r *request) *answer {
	if s.mayNotList {
		return refuse(http.StatusForbidden, "DBS.280063", "Policy does not allow dds:backup:list to be performed.")
	}
	refusal := checkFilter(r)
	var begin, end time.Time
	if refusal == nil && (r.query.Has("begin_time") || r.query.Has("end_time")) {
		begin, end, refusal = r.span("begin_time", "end_time", backupTimeLayout)
	}
	if refusal != nil {
		return refusal
	}
	var found []listedBackup
	for _, b := range slices.Backward(s.Backups()) { // of those of one second, the last added is the newest
		if shown(r, b) && (begin.IsZero() || !b.Begin.Before(begin) && !b.Begin.After(end)) {
			found = append(found, newListedBackup(b))
		}
	}
	if len(found) == 0 && r.backupID != "" && s.absentCode != "" {
		return refuse(http.StatusBadRequest, s.absentCode, "The backup file does not exist or does not belong to the instance.")
	}
	slices.SortStableFunc(found, func(a, b listedBackup) int { return strings.Compare(b.BeginTime, a.BeginTime) })
	return page(r, "backups", found)
}

// checkFilter returns what is wrong with a query for backups, apart from its times and its page.
func checkFilter(r *request) *answer {
	kind, instance := strings.ToLower(r.query.Get("backup_type")), r.query.Get("instance_id")
	refusal := r.only("instance_id", "backup_id", "backup_type", "offset", "limit", "begin_time", "end_time", "mode")
	switch {
	case refusal != nil:
		return refusal
	case !instanceID.MatchString(instance):
		return refuse(http.StatusBadRequest, "DBS.280404", "Invalid DB instance ID.")
	case !slices.Contains([]string{"", "auto", "manual", "incremental"}, kind):
		return invalid("backup_type")
	case kind == "incremental" && instance == "":
		return invalid("instance_id is required for backup_type Incremental")
	case !slices.Contains([]string{"", "Sharding", "ReplicaSet", "Single"}, r.query.Get("mode")):
		return invalid("mode")
	default:
		return nil
	}
}

// shown reports whether a query asks for b, apart from its times.
func shown(r *request, b Backup) bool {
	ofKind := b.is(r.query.Get("backup_type"))
	if r.query.Get("backup_type") == "" {
		ofKind = !b.is("Incremental") || r.query.Get("instance_id") != "" && r.query.Get("backup_id") != ""
	}
	return ofKind && r.matches("instance_id", b.InstanceID) && r.matches("backup_id", b.ID) && r.matches("mode", b.Mode)
}
