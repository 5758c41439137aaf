package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
)

// minutePasses is how often a minute passes by the clock of a server.
const minutePasses = time.Second

// runServer serves the HTTP API against a simulated DDS until ctx ends. In each period, a simulated minute passes
// and a tick comes.
func runServer(ctx context.Context, address string, period time.Duration, out io.Writer) error {
	if strings.HasPrefix(address, ":") {
		address = "127.0.0.1" + address // there is no authentication, so other machines must not reach it
	}
	s, err := newSimulated(ctx, out)
	if err != nil {
		return err
	}
	defer s.dds.Close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("-serve: %w; expected a free address, for example :18080", err)
	}
	url := "http://" + listener.Addr().String()
	backups := ddstest.SampleBackups()
	fmt.Fprintf(out, `The HTTP API against a simulated DDS in %s with %d backups, at %s
Try:

  curl -i -X DELETE %s/backups/%s
  curl -i %s/deletions -H 'Content-Type: application/json' -d '{"backup_id":"%s"}'
  curl %s/backups/%s

The last command shows the state of a deletion. A simulated minute takes %v, and a deletion about ten of them. Ctrl-C stops the server.

Published events:
`, ddstest.Region, len(backups), url, url, backups[0].ID, url, backups[1].ID, url, backups[0].ID, period)

	var calls sync.RWMutex // held for reading while one is worked
	api := s.app.HTTP()
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.RLock()
		defer calls.RUnlock()
		api.ServeHTTP(w, r)
	})}
	var clock sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	clock.Go(func() { s.runClock(ctx, period, &calls) })
	defer clock.Wait() // before the DDS closes
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// runClock lets a minute pass and sends a tick in each period, until ctx ends. It leaves a period out in which a
// call is being worked.
func (s *demo) runClock(ctx context.Context, period time.Duration, calls *sync.RWMutex) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if calls.TryLock() {
			s.clock.Pass(time.Minute)
			_, _ = s.handle(ctx, "tick", []byte(tickPayload)) // a tick does not fail, and the events show what it did
			calls.Unlock()
		}
	}
}
