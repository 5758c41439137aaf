package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/httpapi"
)

// maxResponse bounds, in bytes, the response of an HTTP function.
// https://docs.otc.t-systems.com/function-graph/umn/ (creating an HTTP function)
const maxResponse = 6 << 20

// serveHTTP serves a function that FunctionGraph calls over HTTP until ctx ends, and then finishes what has begun.
// An HTTP function is called on the loopback address, as FunctionGraph documents. A container image is called from
// outside of it, on all addresses. An HTTP function has no /invoke, because the gateway in front of it may lead
// everybody there.
func serveHTTP(ctx context.Context, h *host, g *config.FunctionGraph) error {
	address, handler := net.JoinHostPort("", strconv.Itoa(g.Port)), h.events()
	if g.HTTP {
		address, handler = net.JoinHostPort("127.0.0.1", strconv.Itoa(g.Port)), h.api()
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 5 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan struct{})
	context.AfterFunc(ctx, func() {
		_ = server.Shutdown(context.WithoutCancel(ctx)) // its listener is closed
		close(ended)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-ended
	return nil
}

// events returns the handler of a container image: each POST /invoke is an event of a trigger. No page says which
// status marks a failed invocation; 500 is a failure to every HTTP client.
// https://docs.otc.t-systems.com/function-graph/umn/ (creating a container image function)
func (h *host) events() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /init", func(http.ResponseWriter, *http.Request) {}) // the start did all
	mux.HandleFunc("POST /invoke", func(w http.ResponseWriter, r *http.Request) {
		answer, failed := h.invoke(context.WithoutCancel(r.Context()), r.Header, r.Body)
		w.Header().Set("Content-Type", "application/json")
		if failed {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write(answer) //nolint:gosec // JSON, and FunctionGraph may be gone
	})
	return mux
}

// api returns the handler of an HTTP function: the HTTP API.
func (h *host) api() http.Handler {
	api := h.app.HTTP()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(headerRequestID)
		if !body.IsID(id) {
			id = "" // the API makes one
		}
		ctx, cancel := h.begin(r.Context(), r.Header)
		defer cancel()
		api.ServeHTTP(w, r.WithContext(httpapi.WithFront(ctx, httpapi.Front{RequestID: id, MaxResponse: maxResponse})))
	})
}
