package deletion_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The tests of this package must notice when a rule of docs/decisions/0003-ledger.md is broken. Each mutant
// breaks one; it is compiled over the real file, which stays as it is.
func TestMutants(t *testing.T) {
	if os.Getenv("DELETION_MUTANTS") == "" {
		t.Skip("minutes: DELETION_MUTANTS=1 runs it, as CI does")
	}
	for _, m := range []struct{ rule, file, old, mutant, run string }{
		{"an expired lease may have sent the DELETE", "machine.go", "i.MaybeSent, i.Plan.Since = true, i.LeaseUntil // its holder died or is frozen", "", "Promise"},
		{"a refusal needs the lease", "machine.go", "case i.Lease != h.token:\n\t\treturn false, false, ErrLeaseLost\n\t}\n\tfor", "}\n\tfor", "Promise"}, //nolint:dupword // it is code
		{"unconfirmed needs the lease", "machine.go", "case o.Status != Accepted && i.Lease != h.token:", "case false:", "Thawed"},
		{"nothing replaces a job id", "machine.go", "upgrade := o.Status == Accepted && i.Answer.Status == Unconfirmed", "upgrade := true", "Thawed"},
		{"a lost warning", "machine.go", `"", time.Time{}, maybeSent`, `"", time.Time{}, false`, "Promise"},
		{"by request first", "machine.go", "if a, ok := i.Answers[key]; ok {\n\t\treturn a, true\n\t}\n\tfor _, e", "for _, e", "Promise"},
		{"what is not delivered again is due before it is worked", "machine.go", "i.wait(h, &o.Request, h.until, true)", "", "Promise"},
		{"a busy lease parks", "machine.go", "i.wait(h, &o.Request, i.LeaseUntil, false)", "", "Promise"},
		{"a refusal is owed", "machine.go", "i.owe(key, h.now.Add(publishing))", "", "Promise"},
		{"an answer is owed", "machine.go", "i.owe(owedAnswer, h.now.Add(publishing))", "", "Promise"},
		{"the last receive is abandoned", "machine.go", "if w.Abandon || w.exhausted(h.now) {", "if w.exhausted(h.now) {", "Receive"},
		{"a kill of the last receive is no silence", "end.go", "if w.Abandon && !w.Next.After(now) {", "if w.Abandon && !w.Next.After(now) && false {", "Promise"},
		{"a tick works what is due, and only that", "machine.go", "(!waits || w.Abandon || w.Next.After(h.now))", "(!waits || w.Abandon)", "Promise|Parking|TwoTicks"},
		{"what refuses, refuses only while no DELETE may have been sent", "machine.go", "if i.MaybeSent {\n\t\t\trefused", "if false {\n\t\t\trefused", "Promise|Expiry"},
		{"an expired request sends no DELETE", "process.go", "case c.lookOnly:", "case false:", "Promise|Expiry"},
		{"an expired request is refused", "machine.go", "if err == nil {\n\t\t\tleft", "if err == nil || true {\n\t\t\tleft", "Promise|Expiry"},
		{"the attempt is part of the id of an answer", "outcome.go", "append(parts, attemptParts(attempt)...)...", "parts...", "Promise|Attempt"},
		{"the attempt is part of the id of an end", "end.go", `"end"}, attemptParts(p.Attempt)...)`, `"end"}, attemptParts(0)...)`, "Promise|Attempt"},
		{"a second job has an id of its own", "outcome.go", "case again && o.JobID != \"\":", "case false:", "Promise"},
		{"a failed attempt keeps its answer", "end.go", "p.Earlier = append(p.Earlier, Earlier{i.Answer, p.Asked})", "", "Promise|Attempt"},
		{"a failed attempt reopens the item", "end.go", "i.Answer = Answer{}\n\tp.Attempt++", "p.Attempt++", "Promise|Attempt"},
		{"a job id never passes an end", "machine.go", "ended := i.Plan.Attempt != attempt || i.Plan.End != nil && i.Plan.End.Attempt == attempt", "ended := false", "Thawed"},
		{"an end is owed", "end.go", "i.owe(owedEnd, now.Add(publishing))", "", "Promise|Ends"},
		{"one end", "end.go", "p.Check = nil\n\tif status != Failed {", "if status != Failed {", "Promise|Ends"},
		{"absent in two looks", "end.go", "case c.Absent.IsZero():\n\t\tc.Absent, c.Next = now, now.Add(apart)\n", "", "Ends|Apart"},
		{"the two looks are apart", "end.go", "apart = 5 * time.Minute", "apart = time.Minute", "Apart"},
		{"being seen again begins anew", "end.go", "c.Absent = time.Time{}\n", "", "Ends"},
		{"a running job keeps a check open", "end.go", "now.Sub(i.since()) >= week && job != JobRunning:", "now.Sub(i.since()) >= week:", "Ends"},
		{"an error proves nothing", "tick.go", "t.postpone(ctx, i)\n\t\t\treturn\n\t\t}\n\t}\n\tt.count", "}\n\t}\n\tt.count", "Ends"},
		{"a settled event is not published for ever", "tick.go", "func(i *Item) bool { return i.settle(taken) }", "func(i *Item) bool { return false }", "Promise|Owed"},
		{"a lease is settled by a tick", "machine.go", "p.Check = &Check{Next: h.until}", "", "Promise|Settled"},
		{"another project is left alone", "tick.go", "if !t.scope.hasProject(key.ProjectID) {", "if false {", "LeavesAlone"},
		{"another region is left alone", "tick.go", "!t.scope.hasRegion(i.Plan.Region) {", "false {", "LeavesAlone"},
		{"a tick deletes nothing while deletions are stopped", "tick.go", "if !s.StopDeletions && !s.DryRun {", "if !s.DryRun {", "LeavesAlone"},
		{"what waits is bounded", "machine.go", "return total <= maxWaiting\n", "return true\n", "Bounded"},
		{"tries are counted", "machine.go", "w.Counted++", "", "AWaitingRequest"},
		{"age ends a wait", "machine.go", "|| now.Sub(w.Since) >= week", "", "AWaitingRequest"},
		{"parking again resets nothing", "machine.go", "if !again {", "if true {", "AWaitingRequest|Parking"},
	} {
		t.Run(m.rule, func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(m.file)
			if err != nil || strings.Count(string(source), m.old) != 1 {
				t.Fatalf("%s has %d places of %q, error %v; want one", m.file, strings.Count(string(source), m.old), m.old, err)
			}
			dir := t.TempDir()
			path, err := filepath.Abs(m.file)
			if err != nil {
				t.Fatal(err)
			}
			mutated, overlay := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json")
			replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutated}})
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{mutated: strings.Replace(string(source), m.old, m.mutant, 1), overlay: string(replace)} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.CommandContext(t.Context(), "go", "test", "-short", "-failfast", "-vet=off", "-overlay", overlay, "-run", m.run, ".").CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("no test notices it")
			case strings.Contains(string(out), "[build failed]"):
				t.Errorf("the mutant does not compile:\n%s", out)
			}
		})
	}
}
