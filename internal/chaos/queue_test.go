package chaos_test

import (
	"math/rand/v2"
	"sync"
	"time"
)

// message is a message of the queue.
type message struct {
	id, body string
	receives int
	visible  time.Time
}

// queue is a redelivering queue with a dead-letter queue. It has the features of SQS that matter here.
type queue struct {
	visibility  time.Duration
	maxReceives int

	mu       sync.Mutex
	messages map[string]*message
	order    []string
	dead     map[string]bool
}

func newQueue(visibility time.Duration, maxReceives int) *queue {
	return &queue{
		visibility: visibility, maxReceives: maxReceives, messages: make(map[string]*message), dead: make(map[string]bool),
	}
}

func (q *queue) send(id, body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages[id] = &message{id: id, body: body}
	q.order = append(q.order, id)
}

// receive returns up to n visible messages and hides them for a while. A few of them stay visible
// and are delivered twice.
func (q *queue) receive(n int, r *rand.Rand) []message {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	var batch []message
	kept := q.order[:0]
	for _, id := range q.order {
		m, there := q.messages[id]
		if !there {
			continue
		}
		if len(batch) == n || now.Before(m.visible) {
			kept = append(kept, id)
			continue
		}
		if m.receives >= q.maxReceives {
			q.dead[id] = true
			delete(q.messages, id)
			continue
		}
		m.receives++
		if r.IntN(20) > 0 {
			m.visible = now.Add(q.visibility)
		}
		batch = append(batch, *m)
		kept = append(kept, id)
	}
	q.order = kept
	// Fairness: delivered messages go to the end.
	r.Shuffle(min(len(q.order), 200), func(i, j int) { q.order[i], q.order[j] = q.order[j], q.order[i] })
	return batch
}

func (q *queue) acknowledge(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.messages, id)
}

// giveBack makes a message visible again after a short time.
func (q *queue) giveBack(id string, after time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m, there := q.messages[id]; there {
		m.visible = time.Now().Add(after)
	}
}

// left returns how many messages are neither acknowledged nor dead letters.
func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}
