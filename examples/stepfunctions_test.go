package examples_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/event"
)

// state is a state of the Amazon States Language, as far as the example uses it.
type state struct {
	Type, Next, Default string
	End                 bool
	Retry               []struct{ ErrorEquals []string }
	Catch               []struct {
		ErrorEquals []string
		Next        string
	}
	Choices []struct{ Next string }
}

// next returns the states that may follow.
func (s state) next() []string {
	names := []string{s.Next, s.Default}
	for _, c := range s.Catch {
		names = append(names, c.Next)
	}
	for _, c := range s.Choices {
		names = append(names, c.Next)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

func readMachine(t *testing.T, name string) (text []byte, start string, states map[string]state) {
	t.Helper()
	text, err := os.ReadFile("step-functions/" + name + ".asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var machine struct {
		StartAt string
		States  map[string]state
	}
	if err := json.Unmarshal(text, &machine); err != nil {
		t.Fatal(err)
	}
	return text, machine.StartAt, machine.States
}

// Every state can be reached, every name is that of a state, and every way ends.
func TestStatesAreReachable(t *testing.T) {
	for _, name := range []string{"delete-backup", "delete-and-wait", "meet-end"} {
		t.Run(name, func(t *testing.T) { checkStates(t, name) })
	}
}

func checkStates(t *testing.T, machine string) {
	t.Helper()
	_, start, states := readMachine(t, machine)
	reached, todo := map[string]bool{}, []string{start}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		s, there := states[name]
		if !there {
			t.Fatalf("there is no state %s", name)
		}
		if reached[name] {
			continue
		}
		reached[name] = true
		todo = append(todo, s.next()...)
		ends := s.End || s.Type == "Succeed" || s.Type == "Fail"
		if goesOn := s.Next != "" || s.Type == "Choice" && s.Default != ""; ends == goesOn {
			t.Errorf("%s ends: %v, goes on: %v", name, ends, goesOn)
		}
	}
	if len(reached) != len(states) {
		t.Errorf("of %q only %q can be reached", slices.Sorted(maps.Keys(states)), slices.Sorted(maps.Keys(reached)))
	}
}

// errorNames returns the error names of internal/event, out of its source: they are no
// part of its Go API.
func errorNames(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/event/reply.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(literal.Value, `"DDS.`) {
			names = append(names, strings.Trim(literal.Value, `"`))
		}
		return true
	})
	slices.Sort(names)
	return names
}

// The machine matches each error name of the program, and none that the program does not have.
func TestErrorNames(t *testing.T) {
	_, start, states := readMachine(t, "delete-backup")
	found := map[string]bool{}
	for _, r := range states[start].Retry {
		for _, name := range r.ErrorEquals {
			found[name] = true
		}
	}
	for _, c := range states[start].Catch {
		for _, name := range c.ErrorEquals {
			found[name] = true
		}
	}
	got := slices.DeleteFunc(slices.Sorted(maps.Keys(found)), func(name string) bool { return !strings.HasPrefix(name, "DDS.") })
	if diff := cmp.Diff(errorNames(t), got); diff != "" {
		t.Errorf("error names (-program +machine):\n%s", diff)
	}
}

