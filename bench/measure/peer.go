// Package measure runs the handler and its peers side by side: each as a process of its own,
// over the Lambda Runtime API, against the same upstreams.
package measure

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"dds-backup-delete/internal/lambdatest"
)

// Peer is a program to measure.
type Peer struct {
	// Name is that in the tables.
	Name string
	// Binary is the file that is started.
	Binary string
	// Env are the variables of this peer alone; Ledger those that turn its ledger on, and
	// NoLedger those that turn it off.
	Env, Ledger, NoLedger []string
	// HasLedger says that it can be run with one.
	HasLedger bool
	// Slow says that it works a batch one by one, so that some runs would take minutes.
	Slow bool
	// Idle says that it calls nobody.
	Idle bool
	// Size and Zip are those of what is deployed, in MB.
	Size, Zip float64
}

// The names of the peers.
const (
	Ours       = "this project"
	NoOp       = "no-op"
	SDKGo      = "sdk-go"
	Powertools = "powertools-python"
)

const (
	bus   = "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes"
	queue = "arn:aws:sqs:eu-central-1:123456789012:dds-backup-delete-requests"
	table = "ledger"
)

// Build builds the peers on Lambda below dir; root is the folder of bench.
func Build(ctx context.Context, root, dir string) ([]*Peer, error) {
	peers := []*Peer{
		{Name: NoOp, Idle: true},
		{Name: Ours, HasLedger: true, Env: template, Ledger: []string{"LEDGER=dynamodb://" + table}, NoLedger: []string{"LEDGER=memory"}},
		{Name: SDKGo, HasLedger: true, Ledger: []string{"LEDGER_TABLE=" + table}},
	}
	peers, err := build(ctx, root, dir, peers, map[string]string{NoOp: "peers/noop", Ours: "../cmd/handler", SDKGo: "peers/sdkgo"})
	if err != nil {
		return nil, err
	}
	python := filepath.Join(root, "peers", "powertools", "bootstrap")
	packages, err := filepath.Glob(filepath.Join(root, ".venv", "lib", "*", "site-packages"))
	if err != nil || len(packages) != 1 {
		return nil, fmt.Errorf("measure: %s is not installed; make bench does it", Powertools)
	}
	p := &Peer{
		Name: Powertools, Binary: python, HasLedger: true, Slow: true,
		Ledger: []string{"LEDGER_TABLE=" + table}, NoLedger: []string{"POWERTOOLS_IDEMPOTENCY_DISABLED=true"},
		// The bytecode is there before the first start, as in a package that is deployed well.
		Env: []string{"POWERTOOLS_SERVICE_NAME=dds-backup-delete", "AWS_EXECUTION_ENV=AWS_Lambda_python3.11"},
	}
	if p.Size, p.Zip, err = sizes(packages[0]); err != nil {
		return nil, err
	}
	return append(peers, p), nil
}

// build builds programs in Go from their sources, folders below root.
func build(ctx context.Context, root, dir string, peers []*Peer, sources map[string]string) ([]*Peer, error) {
	for _, p := range peers {
		source := filepath.Join(root, sources[p.Name]) // each is built in its own module
		p.Binary = filepath.Join(dir, filepath.Base(source), "bootstrap")
		if err := lambdatest.Build(ctx, source, ".", p.Binary); err != nil {
			return nil, err
		}
		var err error
		if p.Size, p.Zip, err = sizes(p.Binary); err != nil {
			return nil, err
		}
	}
	return peers, nil
}

// sizes returns the size of a file, or of all in a folder, and that of its zip archive, in MB.
func sizes(path string) (plain, zipped float64, err error) {
	archive, err := os.CreateTemp("", "bench*.zip")
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = archive.Close()
		_ = os.Remove(archive.Name())
	}()
	w := zip.NewWriter(archive)
	var bytes int64
	err = filepath.WalkDir(path, func(file string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		in, err := os.Open(file) //nolint:gosec // a file below the given one
		if err != nil {
			return err
		}
		defer in.Close() //nolint:errcheck // it was read
		out, err := w.Create(file)
		if err != nil {
			return err
		}
		n, err := io.Copy(out, in)
		bytes += n
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	if err := w.Close(); err != nil {
		return 0, 0, err
	}
	info, err := archive.Stat()
	if err != nil {
		return 0, 0, err
	}
	const mb = 1 << 20
	return float64(bytes) / mb, float64(info.Size()) / mb, nil
}
