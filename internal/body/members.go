package body

import (
	"fmt"
	"slices"
	"strings"

	"dds-backup-delete/internal/spelling"
	"dds-backup-delete/internal/strictjson"
)

// backupMembers are the members that name what to delete: backup_id, backups_id as the DDS API page
// spells it, and backup_ids for a list.
var backupMembers = []string{"backup_id", "backups_id", "backup_ids"}

// requestMembers are all the members that a request may have. A member that is not among them may be
// a condition that its sender counts on, so the request is refused.
var requestMembers = slices.Concat(backupMembers, []string{"project_id", "region", "traceparent", "dry_run", "metadata", "expires_at"})

func namesBackup(members strictjson.Object) bool {
	return slices.ContainsFunc(backupMembers, members.Has)
}

// checkMembers returns what is wrong with the first member that no request has, or "".
func checkMembers(members strictjson.Object) string {
	for _, m := range members {
		if !slices.Contains(requestMembers, string(m.Name)) {
			return unknownMember(string(m.Name))
		}
	}
	return ""
}

// misspelled is the message about the first member that was probably meant to name a backup, or "".
func misspelled(members strictjson.Object) string {
	for _, m := range members {
		if slices.Contains(backupMembers, nearMember(string(m.Name))) {
			return unknownMember(string(m.Name))
		}
	}
	return ""
}

// unknownMember is the message about a member that no request has.
func unknownMember(name string) string {
	if near := nearMember(name); near != "" {
		return fmt.Sprintf("%q: unknown member; did you mean %q?", strictjson.Shorten(name), near)
	}
	return fmt.Sprintf("%q: unknown member; expected only %s", strictjson.Shorten(name), strings.Join(requestMembers, ", "))
}

// nearMember returns the member of a request that a name was probably meant to be, or "".
// Letter case and separators do not count, and one letter in four may be wrong.
func nearMember(name string) string {
	const longest = 40
	if len(name) > longest {
		return ""
	}
	plain := plainName(name)
	near, least := "", longest
	for _, known := range requestMembers {
		letters := plainName(known)
		if slips := spelling.Distance(plain, letters); slips <= max(1, len(letters)/4) && slips < least {
			near, least = known, slips
		}
	}
	return near
}

var separators = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

func plainName(name string) string { return separators.Replace(strings.ToLower(name)) }
