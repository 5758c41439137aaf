// Package version has the version of the program.
package version

// number is the version, which the linker sets: -X dds-backup-delete/internal/version.number=v1.2.3.
var number = "dev"

// UserAgent returns the name of the program for the services that it calls.
func UserAgent() string { return "dds-backup-delete/" + number }
