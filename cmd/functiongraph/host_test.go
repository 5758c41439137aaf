package main

import (
	"net/http"
	"testing"
	"time"
)

// The caller of a synchronous invocation is gone after 90 s.
func TestTheTimeOfAnInvocation(t *testing.T) {
	for kind, want := range map[string]time.Duration{"sync": maxSync, "": maxSync, "async": 10 * time.Minute} {
		h := &host{timeout: 10 * time.Minute}
		ctx, cancel := h.begin(t.Context(), http.Header{headerInvokeType: {kind}})
		deadline, _ := ctx.Deadline()
		if left := time.Until(deadline); left > want || left < want-time.Second {
			t.Errorf("%q: %v left, want %v", kind, left, want)
		}
		cancel()
	}
}
