package ddstest

import (
	"net/http"
	"sync"
	"time"
)

// quota accepts a number of calls in each window.
type quota struct {
	now    func() time.Time
	limit  int // 0 if there is none
	window time.Duration

	mu    sync.Mutex
	start time.Time
	used  int
}

// use counts a call, or refuses it. Windows are fixed: the first call starts one, and so does
// the first call after its end.
func (q *quota) use() *answer {
	now := q.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.start) >= q.window {
		q.start, q.used = now, 0
	}
	if q.limit > 0 && q.used >= q.limit {
		return refuse(http.StatusTooManyRequests, "APIGW.0308", throttleText(q.limit, q.window))
	}
	q.used++
	return nil
}
