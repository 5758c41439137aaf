// Package arn reads Amazon Resource Names.
package arn

import (
	"strings"

	"dds-backup-delete/internal/spelling"
)

// ARN names a resource in one region of AWS: arn:<partition>:<service>:<region>:<account>:<resource>.
type ARN struct{ Service, Region, Account, Resource, text string }

// resources are the forms of the resources that this program calls, by service.
var resources = map[string]struct {
	prefix     string
	characters string // allowed in the name besides letters and digits
	longest    int    // name in bytes, ".fifo" included
}{
	"events":         {"event-bus/", "/.-_", 256},
	"sns":            {"", "-_", 256},
	"sqs":            {"", "-_", 80},
	"secretsmanager": {"secret:", "/_+=.@-", 519}, // 512 and the suffix that AWS adds
}

// Parse reads the ARN of something that this program calls: an event bus, an SNS topic, an SQS queue
// or a secret. It reports false for every other text.
func Parse(text string) (ARN, bool) {
	p := strings.SplitN(text, ":", 6) // the last part may contain colons
	if len(p) != 6 || p[0] != "arn" {
		return ARN{}, false
	}
	a := ARN{p[2], p[3], p[4], p[5], text}
	partition, isAWS := strings.CutPrefix(p[1], "aws")
	if !isAWS || !spelling.Only(partition, spelling.Lower+"-") || a.Region == "" || !spelling.Only(a.Region, spelling.Lower+spelling.Digits+"-") ||
		len(a.Account) != 12 || !spelling.Only(a.Account, spelling.Digits) || !a.isKnown() {
		return ARN{}, false
	}
	return a, true
}

// isKnown reports whether the resource has the form that its service gives it.
func (a ARN) isKnown() bool {
	form, known := resources[a.Service]
	name, hasPrefix := strings.CutPrefix(a.Resource, form.prefix)
	base := strings.TrimSuffix(name, ".fifo")
	return known && hasPrefix && base != "" && len(name) <= form.longest && spelling.Only(base, spelling.Letters+spelling.Digits+form.characters)
}

// IsFIFO reports whether a topic or queue keeps the order of its messages. Only then its name ends in ".fifo".
func (a ARN) IsFIFO() bool { return strings.HasSuffix(a.Resource, ".fifo") }

// String returns the ARN as text; empty for the zero value.
func (a ARN) String() string { return a.text }
