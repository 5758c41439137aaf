// Command local runs the deployed pipeline on a laptop: against a simulated DDS, or with -real
// against the DDS that the environment names. Its -h has examples and exit codes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const help = `Runs the deployed pipeline on this machine: an event comes in, DDS is called, the outcome goes out.
Without -real, DDS is simulated: no account is needed and nothing real is deleted.

Usage:
  local [input ...]               against the simulated DDS; without input, every sample in events/
  local -serve address            the HTTP API against the simulated DDS
  local -real [-yes] input ...    against the DDS that the environment names; DELETES FOR REAL, after asking
  local -real [-yes] -tick        what is due in the ledger of the environment; DELETES FOR REAL, after asking
  local -real -list [-json]       the manual backups of the project: id, instance, age, size and state
  local -real -check              whether the environment is right: address, key, project, permissions, ledger

An input is one of:
  a file         a JSON payload, as a source would deliver it
  a backup id    32 hexadecimal digits, "br" and two digits; put any other id in a payload
  -              standard input: a JSON payload, or one backup id per line; with -real it needs -yes

Flags, which come before the inputs:
  -real            delete for real; DDS, project and credentials come from the environment (docs/configuration.md)
  -yes             with -real: do not ask
  -tick            with -real: do what is due in the ledger
  -list            with -real: show the manual backups; nothing is changed
  -json            with -list: show them as JSON
  -check           with -real: look whether the environment is right; nothing is deleted or published
  -serve address   serve at this address, for example :8080, which means 127.0.0.1:8080
  -h               show this text

With -real:
  - Nothing is deleted if any part of an input is not a request.
  - Each backup is looked up first, and only a finished manual one is deleted. This needs the permission
    dds:backup:list. REQUIRE_MANUAL=false switches it off; here, unset means true.
  - DRY_RUN=true does everything except the deletion.
  - Outcomes are published to OUTCOME_SINK; the default, stdout, prints them.
  - With LEDGER=memory, the default, a repeated run asks DDS again. With LEDGER=dynamodb://<table> or
    redis://<host>, it publishes the recorded outcome again.
  - With FOLLOW=true, which needs such a ledger, ticks look whether the backup is gone, and publish the end
    of each deletion: those of the stack's schedule, or of -tick.

With -real -tick:
  - What the schedule of the stack has done every five minutes is done once, until nothing is due or DDS throttles calls:
    requests that wait are tried, deletions are followed, and events that the sink did not take are published.
  - LEDGER must be that of the stack, and so must OUTCOME_SINK: an event is published once, wherever that is.
  - Under DRY_RUN and STOP_DELETIONS, the requests are left alone.

With -real -list and -check:
  - The list has every manual backup of the default project, newest first. Ages count from the begin of the backup.
    In JSON, "deletable" and "reason" say whether a request for it would be sent to DDS.
  - The check asks DDS to delete an id of 128 random bits, which no backup has: only the permission decides about the
    answer. With STOP_DELETIONS=true it leaves that out.

Without -real, the settings are those of the stack, and the clock is simulated: after the inputs, ticks come every five
simulated minutes, until nothing is due. With -serve, a simulated minute passes each second.

Examples:
  go run ./cmd/local                            every sample event
  go run ./cmd/local -serve :8080               the HTTP API
  go run ./cmd/local -real -check               is the environment right?
  go run ./cmd/local -real -list                which backups are there?
  go run ./cmd/local -real my-event.json        an event of your own, against the real DDS
  go run ./cmd/local -real 8d9586c40b33449a815518d4635a2cd9br02
  go run ./cmd/local -real -yes - <ids.txt      many backups, without a question
  go run ./cmd/local -real -tick                what is due in the ledger

Exit codes ("go run" reports 2 as 1 too; build the program if it matters):
  0   everything was done. With -real: DDS accepted every deletion (or it was a dry run) and every outcome
      was published. With -tick: all that was due was done, or nothing was due. Without -real: every input was
      a request, a tick or a question for the state of a backup; without inputs it is always 0.
  1   something was not done: not deleted, not published, not a request, the answer was not yes, or the
      environment is incomplete or, by -check, not right. With -tick: a request waits on, a look or the ledger failed, or DDS throttled
      calls; what was not done stays due. The output says what.
  2   wrong usage: a flag, or an input that is neither a file nor a backup id
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
	}
	os.Exit(exitCode(err))
}

// exitCode returns the exit code that help documents.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, wrongUse := errors.AsType[usageError](err); wrongUse {
		return 2
	}
	return 1
}

// options is a command line.
type options struct {
	address           string
	real, yes, tick   bool
	list, json, check bool
	args              []string
}

// problem returns what is wrong with a command line, before its inputs are read.
func (o *options) problem() error {
	switch {
	case o.json && !o.list:
		return usage("-json: expected together with -list")
	case o.real && o.address != "":
		return usage("-serve has no authentication, so it serves the simulated DDS only; leave out -real")
	case o.address != "" && len(o.args) > 0:
		return usage("-serve: unexpected %q; expected no input", o.args[0])
	case o.yes && !o.real:
		return usage("-yes: expected together with -real, which is what asks")
	}
	var modes []string // in place of inputs
	for _, mode := range []struct {
		name string
		set  bool
	}{{"-tick", o.tick}, {"-list", o.list}, {"-check", o.check}} {
		if mode.set {
			modes = append(modes, mode.name)
		}
	}
	switch {
	case len(modes) == 0:
		return nil
	case len(modes) > 1:
		return usage("%s: expected one of them", strings.Join(modes, " and "))
	case !o.real:
		return usage("%s: expected together with -real", modes[0])
	case len(o.args) > 0:
		return usage("%s: unexpected %q; expected no input", modes[0], o.args[0])
	default:
		return nil
	}
}

// run is main without the process.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run says itself what is wrong
	flags.StringVar(&o.address, "serve", "", "")
	flags.BoolVar(&o.real, "real", false, "")
	flags.BoolVar(&o.yes, "yes", false, "")
	flags.BoolVar(&o.tick, "tick", false, "")
	flags.BoolVar(&o.list, "list", false, "")
	flags.BoolVar(&o.json, "json", false, "")
	flags.BoolVar(&o.check, "check", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(out, help)
		return err
	case err != nil:
		return usage("%w", err)
	}
	o.args = flags.Args()
	if err := o.problem(); err != nil {
		return err
	}
	switch {
	case o.tick:
		return runTick(ctx, o.yes, in, out)
	case o.list:
		return runList(ctx, o.json, out)
	case o.check:
		return runCheck(ctx, out)
	case o.address != "":
		return runServer(ctx, o.address, minutePasses, out)
	}
	inputs, err := readAll(o.args, in)
	switch {
	case err != nil:
		return err
	case !o.real:
		return runSimulated(ctx, inputs, out)
	case len(inputs) == 0:
		return usage("-real: no input; expected files, backup ids or -, for example -real my-event.json, or -tick")
	case !o.yes && usesStdin(o.args):
		return usage("-: standard input is read to its end, so the question cannot be answered there; add -yes")
	default:
		return runReal(ctx, inputs, o.yes, in, out)
	}
}
