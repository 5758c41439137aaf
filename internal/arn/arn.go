// Package arn reads Amazon Resource Names.
package arn

import (
	"strings"

	"dds-backup-delete/internal/spelling"
)

// ARN names a resource in one region of AWS: arn:<partition>:<service>:<region>:<account>:<resource>.
type ARN struct{ Service, Region, Account, Resource, text string }

// The longest names of topics and queues, in bytes, ".fifo" included.
const (
	maxTopic = 256
	maxQueue = 80
)

// Parse reads the ARN of something that this program calls: an event bus, an SNS topic, an SQS queue
// or a secret. It reports false for every other text.
func Parse(text string) (ARN, bool) {
	const parts = 6 // the last one may contain colons
	p := strings.SplitN(text, ":", parts)
	if len(p) != parts || p[0] != "arn" {
		return ARN{}, false
	}
	a := ARN{p[2], p[3], p[4], p[5], text}
	partition, isAWS := strings.CutPrefix(p[1], "aws")
	const accountLength = 12
	if !isAWS || !spelling.Only(partition, spelling.Lower+"-") || a.Region == "" || !spelling.Only(a.Region, spelling.Lower+spelling.Digits+"-") ||
		len(a.Account) != accountLength || !spelling.Only(a.Account, spelling.Digits) || !a.isKnown() {
		return ARN{}, false
	}
	return a, true
}

// isKnown reports whether the resource has the form that its service gives it.
func (a ARN) isKnown() bool {
	switch a.Service {
	case "events":
		name, isBus := strings.CutPrefix(a.Resource, "event-bus/")
		return isBus && name != "" && spelling.Only(name, spelling.Letters+spelling.Digits+"/.-_")
	case "sns":
		return isName(a.Resource, maxTopic)
	case "sqs":
		return isName(a.Resource, maxQueue)
	case "secretsmanager":
		name, isSecret := strings.CutPrefix(a.Resource, "secret:")
		return isSecret && name != "" && spelling.Only(name, spelling.Letters+spelling.Digits+"/_+=.@-")
	default:
		return false
	}
}

// isName reports whether a text can name a topic or a queue.
func isName(text string, longest int) bool {
	name := strings.TrimSuffix(text, ".fifo")
	return name != "" && len(text) <= longest && spelling.Only(name, spelling.Letters+spelling.Digits+"-_")
}

// IsFIFO reports whether a topic or queue keeps the order of its messages. Only then its name ends in ".fifo".
func (a ARN) IsFIFO() bool { return strings.HasSuffix(a.Resource, ".fifo") }

// String returns the ARN as text; empty for the zero value.
func (a ARN) String() string { return a.text }
