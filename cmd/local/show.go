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

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/handler"
)

// invocation stands for that of Lambda, whose id is one for each file here: a request without
// an id of its own is known by it.
func invocation(name string) event.Invocation {
	return event.Invocation{ID: "local:" + filepath.Base(name)}
}

// timeout is that of the deployed function.
const timeout = 30 * time.Second

// show sends payloads through the pipeline and tells at a glance what became of them.
type show struct {
	handler *handler.Handler
	decoder event.Decoder
	sink    string
	out     io.Writer
	events  bytes.Buffer          // what the stdout sink wrote
	log     bytes.Buffer          // what the pipeline logged
	calls   func() []ddstest.Call // what the simulated DDS answered; nil for a real one
}

func newShow(ctx context.Context, c *config.Config, out io.Writer, options ...handler.Option) (*show, error) {
	s := &show{out: out, sink: c.OutcomeSink, decoder: event.Decoder{RequestType: c.RequestType}}
	var err error
	s.handler, err = handler.New(ctx, c, slog.New(slog.NewJSONHandler(&s.log, nil)), &s.events, options...)
	return s, err
}

// all shows each sample in turn and counts those of which something was not deleted.
func (s *show) all(ctx context.Context, samples []sample) (failed int) {
	for _, sample := range samples {
		if !s.one(ctx, sample) {
			failed++
		}
	}
	return failed
}

// one shows what comes of one sample and reports whether all of it was deleted.
func (s *show) one(ctx context.Context, in sample) (ok bool) {
	fmt.Fprintf(s.out, "\n%s\n", in.name)
	s.lines("came in", s.cameIn(in))
	before := 0
	if s.calls != nil {
		before = len(s.calls())
	}
	s.events.Reset()
	s.log.Reset()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reply, err := s.handler.Handle(ctx, invocation(in.name), in.payload)
	if s.calls != nil {
		s.lines("DDS did", answered(s.calls()[before:]))
	} else {
		s.lines("DDS did", logged(s.log.Bytes()))
	}
	if s.sink == config.StdoutSink {
		s.lines("went out", wentOut(s.events.Bytes()))
	} else {
		s.lines("went out", []string{"to " + s.sink})
	}
	s.lines("got back", []string{gotBack(reply, err)})
	return err == nil && !bytes.Contains(s.log.Bytes(), []byte(`"class":`))
}

// lines writes the lines of one topic; none is told as "nothing".
func (s *show) lines(topic string, lines []string) {
	if len(lines) == 0 {
		lines = []string{"nothing"}
	}
	for _, line := range lines {
		fmt.Fprintf(s.out, "  %-9s %s\n", topic, line)
		topic = ""
	}
}

// cameIn tells the requests of a payload.
func (s *show) cameIn(in sample) []string {
	batch, err := s.decoder.Decode(in.payload, invocation(in.name))
	if err != nil {
		return []string{"no request"}
	}
	var lines []string
	for _, r := range batch.Requests {
		line := fmt.Sprintf("%s  delete backup %s", batch.Source, printable(r.BackupID))
		if r.Err != nil {
			line = fmt.Sprintf("%s  no request: %s", batch.Source, r.Err.Message)
		}
		lines = append(lines, line)
	}
	for range batch.Echoes {
		lines = append(lines, fmt.Sprintf("%s  an outcome event of ours", batch.Source))
	}
	return lines
}

// printable quotes an id that is none.
func printable(id string) string {
	if quoted := strconv.Quote(id); quoted != `"`+id+`"` || strings.ContainsAny(id, " /") || id == "" {
		return quoted
	}
	return id
}

// answered tells what the simulated DDS did.
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

// logged tells what a real DDS did, as far as the log knows.
func logged(log []byte) []string {
	var lines []string
	for line := range bytes.Lines(log) {
		var entry struct {
			Msg      string `json:"msg"`
			BackupID string `json:"backup_id"`
			Status   string `json:"status"`
			JobID    string `json:"job_id"`
			Code     string `json:"code"`
			Error    string `json:"error"`
		}
		if err := json.Unmarshal(line, &entry); err != nil || entry.Msg != "outcome" {
			continue
		}
		fields := []string{"backup", entry.BackupID + ":", entry.Status, entry.JobID, entry.Code, entry.Error}
		lines = append(lines, strings.Join(strings.Fields(strings.Join(fields, " ")), " "))
	}
	return lines
}

// wentOut tells the events that the stdout sink wrote.
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

// gotBack tells the reply to the source.
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
