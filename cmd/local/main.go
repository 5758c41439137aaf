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
	"syscall"
)

const help = `Runs the deployed pipeline on this machine: an event comes in, DDS is called, the outcome goes out.
Without -real, DDS is simulated: no account is needed and nothing real is deleted.

Usage:
  local [input ...]               against the simulated DDS; without input, every sample in events/
  local -serve address            the HTTP API against the simulated DDS
  local -real [-yes] input ...    against the DDS that the environment names; DELETES FOR REAL, after asking

An input is one of:
  a file         a JSON payload, as a source would deliver it
  a backup id    32 hexadecimal digits, "br" and two digits; put any other id in a payload
  -              standard input: a JSON payload, or one backup id per line; with -real it needs -yes

Flags, which come before the inputs:
  -real            delete for real; DDS, project and credentials come from the environment (docs/configuration.md)
  -yes             with -real: do not ask
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

Examples:
  go run ./cmd/local                            every sample event
  go run ./cmd/local -serve :8080               the HTTP API
  go run ./cmd/local -real my-event.json        an event of your own, against the real DDS
  go run ./cmd/local -real 8d9586c40b33449a815518d4635a2cd9br02
  go run ./cmd/local -real -yes - <ids.txt      many backups, without a question

Exit codes ("go run" reports 2 as 1 too; build the program if it matters):
  0   everything was done. With -real: DDS accepted every deletion (or it was a dry run) and every outcome
      was published. Without: every input was a request; without inputs it is always 0.
  1   something was not done: not deleted, not published, not a request, the answer was not yes, or the
      environment is incomplete. The output says what.
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

// run is main without the process.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run says itself what is wrong
	address := flags.String("serve", "", "")
	realDDS := flags.Bool("real", false, "")
	yes := flags.Bool("yes", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(out, help)
		return err
	case err != nil:
		return usage("%w", err)
	}
	switch {
	case *realDDS && *address != "":
		return usage("-serve has no authentication, so it serves the simulated DDS only; leave out -real")
	case *address != "" && flags.NArg() > 0:
		return usage("-serve: unexpected %q; expected no input", flags.Arg(0))
	case *yes && !*realDDS:
		return usage("-yes: expected together with -real, which is what asks")
	case *address != "":
		return runServer(ctx, *address, out)
	}
	inputs, err := readAll(flags.Args(), in)
	switch {
	case err != nil:
		return err
	case !*realDDS:
		return runSimulated(ctx, inputs, out)
	case len(inputs) == 0:
		return usage("-real: no input; expected files, backup ids or -, for example -real my-event.json")
	case !*yes && usesStdin(flags.Args()):
		return usage("-: standard input is read to its end, so the question cannot be answered there; add -yes")
	default:
		return runReal(ctx, inputs, *yes, in, out)
	}
}
