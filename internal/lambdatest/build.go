package lambdatest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
)

// Build compiles the main package pkg (an import path, or a path relative to
// the directory dir, starting with "./") for this machine to the file out, with
// the settings it is deployed with: without cgo, -trimpath, -ldflags "-s -w"
// and -tags lambda.norpc. The extra flags of "go build" follow, so they win;
// -race turns cgo on, which it needs. The error carries the compiler's output.
func Build(ctx context.Context, dir, pkg, out string, extra ...string) error {
	out, err := filepath.Abs(out) // go would take it as relative to dir
	if err != nil {
		return fmt.Errorf("lambdatest: build %s: %w", pkg, err)
	}
	cgo := "CGO_ENABLED=0"
	if slices.Contains(extra, "-race") {
		cgo = "CGO_ENABLED=1"
	}
	// No VCS stamp: it would run git in a tree that others may be working in.
	args := slices.Concat(
		[]string{"build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-tags", "lambda.norpc"},
		extra,
		[]string{"-o", out, pkg},
	)

	//nolint:gosec // building what the caller names is the purpose
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), cgo, "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lambdatest: build %s: %w\n%s", pkg, err, output)
	}
	return nil
}
