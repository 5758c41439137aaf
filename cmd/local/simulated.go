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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/clocktest"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/simulation"
)

// demo is a DDS that has the backups of the sample events, an app that calls it, and their clock.
type demo struct {
	clock *clocktest.Clock // moved only while nothing is at work, because deadlines do not move with it
	dds   *ddstest.Server
	app   *app.App
}

const (
	// deletionTime is how long the simulated DDS takes to delete a backup.
	deletionTime = 4 * time.Minute
	// unlucky is the backup of events/rabbitmq.json whose deletion the simulated DDS accepts and then fails.
	unlucky = "b338afb776a54829aa4bb956e78ec734br02"
	// tickPayload asks for what is due on the agenda, and tickEvery is how often the stack's schedule does.
	tickPayload = `{"type":"` + event.TickType + `"}`
	tickEvery   = 5 * time.Minute
	// longestLife bounds how long the agenda of a simulation is worked.
	longestLife = 24 * time.Hour
)

// newSimulated starts a simulation with the settings of the stack. Events are written to out. The DDS must be closed.
func newSimulated(ctx context.Context, out io.Writer) (*demo, error) {
	s := &demo{clock: clocktest.New(time.Now())}
	var c *config.Config
	s.dds, c = simulation.Start(ddstest.Options{Now: s.clock.Now, DeletionTime: deletionTime})
	s.dds.FailJobs("Failed to delete the backup files.", unlucky)
	// The ledger in memory lasts as long as the simulation that it belongs to, so it counts as durable.
	c.Ledger.Durable, c.RequireManual, c.Follow = true, true, true
	var err error
	s.app, err = app.New(ctx, c, slog.New(slog.DiscardHandler), out, app.Links{Now: s.clock.Now})
	return s, err
}

// handle gives the app a payload, as Lambda would.
func (s *demo) handle(ctx context.Context, name string, payload []byte) (reply []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return s.app.Handle(ctx, invocation(name), payload)
}

// due reports whether anything is on the agenda, whenever it is due.
func (s *demo) due(ctx context.Context) bool {
	for _, kind := range []deletion.Agenda{deletion.Checks, deletion.Deletions} {
		keys, _, err := s.app.Service.Ledger.Due(ctx, kind, s.clock.Now().AddDate(1, 0, 0), 1, "")
		if err == nil && len(keys) > 0 {
			return true
		}
	}
	return false
}

// invocation is what Lambda would say of the delivery of an input. Its id becomes the id of requests
// that bring none, so the same input is the same request each time.
func invocation(name string) event.Invocation {
	return event.Invocation{ID: "local:" + filepath.Base(name)}
}

// timeout is that of the deployed function.
const timeout = 30 * time.Second

// runSimulated sends inputs, by default every sample, through the pipeline to a simulated DDS and shows
// what happens, until nothing is due.
func runSimulated(ctx context.Context, inputs []input, out io.Writer) error {
	samples := len(inputs) == 0
	if samples {
		files, err := filepath.Glob("events/*.json")
		if err != nil || len(files) == 0 {
			return usage("events/*.json: not found; expected an input, or the project's folder as the working directory")
		}
		if inputs, err = readAll(files, nil); err != nil {
			return err
		}
	}
	var published bytes.Buffer
	s, err := newSimulated(ctx, &published)
	if err != nil {
		return err
	}
	defer s.dds.Close()
	fmt.Fprintf(out, "Simulated DDS in %s with %d backups. Nothing real is touched.\n", ddstest.Region, len(s.dds.Backups()))
	others := 0
	for _, in := range inputs {
		lines, understood := cameIn(in)
		if !understood {
			others++
		}
		before := len(s.dds.Calls())
		published.Reset()
		reply, err := s.handle(ctx, in.name, in.payload)
		fmt.Fprintf(out, "\n%s\n", in.name)
		show(out, "came in", lines)
		show(out, "DDS did", answered(s.dds.Calls()[before:]))
		show(out, "went out", wentOut(published.Bytes()))
		show(out, "got back", []string{gotBack(reply, err)})
	}
	published.Reset()
	s.showEnds(ctx, &published, out)
	if samples {
		fmt.Fprintf(out, "\nSample events: %d, every one with the answer that it must get. %d of them show what is refused or left alone.\n", len(inputs), others)
		return nil
	}
	if others > 0 {
		return fmt.Errorf("%d of %d inputs: not a request, or not only requests", others, len(inputs))
	}
	return nil
}

