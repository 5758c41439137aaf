// Package version says which version of the program this is.
package version

// number is the version, which the linker sets: -X dds-backup-delete/internal/version.number=v1.2.3.
var number = "dev"

// UserAgent is how the program names itself to the services that it calls.
func UserAgent() string { return "dds-backup-delete/" + number }
