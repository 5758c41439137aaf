// Package simulation starts a DDS without an account: that of tests, and of cmd/local.
package simulation

import (
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/secret"
)

// Start starts a simulated DDS with these options that has the backups of the sample events, and returns a
// configuration of a program that calls it. The server must be closed.
func Start(o ddstest.Options) (*ddstest.Server, *config.Config) {
	server := ddstest.NewServer(o)
	server.Add(ddstest.SampleBackups()...)
	return server, &config.Config{
		Credentials: config.Credentials{Keys: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)}},
		ProjectID:   ddstest.ProjectID,
		Region:      ddstest.Region,
		Endpoints:   map[string]string{ddstest.Region: server.URL()},
		IAMEndpoint: server.URL(),
		Concurrency: 32,
		Sink:        config.Sink{Kind: config.Stdout},
		Ledger:      config.Ledger{Kind: config.Memory},
	}
}
