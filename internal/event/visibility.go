package event

import (
	"time"

	"dds-backup-delete/internal/deletion"
)

// Visibility says for how long a message that is given back should not be received again.
type Visibility struct {
	// MessageID and ReceiptHandle are those of the message.
	MessageID, ReceiptHandle string
	// Timeout is to be its visibility timeout, in whole seconds, twelve hours at the most.
	Timeout time.Duration
}

// Visibilities returns the visibility of each message of a queue that is given back; none for other
// sources. Without it, a request that fails for hours, for example during a restore or for lack of a
// permission, would use up all its receives in minutes.
func (b *Batch) Visibilities(outcomes []deletion.Outcome) []Visibility {
	var all []Visibility
	for i, err := range b.failures(outcomes) {
		if m := b.messages[i]; err != nil && m.receipt != "" {
			all = append(all, Visibility{m.id, m.receipt, backoff(err.RetryAfter, m.receives)})
		}
	}
	return all
}

// maxBackoff is what the wait for the next receive grows to.
const maxBackoff = time.Hour

// backoff is the wait for the next receive: that of the error, doubled with each receive.
func backoff(wait time.Duration, receives int) time.Duration {
	most := max(wait, maxBackoff)
	for range min(receives, 20) - 1 {
		wait = min(2*wait, most)
	}
	wait = min(wait, 11*time.Hour) // the queue counts twelve hours from the receive
	return max(wait+time.Second-1, time.Second).Truncate(time.Second)
}
