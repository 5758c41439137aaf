package deletion_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger/valkey"
	"dds-backup-delete/internal/ledger/valkeytest"
)

// outside is a ledger that a bubble can use although its connections are outside. Goroutines of both may share only
// channels that were made outside.
type outside struct {
	*valkey.Ledger

	turn  sync.Mutex
	calls chan func(context.Context)
	done  chan struct{}
}

// call makes a call outside.
func (o *outside) call(f func(context.Context)) {
	o.turn.Lock()
	defer o.turn.Unlock()
	o.calls <- f
	<-o.done
}

func (o *outside) Get(_ context.Context, key deletion.Key) (i *deletion.Item, err error) {
	o.call(func(ctx context.Context) { i, err = o.Ledger.Get(ctx, key) })
	return i, err
}

func (o *outside) Swap(_ context.Context, old, next *deletion.Item) (current *deletion.Item, err error) {
	o.call(func(ctx context.Context) { current, err = o.Ledger.Swap(ctx, old, next) })
	return current, err
}

func (o *outside) Due(_ context.Context, kind deletion.Agenda, at time.Time, limit int, cursor string) (keys []deletion.Key, next string, err error) {
	o.call(func(ctx context.Context) { keys, next, err = o.Ledger.Due(ctx, kind, at, limit, cursor) })
	return keys, next, err
}

// The model again, with a fault and a pause, on a real server. Its expiry is by the clock of the machine, which no
// scenario comes near.
func TestPromiseOnValkey(t *testing.T) {
	if os.Getenv("VALKEY_SERVER") == "" {
		t.Skip("make test-valkey runs it")
	}
	server := valkeytest.Start(t, append(valkeytest.Durable(), "--appendfsync", "no")...)
	l, err := valkey.New(&config.ValkeyServer{Address: server.Address, Prefix: "model"}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{Ledger: l, calls: make(chan func(context.Context)), done: make(chan struct{})}
	go func() {
		for f := range o.calls {
			f(t.Context())
			o.done <- struct{}{}
		}
	}()
	defer close(o.calls)
	const runs = 60 // all that the model has would take an hour
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			for seed := range uint64(runs) {
				server.Command("FLUSHALL")
				violations, trace, _ := play(t, &sc.scenario, o, 1, 1, rand.New(rand.NewPCG(seed, 0)).IntN)
				if len(violations) > 0 {
					t.Errorf("seed %d: %s\nafter %s", seed, strings.Join(violations, "\n"), strings.Join(trace, ", "))
				}
			}
		})
	}
}
