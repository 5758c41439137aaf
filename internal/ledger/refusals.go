package ledger

import (
	"cmp"
	"slices"
)

const (
	// maxRefusals bounds, in bytes, the refusals of one backup that a request finds when it gets the
	// lease. One Record adds [deletion.MaxRecorded] and its keys at most, and all that stays well below the
	// 400 KB that DynamoDB takes.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	maxRefusals = 128 << 10
	// refusalOverhead is what a refusal takes besides its event: its key, time and status, and the
	// names of these attributes.
	refusalOverhead = 128
)

// refusal is what a ledger has to know of a refusal to forget it.
type refusal struct {
	key  string
	at   int64 // when it was recorded
	size int   // of the event, in bytes
}

// forgettable returns the keys of the refusals to forget: none up to maxRefusals, else the oldest,
// until half of that is left. So it takes many requests until it happens again.
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
