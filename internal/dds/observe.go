package dds

import (
	"errors"
	"time"
)

// Observer is told of every call that went out: how long the answer took, and the class of its
// error, which is empty for a success.
type Observer func(took time.Duration, class Class)

// observing returns a handler that tells an observer of every call that passes.
func observing(next handler, observe Observer) handler {
	return func(c *call) (*response, error) {
		began := time.Now()
		resp, err := next(c)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			return resp, err // it did not go out
		}
		class := Class("")
		if e != nil {
			class = e.Class
		}
		observe(time.Since(began), class)
		return resp, err
	}
}
