package dds

import (
	"errors"
	"time"

	"dds-backup-delete/internal/deletion"
)

// Observer is called after every try: with the time until the answer, and the class of its error,
// which is empty for a success.
type Observer func(took time.Duration, class deletion.Class)

// observing returns a handler that calls observe after every try.
func observing(next handler, observe Observer) handler {
	return func(c *call) (*response, error) {
		began := time.Now()
		resp, err := next(c)
		var class deletion.Class
		if e, failed := errors.AsType[*deletion.Error](err); failed {
			class = e.Class
		}
		observe(time.Since(began), class)
		return resp, err
	}
}
