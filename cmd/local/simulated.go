package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/simulation"
)

// newSimulated starts a DDS that has the backups of the sample events, and an app that calls it. The
// app writes outcome events to out.
func newSimulated(ctx context.Context, out io.Writer) (*ddstest.Server, *app.App, error) {
	server, c := simulation.Start()
	a, err := app.New(ctx, c, slog.New(slog.DiscardHandler), out, app.Links{})
	return server, a, err
}

// invocation is what Lambda would say of the delivery of an input. Its id becomes the id of requests
// that bring none, so the same input is the same request each time.
func invocation(name string) event.Invocation {
	return event.Invocation{ID: "local:" + filepath.Base(name)}
}

// timeout is that of the deployed function.
const timeout = 30 * time.Second

// runSimulated sends inputs, by default every sample, through the pipeline to a simulated DDS and shows
// what happens.
func runSimulated(ctx context.Context, inputs []input, out io.Writer) error {
	samples := len(inputs) == 0
	if samples {
		files, err := filepath.Glob("events/*.json")
		if err != nil || len(files) == 0 {
			return usage("no events/*.json here; run in the project's folder, or name an input")
		}
		if inputs, err = readAll(files, nil); err != nil {
			return err
		}
	}
	var published bytes.Buffer
	simulated, a, err := newSimulated(ctx, &published)
	if err != nil {
		return err
	}
	defer simulated.Close()
	fmt.Fprintf(out, "Simulated DDS in %s with %d backups. Nothing real is touched.\n", ddstest.Region, len(simulated.Backups()))
	others := 0
	for _, in := range inputs {
		lines, requestsOnly := cameIn(in)
		if !requestsOnly {
			others++
		}
		before := len(simulated.Calls())
		published.Reset()
		ctx, cancel := context.WithTimeout(ctx, timeout)
		reply, err := a.Handle(ctx, invocation(in.name), in.payload)
		cancel()
		fmt.Fprintf(out, "\n%s\n", in.name)
		show(out, "came in", lines)
		show(out, "DDS did", answered(simulated.Calls()[before:]))
		show(out, "went out", wentOut(published.Bytes()))
		show(out, "got back", []string{gotBack(reply, err)})
	}
	if others > 0 && !samples { // some samples show what is left alone
		return fmt.Errorf("%d of %d inputs: not a request, or not only requests", others, len(inputs))
	}
	return nil
}

// show writes the lines of one topic, or "nothing" if there are none.
func show(out io.Writer, topic string, lines []string) {
	if len(lines) == 0 {
		lines = []string{"nothing"}
	}
	for _, line := range lines {
		fmt.Fprintf(out, "  %-9s %s\n", topic, line)
		topic = ""
	}
}

// cameIn describes a payload and reports whether it holds requests and nothing else.
func cameIn(in input) (lines []string, requestsOnly bool) {
	batch, err := new(event.Decoder).Decode(in.payload, invocation(in.name))
	if err != nil {
		return []string{"not a request"}, false // the reply says why
	}
	requestsOnly = len(batch.Requests) > 0 && len(batch.OwnEvents) == 0
	for _, r := range batch.Requests {
		text := "delete backup " + strings.Trim(strconv.Quote(r.BackupID), `"`)
		if r.Err != nil {
			text, requestsOnly = "not a request: "+r.Err.Message, false
		}
		lines = append(lines, fmt.Sprintf("%s  %s", batch.Source, text))
	}
	for range batch.OwnEvents {
		lines = append(lines, fmt.Sprintf("%s  an outcome event of this program", batch.Source))
	}
	return lines, requestsOnly
}

// answered describes what the simulated DDS did.
func answered(calls []ddstest.Call) (lines []string) {
	for _, c := range calls {
		line := fmt.Sprintf("%s …/%s  %d %s", c.Method, path.Base(c.Path), c.Status, c.Code)
		if c.JobID != "" {
			line += "job " + c.JobID
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// wentOut describes the events that the stdout sink wrote.
func wentOut(written []byte) (lines []string) {
	for line := range bytes.Lines(written) {
		var e struct {
			Type string
			Data deletion.Data
		}
		if err := json.Unmarshal(line, &e); err != nil {
			lines = append(lines, string(line))
			continue
		}
		text := ""
		switch {
		case e.Data.JobID != "":
			text = "job " + e.Data.JobID
		case e.Data.Error != nil:
			text = strings.TrimSpace(e.Data.Error.Code + " " + e.Data.Error.Message)
		}
		lines = append(lines, e.Type+"  "+text)
	}
	return lines
}

// gotBack describes the reply to the source.
func gotBack(reply []byte, err error) string {
	if failure, ok := errors.AsType[*event.FunctionError](err); ok {
		return fmt.Sprintf("error %s: %s", failure.Type, failure.Message)
	}
	var http events.APIGatewayV2HTTPResponse
	if json.Unmarshal(reply, &http) == nil && http.StatusCode != 0 {
		return fmt.Sprintf("HTTP %d %s", http.StatusCode, http.Body)
	}
	return string(reply)
}
