package ddstest

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// quota lets so many calls through in each window.
type quota struct {
	now    func() time.Time
	limit  int
	window time.Duration

	mu    sync.Mutex
	start time.Time
	used  int
}

// use counts a call, or refuses it. Windows are fixed: the first call starts one, and so does
// the first call after its end.
func (q *quota) use() *answer {
	if q.limit <= 0 {
		return nil
	}
	now := q.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.start) >= q.window {
		q.start, q.used = now, 0
	}
	if q.used >= q.limit {
		return refuse(http.StatusTooManyRequests, "APIGW.0308", throttleText(q.limit, q.window))
	}
	q.used++
	return nil
}

// throttleText is the text of the real gateway, of which limit and window can be read.
func throttleText(limit int, window time.Duration) string {
	if window%time.Minute == 0 {
		return fmt.Sprintf("policy user over ratelimit,limit:%d,time:%d minute", limit, window/time.Minute)
	}
	return fmt.Sprintf("policy user over ratelimit,limit:%d,time:%d second", limit, (window+time.Second-1)/time.Second)
}
