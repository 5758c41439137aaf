package lambdatest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Build compiles the main package pkg for this machine to the file out, with the settings it is
// deployed with: without cgo, -trimpath, -ldflags "-s -w" and -tags lambda.norpc. The package is an
// import path, or a path relative to the directory dir that starts with "./". The error has the
// compiler's output.
func Build(ctx context.Context, dir, pkg, out string) error {
	out, err := filepath.Abs(out) // go would take it as relative to dir
	if err != nil {
		return fmt.Errorf("lambdatest: build %s: %w", pkg, err)
	}
	//nolint:gosec // building what the caller names is the purpose
	cmd := exec.CommandContext(ctx, "go", "build",
		"-buildvcs=false", // a stamp would run git in a tree that others may be working in
		"-trimpath", "-ldflags", "-s -w", "-tags", "lambda.norpc", "-o", out, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lambdatest: build %s: %w\n%s", pkg, err, output)
	}
	return nil
}
