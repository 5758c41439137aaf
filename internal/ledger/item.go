package ledger

import (
	"cmp"
	"slices"

	"dds-backup-delete/internal/deletion"
)

// itemKey returns the key under which a ledger keeps what it knows of the backup of a request.
func itemKey(r *deletion.Request) string { return r.ProjectID + "/" + r.BackupID }

const (
	// maxRefusals bounds, in bytes, the refusals of one backup when a lease begins. One Record adds
	// at most [deletion.MaxRecorded] and its keys, so an item stays well below DynamoDB's limit of 400 KB.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	maxRefusals = 128 << 10
	// refusalOverhead is the size of a refusal without its event: its key, time and status, and the
	// names of these attributes.
	refusalOverhead = 128
)

// refusal is what decides whether a refusal is forgotten.
type refusal struct {
	key  string
	at   int64 // when it was recorded, in a unit of the ledger
	size int   // of the event, in bytes
}

// forgettable returns the keys of the refusals to forget: none up to maxRefusals bytes, otherwise the
// oldest until half of that is left, so that it rarely happens.
func forgettable(refusals []refusal) (keys []string) {
	total := 0
	for _, r := range refusals {
		total += r.size + refusalOverhead
	}
	if total <= maxRefusals {
		return nil
	}
	slices.SortFunc(refusals, func(a, b refusal) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key))
	})
	for _, r := range refusals {
		if total <= maxRefusals/2 {
			break
		}
		total -= r.size + refusalOverhead
		keys = append(keys, r.key)
	}
	return keys
}