// showEnds sends a tick every five simulated minutes until nothing is due, and shows those that published something.
func (s *demo) showEnds(ctx context.Context, published *bytes.Buffer, out io.Writer) {
	before := len(s.dds.Calls())
	for passed := tickEvery; passed <= longestLife && s.due(ctx) && ctx.Err() == nil; passed += tickEvery {
		s.clock.Pass(tickEvery)
		reply, err := s.handle(ctx, "tick", []byte(tickPayload))
		if published.Len() == 0 && err == nil {
			continue
		}
		fmt.Fprintf(out, "\n%.0f minutes later, by the simulated clock\n", passed.Minutes())
		show(out, "came in", []string{asTick})
		show(out, "DDS did", summed(answered(s.dds.Calls()[before:])))
		show(out, "went out", summed(wentOut(published.Bytes())))
		show(out, "got back", []string{gotBack(reply, err)})
		before = len(s.dds.Calls())
		published.Reset()
	}
}

// asTick describes a tick that came in.
const asTick = "tick  do what is due"

// summed returns one line for all that begin with the same words, up to two spaces.
func summed(lines []string) (sums []string) {
	kind := func(line string) string {
		words, _, _ := strings.Cut(line, "  ")
		return words
	}
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(kind(a), kind(b)) })
	for len(lines) > 0 {
		n := slices.IndexFunc(lines, func(line string) bool { return kind(line) != kind(lines[0]) })
		if n < 0 {
			n = len(lines)
		}
		sum := lines[0]
		if n > 1 {
			sum += fmt.Sprintf("  and %d more", n-1)
		}
		sums, lines = append(sums, sum), lines[n:]
	}
	return sums
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

// cameIn describes a payload, and reports whether it asks for something and holds nothing else.
func cameIn(in input) (lines []string, understood bool) {
	batch, err := new(event.Decoder).Decode(in.payload, invocation(in.name))
	if err != nil {
		return []string{"not a request"}, false // the reply says why
	}
	understood = (len(batch.Requests) > 0 || batch.Tick || batch.Status != nil) && len(batch.OwnEvents) == 0
	for _, r := range batch.Requests {
		text := "delete backup " + printable(r.BackupID)
		if r.Err != nil {
			text, understood = "not a request: "+r.Err.Message, false
		}
		lines = append(lines, fmt.Sprintf("%s  %s", batch.Source, text))
	}
	for range batch.OwnEvents {
		lines = append(lines, fmt.Sprintf("%s  an outcome event of this program", batch.Source))
	}
	if batch.Tick {
		lines = append(lines, asTick)
	}
	if batch.Status != nil {
		lines = append(lines, fmt.Sprintf("%s  show the state of backup %s", batch.Source, printable(batch.Status.Backup.BackupID)))
	}
	return lines, understood
}

// printable is a text of a payload that cannot do anything to a terminal.
func printable(text string) string { return strings.Trim(strconv.Quote(text), `"`) }

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
		lines = append(lines, e.Type+"  "+describeOutcome(&e.Data))
	}
	return lines
}

// describeOutcome is the data of an event in one line.
func describeOutcome(d *deletion.Data) string {
	var parts []string
	if d.JobID != "" {
		parts = append(parts, "job "+d.JobID)
	}
	if d.Status == deletion.Completed {
		parts = append(parts, fmt.Sprintf("%.0f MB freed, gone after %v", d.SizeKB/1024, time.Duration(d.Seconds)*time.Second))
	}
	if d.Error != nil && (d.JobID == "" || d.Status == deletion.Failed) {
		parts = append(parts, strings.TrimSpace(d.Error.Code+" "+d.Error.Message))
	}
	return strings.Join(parts, ", ")
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
