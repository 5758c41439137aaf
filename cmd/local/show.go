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
)

// invocation is what Lambda would say of the delivery of an input. Its id becomes the id of requests
// that bring none, so the same input is the same request each time.
func invocation(name string) event.Invocation {
	return event.Invocation{ID: "local:" + filepath.Base(name)}
}

// timeout is that of the deployed function.
const timeout = 30 * time.Second

// show sends inputs through the pipeline to a simulated DDS and shows what happens.
type show struct {
	app       *app.App
	decoder   event.Decoder
	simulated *ddstest.Server
	events    bytes.Buffer // what the stdout sink wrote
	out       io.Writer
}

func newShow(ctx context.Context, simulated *ddstest.Server, out io.Writer) (*show, error) {
	s := &show{simulated: simulated, out: out}
	var err error
	s.app, err = app.New(ctx, simulatedConfig(simulated), slog.New(slog.DiscardHandler), &s.events, app.Links{})
	return s, err
}

// all shows each input in turn and counts those that are not requests, or not only requests.
func (s *show) all(ctx context.Context, inputs []input) (strays int) {
	for _, in := range inputs {
		if !s.one(ctx, in) {
			strays++
		}
	}
	return strays
}

// one shows what happens to an input and reports whether it holds requests and nothing else.
func (s *show) one(ctx context.Context, in input) (requests bool) {
	fmt.Fprintf(s.out, "\n%s\n", in.name)
	lines, requests := s.cameIn(in)
	s.lines("came in", lines)
	before := len(s.simulated.Calls())
	s.events.Reset()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reply, err := s.app.Handle(ctx, invocation(in.name), in.payload)
	s.lines("DDS did", answered(s.simulated.Calls()[before:]))
	s.lines("went out", wentOut(s.events.Bytes()))
	s.lines("got back", []string{gotBack(reply, err)})
	return requests
}

// lines writes the lines of one topic, or "nothing" where there are none.
func (s *show) lines(topic string, lines []string) {
	if len(lines) == 0 {
		lines = []string{"nothing"}
	}
	for _, line := range lines {
		fmt.Fprintf(s.out, "  %-9s %s\n", topic, line)
		topic = ""
	}
}

// cameIn describes a payload and reports whether it holds requests and nothing else.
func (s *show) cameIn(in input) (lines []string, requests bool) {
	batch, err := s.decoder.Decode(in.payload, invocation(in.name))
	if err != nil {
		return []string{"not a request"}, false // the reply says why
	}
	requests = len(batch.Requests) > 0 && len(batch.OwnEvents) == 0
	for _, r := range batch.Requests {
		line := fmt.Sprintf("%s  delete backup %s", batch.Source, printable(r.BackupID))
		if r.Err != nil {
			line = fmt.Sprintf("%s  not a request: %s", batch.Source, r.Err.Message)
			requests = false
		}
		lines = append(lines, line)
	}
	for range batch.OwnEvents {
		lines = append(lines, fmt.Sprintf("%s  an outcome event of this program", batch.Source))
	}
	return lines, requests
}

// printable quotes what is not the form of an id.
func printable(id string) string {
	if quoted := strconv.Quote(id); quoted != `"`+id+`"` || strings.ContainsAny(id, " /") || id == "" {
		return quoted
	}
	return id
}

// answered describes what the simulated DDS did.
func answered(calls []ddstest.Call) []string {
	var lines []string
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
func wentOut(written []byte) []string {
	var lines []string
	for line := range bytes.Lines(written) {
		var e struct {
			Type string
			Data deletion.Data
		}
		if err := json.Unmarshal(line, &e); err != nil {
			lines = append(lines, string(line))
			continue
		}
		text := e.Type + "  "
		switch {
		case e.Data.JobID != "":
			text += "job " + e.Data.JobID
		case e.Data.Error != nil:
			text += strings.TrimSpace(e.Data.Error.Code + " " + e.Data.Error.Message)
		}
		lines = append(lines, text)
	}
	return lines
}

// gotBack describes the reply to the source.
func gotBack(reply []byte, err error) string {
	var failure *event.FunctionError
	if errors.As(err, &failure) {
		return fmt.Sprintf("error %s: %s", failure.Type, failure.Message)
	}
	if err != nil {
		return "error: " + err.Error()
	}
	var http events.APIGatewayV2HTTPResponse
	if json.Unmarshal(reply, &http) == nil && http.StatusCode != 0 {
		return fmt.Sprintf("HTTP %d %s", http.StatusCode, http.Body)
	}
	return string(reply)
}