// serveInvocations answers what tools/stepfunctions.py asks, with the whole function.
func serveInvocations(t *testing.T, server *ddstest.Server) (url string) {
	t.Helper()
	h := handlerOver(t, server)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		reply, err := h.Handle(r.Context(), event.Invocation{ID: "invocation"}, payload)
		var failure *event.FunctionError
		switch {
		case errors.As(err, &failure):
			reply, err = json.Marshal(map[string]string{"errorType": failure.Type, "errorMessage": failure.Message})
		case err != nil:
			t.Error(err)
		}
		if err == nil {
			err = json.NewEncoder(w).Encode(map[string]any{"payload": json.RawMessage(reply), "error": failure != nil})
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// An interpreter of the language runs the machine against the function: what each error leads to.
func TestMotoRunsTheMachine(t *testing.T) {
	python := os.Getenv("MOTO_PYTHON")
	if python == "" {
		t.Skip("MOTO_PYTHON is not set: make test-aws")
	}
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	samples := ddstest.SampleBackups()
	server.Add(samples...)
	id := func(i int) string { return samples[i].ID }
	for i, fault := range []ddstest.Fault{
		1: ddstest.Answer(400, "DBS.201319", "a restoration").Repeat(2),
		2: ddstest.Answer(400, "DBS.201319", "a restoration").Repeat(-1),
		3: ddstest.Answer(403, "DBS.280063", "no rights").Repeat(-1),
		4: ddstest.NoJobID(),
	} {
		if i > 0 {
			server.Inject(fault.For(id(i)))
		}
	}
	want := []struct{ backup, status, said string }{
		{id(0), "SUCCEEDED", `"status": "accepted"`},
		{id(1), "SUCCEEDED", `"status": "accepted"`},
		{id(2), "FAILED", "DDS.Conflict"},
		{id(3), "FAILED", "RightsToMend"},
		{id(4), "SUCCEEDED", `"status": "unconfirmed"`},
		{"00000000000000000000000000000000br02", "SUCCEEDED", "DDS.NotFound"},
		{"not.an.id", "FAILED", "Refused"},
	}
	inputs := make([]map[string]string, len(want))
	for i, w := range want {
		inputs[i] = map[string]string{"backup_id": w.backup}
	}
	input, err := json.Marshal(map[string]any{"definition": hurried(t), "inputs": inputs, "function": serveInvocations(t, server)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "../tools/stepfunctions.py")
	var log bytes.Buffer // moto tells of each failed execution there
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, log.Bytes())
	}
	var got []struct{ Status, Output, Error, Cause string }
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(want) {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, w := range want {
		if got[i].Status != w.status || !strings.Contains(got[i].Output+got[i].Error, w.said) {
			t.Errorf("%s: %+v, want %s with %s", w.backup, got[i], w.status, w.said)
		}
	}
}

// A token and the end event of its attempt find each other in either order, and the one that comes alone is kept. moto cannot
// run sendTaskSuccess, so the test looks at the parameters of the call.
func TestMotoBringsTheEndToItsToken(t *testing.T) {
	python := os.Getenv("MOTO_PYTHON")
	if python == "" {
		t.Skip("MOTO_PYTHON is not set: make test-aws")
	}
	text, _, _ := readMachine(t, "meet-end")
	var definition map[string]any
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte("${MeetTable}"), []byte("meet")), &definition); err != nil {
		t.Fatal(err)
	}
	tell := at[map[string]any](t, definition, "States.Tell")
	if tell["Resource"] != "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess" {
		t.Errorf("Tell calls %v", tell["Resource"])
	}
	at[map[string]any](t, definition, "States")["Tell"] = map[string]any{"Type": "Pass", "Parameters": tell["Parameters"], "End": true}
	for _, name := range []string{"Met", "NobodyWaits"} { // only Tell leads there
		delete(at[map[string]any](t, definition, "States"), name)
	}
	token := func(backup string, attempt int) any {
		return map[string]string{"attempt": fmt.Sprintf("%s/%d", backup, attempt), "token": fmt.Sprintf("token-of-%s/%d", backup, attempt)}
	}
	end := func(backup string, attempt int) any {
		return map[string]any{"detail-type": "dds.backup.deletion.completed.v1", "detail": map[string]any{
			"subject": backup, "data": map[string]any{"status": "completed", "backup_id": backup, "attempt": attempt},
		}}
	}
	input, err := json.Marshal(map[string]any{
		"definition": definition, "inputs": []any{token("a", 1), end("b", 1), end("a", 1), token("b", 1), token("b", 2), end("b", 2)}, "table": "meet", "one_by_one": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "../tools/stepfunctions.py")
	var log bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, log.Bytes())
	}
	var got []struct{ Status, Output string }
	if err := json.Unmarshal(out, &got); err != nil || len(got) != 6 {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, told := range []string{"", "", "a/1", "b/1", "", "b/2"} {
		var call struct{ TaskToken, Output string }
		if err := json.Unmarshal([]byte(got[i].Output), &call); err != nil || got[i].Status != "SUCCEEDED" {
			t.Fatalf("execution %d: %+v, %v", i, got[i], err)
		}
		if told == "" {
			if call.TaskToken != "" {
				t.Errorf("execution %d calls with %+v, want no call", i, call)
			}
			continue
		}
		var ended struct {
			Subject string
			Data    struct{ Attempt int }
		}
		if err := json.Unmarshal([]byte(call.Output), &ended); err != nil {
			t.Fatal(err)
		}
		if end := fmt.Sprintf("%s/%d", ended.Subject, ended.Data.Attempt); call.TaskToken != "token-of-"+told || end != told {
			t.Errorf("execution %d calls with %+v, want token and end of %s", i, call, told)
		}
	}
}

// hurried returns the machine with its waits cut to a second and its tries to three.
func hurried(t *testing.T) any {
	t.Helper()
	text, start, _ := readMachine(t, "delete-backup")
	var machine map[string]any
	if err := json.Unmarshal(text, &machine); err != nil {
		t.Fatal(err)
	}
	for i := range at[[]any](t, machine, "States."+start+".Retry") {
		retry := at[map[string]any](t, machine, fmt.Sprintf("States.%s.Retry.%d", start, i))
		retry["IntervalSeconds"], retry["BackoffRate"], retry["MaxAttempts"] = 1, 1, 2
		delete(retry, "MaxDelaySeconds")
	}
	at[map[string]any](t, machine, "States."+start+".Parameters")["FunctionName"] = "arn:aws:lambda:eu-central-1:123456789012:function:f"
	return machine
}
