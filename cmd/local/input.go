package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func usage(format string, args ...any) error {
	return usageError{fmt.Errorf(format+"; -h shows the usage", args...)}
}

// stdin is the argument that stands for standard input.
const stdin = "-"

// backupID is the form of the ids in the documentation of DDS. A wider one would take a mistyped
// file name for an id.
var backupID = regexp.MustCompile(`^[0-9a-f]{32}br[0-9]{2}$`)

// input is a payload and the argument that it came from.
type input struct {
	name    string
	payload []byte
}

func usesStdin(args []string) bool { return slices.Contains(args, stdin) }

// readAll reads what the arguments name.
func readAll(args []string, in io.Reader) ([]input, error) {
	inputs := make([]input, len(args))
	for i, arg := range args {
		if arg == stdin && usesStdin(args[:i]) {
			return nil, usage("-: appears twice, but standard input can be read only once; expected it once")
		}
		payload, err := read(arg, in)
		if err != nil {
			return nil, err
		}
		inputs[i] = input{arg, payload}
		if arg == stdin {
			inputs[i].name = "stdin"
		}
	}
	return inputs, nil
}

// read reads what one argument names.
func read(arg string, in io.Reader) ([]byte, error) {
	if arg == stdin {
		return readStdin(in)
	}
	_, err := os.Stat(arg)
	isFile, isID := err == nil, backupID.MatchString(arg)
	switch {
	case isFile && isID:
		return nil, usage("%q: both a file and a backup id; expected ./%s for the file, or - with the id on standard input", arg, arg)
	case isID:
		return json.Marshal(map[string]string{"backup_id": arg})
	case isFile:
		var payload []byte
		if payload, err = os.ReadFile(arg); err == nil { //nolint:gosec // the user named it
			return payload, nil
		}
	case strings.HasPrefix(arg, "-"):
		return nil, usage("%q: neither a file nor a backup id; expected flags before the inputs", arg)
	case os.IsNotExist(err):
		return nil, usage("%q: neither a file nor a backup id; expected for example my-event.json or 8d9586c40b33449a815518d4635a2cd9br02", arg)
	}
	return nil, usage("%w", err)
}

// readStdin reads a payload from standard input, or makes one of the backup ids there.
func readStdin(in io.Reader) ([]byte, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	ids := strings.Fields(string(bytes.TrimPrefix(text, []byte("\ufeff"))))
	if len(ids) == 0 {
		return nil, errors.New("-: standard input is empty; expected a JSON payload, or one backup id per line")
	}
	if slices.ContainsFunc(ids, func(id string) bool { return !backupID.MatchString(id) }) {
		return text, nil
	}
	return json.Marshal(map[string][]string{"backup_ids": ids})
}
