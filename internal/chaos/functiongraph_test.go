package chaos_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"time"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/functiongraphtest"
	"dds-backup-delete/internal/ledger/valkey"
	"dds-backup-delete/internal/ledger/valkeytest"
	"dds-backup-delete/internal/sink/sinktest"
)

// onFunctionGraph is Huawei FunctionGraph with EventGrid, an SMN topic and a timer, which all invoke asynchronously, and
// with a Valkey or Redis server, which is killed, too, and an address for the outcomes. Each invocation brings one of
// several keys.
func onFunctionGraph(w *world) *host {
	server := valkeytest.Start(w.t, valkeytest.Durable()...)
	ledger, err := valkey.New(&config.ValkeyServer{Address: server.Address, Prefix: "dds-backup-delete"}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	proxy := valkeytest.NewProxy(w.t, server.Address)
	proxy.OnCommand.Store(new(func([]byte) (pass bool) {
		n := w.dice.n(100)
		if w.calm.Load() {
			return true
		}
		switch n {
		case 0:
			return false
		case 1:
			proxy.Lose.Store(true)
		case 2:
			time.Sleep(time.Duration(w.dice.n(300)) * time.Millisecond)
		}
		return true
	}))
	sink := sinktest.NewCloudEvents(nil)
	w.t.Cleanup(sink.Close)
	faulty := httptest.NewServer(w.faulty(sink))
	w.t.Cleanup(faulty.Close)
	var keys []functiongraphtest.Keys
	for i := range 3 {
		k := functiongraphtest.Keys{Access: fmt.Sprintf("HSTAINVOCATION%06d", i), Secret: fmt.Sprint("secret-key-of-invocation-", i), Token: fmt.Sprint("token-of-invocation-", i)}
		w.dds.AddKeys(k.Access, k.Secret, k.Token)
		keys = append(keys, k)
	}
	return &host{
		folder: "./cmd/functiongraph", ledger: ledger, taken: sink.Taken, parks: true,
		maxReceives: 4, // an asynchronous invocation and the most retries that can be configured
		disturb: func() {
			if w.dice.n(10) == 0 {
				server.Kill()
				server.Restart()
			}
		},
		start: func(ctx context.Context, binary string, timeout time.Duration) (*instance, error) {
			f, err := functiongraphtest.Start(ctx, functiongraphtest.Options{Binary: binary, Timeout: timeout, Env: []string{
				"DDS_REGION=" + ddstest.Region, "DDS_ENDPOINT=" + w.front.URL, "OUTCOME_SINK=" + faulty.URL,
				"LEDGER=redis://" + proxy.Address, "REQUIRE_MANUAL=true", "FOLLOW=true",
			}})
			if err != nil {
				return nil, err
			}
			return &instance{
				invoke: func(ctx context.Context, payload []byte) ([]byte, error) {
					id := fmt.Sprint("invocation-", w.invocations.Load(), "-", w.dice.n(1_000_000))
					result, err := f.Invoke(ctx, functiongraphtest.Invocation{Payload: payload, RequestID: id, Header: keys[w.dice.n(len(keys))].Headers(), Async: true})
					if err == nil && result.Err != nil {
						err = errors.New(result.Err.Message)
					}
					return result.Payload, err
				},
				ended: f.Ended, kill: f.Kill, close: f.Close, output: f.Output,
			}, nil
		},
		batch: func(messages []message) any {
			var events []map[string]any
			for _, m := range messages {
				var data any = json.RawMessage(m.body)
				if !json.Valid([]byte(m.body)) {
					data = m.body
				}
				events = append(events, map[string]any{
					"specversion": "1.0", "id": m.id, "source": "/chaos", "type": "dds.backup.deletion.requested.v1", "data": data,
				})
			}
			return map[string]any{"events": events}
		},
		notification: func(m *message) any {
			return map[string]any{"record": []map[string]any{{
				"event_source": "smn", "smn": map[string]any{"topic_urn": "urn:smn:cn-north-4:p:requests", "message_id": m.id, "message": m.body, "message_attributes": nil},
			}}}
		},
		tick: map[string]string{"version": "v1.0", "trigger_type": "TIMER", "trigger_name": "tick", "user_event": `{"type":"dds.backup.agenda.tick.v1"}`},
	}
}
