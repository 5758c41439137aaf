// Package tools_test tests the scripts and workflows that build, sign and install.
package tools_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// `sam deploy` ships arm64, even if another architecture is built as well.
func TestBuildHasAFolderForEachArchitecture(t *testing.T) {
	template := read(t, "template.yaml")
	for _, setting := range []string{"CodeUri: dist/arm64/", "Architectures: [arm64]"} {
		if !strings.Contains(template, "\n      "+setting) {
			t.Errorf("template.yaml has no %s", setting)
		}
	}

	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	into := regexp.MustCompile(`GOARCH=(\S+) .* -o dist/(\S+)/bootstrap `)
	for goarch, want := range map[string][]string{"": {"arm64"}, "arm64": {"arm64"}, "amd64": {"amd64", "arm64"}} {
		cmd := exec.CommandContext(t.Context(), "make", "--dry-run", "--directory", "..", "build")
		cmd.Env = append(os.Environ(), "GOARCH="+goarch, "MAKEFLAGS=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var built []string
		for _, m := range into.FindAllStringSubmatch(string(out), -1) {
			if built = append(built, m[2]); m[1] != m[2] {
				t.Errorf("GOARCH=%s make build: a binary for %s goes to dist/%s", goarch, m[1], m[2])
			}
		}
		if !slices.Equal(built, want) {
			t.Errorf("GOARCH=%s make build: %v, want %v", goarch, built, want)
		}
	}
}

// Terraform takes the zip that `make build-functiongraph` writes.
func TestTerraformTakesTheZipThatIsBuilt(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	cmd := exec.CommandContext(t.Context(), "make", "--dry-run", "--directory", "..", "build-functiongraph")
	cmd.Env = append(os.Environ(), "GOARCH=", "MAKEFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	built := regexp.MustCompile(`build-lambda-zip -o (\S+) `).FindAllSubmatch(out, -1)
	if len(built) != 1 || !strings.Contains(read(t, "deploy/functiongraph/variables.tf"), `default     = "../../`+string(built[0][1])+`"`) {
		t.Errorf("make build-functiongraph writes %q, and deploy/functiongraph/variables.tf takes another file", built)
	}
}

// A commit subject has the form `area: what`.
func TestCommitSubjects(t *testing.T) {
	for subject, want := range map[string]bool{
		"ledger: a lease of no time is refused": true,
		"bench, cmd/handler: less memory":       true,
		"README: the new variable":              true,
		"Merge main":                            true,
		"Revert \"ledger: less\"":               true,
		"Less memory":                           false,
		"ledger:less":                           false,
		"ledger: ":                              false,
		"two words: less":                       false,
		"":                                      false,
	} {
		message := filepath.Join(t.TempDir(), "COMMIT_EDITMSG")
		if err := os.WriteFile(message, []byte(subject+"\n\nThe body: why.\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "./check-commit-message", message).CombinedOutput()
		if (err == nil) != want || !want && !strings.Contains(string(out), "expected `area: what`") {
			t.Errorf("%q: error %v, output %s", subject, err, out)
		}
	}
}

// The job that builds a release cannot sign it, and the job that signs runs no code of the repository.
func TestReleaseIsBuiltAndSignedInTwoJobs(t *testing.T) {
	type job struct {
		Needs       string            `yaml:"needs"`
		Permissions map[string]string `yaml:"permissions"`
		Steps       []struct {
			Uses string `yaml:"uses"`
			Run  string `yaml:"run"`
		} `yaml:"steps"`
	}
	var workflow struct {
		Permissions map[string]string `yaml:"permissions"`
		Jobs        map[string]job    `yaml:"jobs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, ".github/workflows/release.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	if len(workflow.Permissions) != 1 || workflow.Permissions["contents"] != "read" {
		t.Errorf("permissions of the workflow: %v", workflow.Permissions)
	}
	var signing int
	for name, job := range workflow.Jobs {
		var builds, signs, checksOut, publishesBundle bool
		for _, step := range job.Steps {
			builds = builds || strings.Contains(step.Run, "make ")
			signs = signs || strings.HasPrefix(step.Uses, "actions/attest")
			checksOut = checksOut || strings.HasPrefix(step.Uses, "actions/checkout")
			publishesBundle = publishesBundle || strings.Contains(step.Run, `cp "$BUNDLE" "release/`) && strings.Contains(step.Run, "gh release create") && strings.Contains(step.Run, "release/*")
		}
		if builds && len(job.Permissions) > 0 {
			t.Errorf("job %s builds, and has the permissions %v", name, job.Permissions)
		}
		if signs {
			signing++
			if builds || checksOut || job.Needs == "" || job.Permissions["id-token"] != "write" || !publishesBundle {
				t.Errorf("job %s: %+v", name, job)
			}
		}
	}
	if signing != 1 {
		t.Errorf("%d jobs sign", signing)
	}
}

// Actions are pinned by commit, so that nobody can change one under the same name.
func TestActionsArePinned(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, error %v", files, err)
	}
	pinned := regexp.MustCompile(`^uses: \S+@[0-9a-f]{40} # v[0-9.]+$`)
	for _, file := range files {
		for line := range strings.Lines(read(t, strings.TrimPrefix(file, "../"))) {
			if line = strings.TrimPrefix(strings.TrimSpace(line), "- "); strings.HasPrefix(line, "uses: ") && !pinned.MatchString(line) {
				t.Errorf("%s: %s", file, line)
			}
		}
	}
}

// A Python package is installed only if the requirements have the hash of its file.
func TestPythonRequirementsHaveHashes(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-files").Output()
	if err != nil {
		t.Skip("this is not a git repository")
	}
	requirement := regexp.MustCompile(`^[a-z0-9-]+==[^ ]+ \\$`)
	checked := 0
	for file := range strings.FieldsSeq(string(out)) {
		if strings.HasSuffix(file, ".txt") && strings.Contains(read(t, file), "==") {
			checked++
			lines := bufio.NewScanner(strings.NewReader(read(t, file)))
			hashed := true
			for lines.Scan() {
				switch line := lines.Text(); {
				case strings.HasPrefix(line, "#"):
				case strings.HasPrefix(line, "    --hash=sha256:"):
					hashed = true
				case requirement.MatchString(line) && hashed:
					hashed = false
				default:
					t.Errorf("%s: %s", file, line)
				}
			}
			if !hashed {
				t.Errorf("%s: the last requirement has no hash", file)
			}
		}
		if filepath.Ext(file) == "" || filepath.Ext(file) == ".yml" {
			for line := range bytes.Lines([]byte(read(t, file))) {
				if bytes.Contains(line, []byte("pip\" install")) || bytes.Contains(line, []byte("pip install")) {
					if !bytes.Contains(line, []byte("--require-hashes")) {
						t.Errorf("%s: %s", file, line)
					}
				}
			}
		}
	}
	if checked < 5 {
		t.Errorf("%d files with requirements", checked)
	}
}
