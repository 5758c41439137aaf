package main

import (
	"net/http"
	"testing"
	"time"
)

// The caller of a synchronous invocation is gone after 90 s. An asynchronous one ends before a lease would be a nuisance.
func TestTheTimeOfAnInvocation(t *testing.T) {
	for kind, want := range map[string]map[time.Duration]time.Duration{ // by the timeout of the function
		"sync":  {time.Minute: time.Minute, 10 * time.Minute: maxSync},
		"":      {time.Minute: time.Minute, 10 * time.Minute: maxSync},
		"async": {time.Minute: time.Minute, 10 * time.Minute: 10 * time.Minute, 72 * time.Hour: maxAsync},
		"ASYNC": {10 * time.Minute: 10 * time.Minute},
	} {
		for timeout, want := range want {
			h := &host{timeout: timeout}
			ctx, cancel := h.begin(t.Context(), http.Header{headerInvokeType: {kind}})
			deadline, _ := ctx.Deadline()
			if left := time.Until(deadline); left > want || left < want-time.Second {
				t.Errorf("%q with a timeout of %v: %v left, want %v", kind, timeout, left, want)
			}
			cancel()
		}
	}
}
