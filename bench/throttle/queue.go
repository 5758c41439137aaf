package throttle

import (
	"container/heap"
	"fmt"
	"strings"
	"sync"
	"time"
)

// message is a message of the queue.
type message struct {
	id       string
	receives int
	visible  time.Time
	order    int
}

// queue is an SQS queue with a dead-letter queue.
type queue struct {
	mu       sync.Mutex
	waiting  messages
	inFlight int
	dead     int
	receives int
	most     int
}

func newQueue(n int, now time.Time) *queue {
	q := &queue{}
	for i := range n {
		q.waiting = append(q.waiting, &message{id: fmt.Sprintf("%08d", i), visible: now, order: i})
	}
	heap.Init(&q.waiting)
	return q
}

// receive returns a batch of visible messages. A message that was received too often becomes a dead
// letter. The queue is empty once no message waits or is in flight.
func (q *queue) receive(now time.Time) (batch []*message, empty bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(batch) < batchSize && len(q.waiting) > 0 && !q.waiting[0].visible.After(now) {
		m, _ := heap.Pop(&q.waiting).(*message)
		if m.receives == maxReceives {
			q.dead++
			continue
		}
		m.receives++
		q.receives++
		q.most = max(q.most, m.receives)
		batch = append(batch, m)
	}
	q.inFlight += len(batch)
	return batch, len(batch) == 0 && len(q.waiting) == 0 && q.inFlight == 0
}

// settle deletes the messages of a batch, except the ones in kept. Those are hidden for the given
// time, or for the visibility timeout of the queue if it is zero.
func (q *queue) settle(now time.Time, batch []*message, kept map[string]time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inFlight -= len(batch)
	for _, m := range batch {
		hidden, again := kept[m.id]
		if !again {
			continue
		}
		if hidden == 0 {
			hidden = visibility
		}
		m.visible = now.Add(hidden)
		heap.Push(&q.waiting, m)
	}
}

// messages is a heap with the message that becomes visible first on top.
type messages []*message

// Len implements [heap.Interface].
func (m messages) Len() int { return len(m) }

// Less implements [heap.Interface].
func (m messages) Less(i, j int) bool {
	if !m[i].visible.Equal(m[j].visible) {
		return m[i].visible.Before(m[j].visible)
	}
	return m[i].order < m[j].order
}

// Swap implements [heap.Interface].
func (m messages) Swap(i, j int) { m[i], m[j] = m[j], m[i] }

// Push implements [heap.Interface].
func (m *messages) Push(x any) { *m = append(*m, x.(*message)) }

// Pop implements [heap.Interface].
func (m *messages) Pop() any {
	last := len(*m) - 1
	x := (*m)[last]
	*m = (*m)[:last]
	return x
}

// payload returns the Lambda event of a batch.
func payload(batch []*message) []byte {
	var b strings.Builder
	b.WriteString(`{"Records":[`)
	for i, m := range batch {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"messageId":"%s","receiptHandle":"%s","body":"{\"backup_id\":\"backup-%s\"}","attributes":{"ApproximateReceiveCount":"%d"},`+
			`"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:requests"}`, m.id, m.id, m.id, m.receives)
	}
	b.WriteString("]}")
	return []byte(b.String())
}
