package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
)

// runServer serves the HTTP API against a simulated DDS until ctx ends.
func runServer(ctx context.Context, address string, out io.Writer) error {
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
		return fmt.Errorf("-serve: %w; expected a free address, for example :8080", err)
	}
	url := "http://" + listener.Addr().String()
	backups := ddstest.SampleBackups()
	fmt.Fprintf(out, `The HTTP API against a simulated DDS in %s with %d backups, at %s
Try:

  curl -i -X DELETE %s/backups/%s
  curl -i %s/deletions -H 'Content-Type: application/json' -d '{"backup_id":"%s"}'

The events that go out:
`, ddstest.Region, len(backups), url, url, backups[0].ID, url, backups[1].ID)

	server := &http.Server{Handler: s.app.HTTP(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
