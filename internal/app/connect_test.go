package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A service that says nothing holds up a start, but not for ever.
func TestConnectTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, others := time.Now(), 0
		connect(t.Context(), func(ctx context.Context) { <-ctx.Done() }, func(context.Context) { others++ })
		if took := time.Since(began); took != connectTime || others != 1 {
			t.Errorf("it waited %v, others %d", took, others)
		}
	})
}
