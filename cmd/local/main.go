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
  local -real [-yes] -tick        does what is due in the ledger of the environment; DELETES FOR REAL, after asking
  local -real -list [-json]       lists the manual backups of the project: id, instance, age, size and state
  local -real -check              checks the environment: address, key, project, permissions, ledger

An input is one of:
  a file         a JSON payload, as a source would deliver it
  a backup id    32 hexadecimal digits, "br" and two digits; put any other id in a payload
  -              standard input: a JSON payload, or one backup id per line; with -real it needs -yes

Flags, which come before the inputs:
  -real            delete for real; DDS, project and credentials come from the environment (docs/configuration.md)
  -yes             with -real: do not ask
  -tick            with -real: do what is due in the ledger
  -list            with -real: list the manual backups; nothing is changed
  -json            with -list: print the list as JSON
  -check           with -real: check the environment; nothing is deleted or published
  -serve address   serve at this address, for example :8080, which means 127.0.0.1:8080
  -h               show this text

With -real:
  - Nothing is deleted if any part of an input is not a request.
  - Each backup is looked up first, and only a finished manual backup is deleted. This needs the permission
    dds:backup:list. REQUIRE_MANUAL=false switches it off; unset means true here.
  - DRY_RUN=true does everything except the deletion.
  - Outcomes are published to OUTCOME_SINK; the default, stdout, prints them.
  - With LEDGER=memory, the default, a repeated run asks DDS again. With LEDGER=dynamodb://<table> or
    redis://<host>, it publishes the recorded outcome again.
  - FOLLOW=true needs such a ledger. Ticks then check whether the backup is gone, and publish the end of each
    deletion. The schedule of the stack sends ticks; -tick runs one.

With -real -tick:
  - It does once what the scheduled ticks of the stack do, until nothing is due or DDS throttles calls: it retries
    requests that wait, follows deletions, and publishes events that the sink did not accept.
  - LEDGER and OUTCOME_SINK must be those of the stack: an event is published only once, to the sink of this run.
  - With DRY_RUN or STOP_DELETIONS, requests that wait are not processed.

With -real -list and -check:
  - The list has every manual backup of the default project, newest first. Ages count from the start of the backup.
    In JSON, "deletable" and "reason" say whether a request for the backup would be sent to DDS.
  - The check asks DDS to delete an id of 128 random bits, which no backup has. So the answer depends only on the
    permission. It does so with DRY_RUN=true, too; with STOP_DELETIONS=true it sends no DELETE.

Without -real, the settings are those of the stack, and the clock is simulated: after the inputs, ticks come every five
simulated minutes, until nothing is due. With -serve, a simulated minute passes each second.

Examples:
  go run ./cmd/local                            every sample event
  go run ./cmd/local -serve :8080               the HTTP API
  go run ./cmd/local -real -check               check the environment
  go run ./cmd/local -real -list                list the backups
  go run ./cmd/local -real my-event.json        an event of your own, against the real DDS
  go run ./cmd/local -real 8d9586c40b33449a815518d4635a2cd9br02
  go run ./cmd/local -real -yes - <ids.txt      many backups, without a question
  go run ./cmd/local -real -tick                do what is due in the ledger

Exit codes ("go run" also reports 2 as 1; build the program if it matters):
  0   everything was done. With -real: DDS accepted every deletion (or it was a dry run) and every outcome
      was published. With -tick: everything due was done, or nothing was due. Without -real: every input was
      a request, a tick or a question for the state of a backup; without inputs it is always 0.
  1   something was not done: a backup was not deleted, an outcome was not published, an input was not a request,
      the answer was not yes, or the environment is incomplete. With -check: a check failed. With -tick: a request
      still waits, a look-up or the ledger failed, or DDS throttled calls; the rest stays due. The output says what.
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
		return usage("-json: needs -list; expected for example -real -list -json")
	case o.real && o.address != "":
		return usage("-serve: has no authentication, so it serves only the simulated DDS; expected no -real")
	case o.address != "" && len(o.args) > 0:
		return usage("-serve: unexpected %q; expected no input", o.args[0])
	case o.yes && !o.real:
		return usage("-yes: needs -real; expected for example -real -yes my-event.json")
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
		return usage("%s: cannot be combined; expected one of them", strings.Join(modes, " and "))
	case !o.real:
		return usage("%s: needs -real; expected -real %s", modes[0], modes[0])
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
		return usage("-real: no input; expected files, backup ids, - or -tick, for example -real my-event.json")
	case !o.yes && usesStdin(o.args):
		return usage("-: reads all of standard input, so you cannot answer the question there; expected -yes too, for example -real -yes -")
	default:
		return runReal(ctx, inputs, o.yes, in, out)
	}
}
