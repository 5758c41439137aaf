package ledger

import (
	"cmp"
	"slices"

	"dds-backup-delete/internal/deletion"
)

// Key returns the key under which a ledger keeps what it knows of the backup of a request.
func Key(r *deletion.Request) string { return r.ProjectID + "/" + r.BackupID }

const (
	// maxRefusals bounds, in bytes, the refusals of one backup when a lease begins. One Record adds
	// at most [deletion.MaxRecorded] and its keys, so an item stays well below DynamoDB's limit of 400 KB.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	maxRefusals = 128 << 10
	// refusalOverhead is the size of a refusal without its event: its key, time and status, and the
	// names of these attributes.
	refusalOverhead = 128
)

// Refusal is what decides whether the outcome of a refused request is forgotten.
type Refusal struct {
	Key  string
	At   int64 // when it was recorded, in any unit
	Size int   // of the event, in bytes
}

// Forgettable returns the keys of the refusals to forget: none up to maxRefusals bytes, otherwise the
// oldest until half of that is left, so it rarely happens.
func Forgettable(refusals []Refusal) (keys []string) {
	total := 0
	for _, r := range refusals {
		total += r.Size + refusalOverhead
	}
	if total <= maxRefusals {
		return nil
	}
	slices.SortFunc(refusals, func(a, b Refusal) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Key, b.Key))
	})
	for _, r := range refusals {
		if total <= maxRefusals/2 {
			break
		}
		total -= r.Size + refusalOverhead
		keys = append(keys, r.Key)
	}
	return keys
}
