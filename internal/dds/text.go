package dds

import (
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/spelling"
)

const (
	// maxMessage bounds, in bytes, how much of a text from outside is kept.
	maxMessage = 512
	// maxID is how long, in bytes, the ids and codes of DDS are at most.
	maxID = 64
	// maxRead bounds, in bytes, how much of it is looked at.
	maxRead = 32 << 10
)

// repeatedRequest finds where a text begins to repeat what was sent: the canonical request, the string
// to sign, a header with credentials or the signature, in any spelling. Like userinfo it is compiled
// when it is first needed, because most processes never need it.
var repeatedRequest = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)canonical[\W_]*(?:request|headers|query|uri)` +
		`|string[\W_]*to[\W_]*sign` +
		`|(?:SDK|V11)-HMAC-` +
		`|(?:authorization|x-auth-token|x-security-token|security[\W_]?token|signature|cookie)["'\\ ]*[:=]` +
		`|\bbearer\s`)
})

// userinfo finds a user and a password in an address, for example that of a proxy.
var userinfo = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`//[^/\s@]*@`) })

// printable makes a text from outside safe to log and publish: it contains no secret of this process,
// no repeated request and no control characters, and is bounded. Secrets are removed first, because a
// cut through a secret would make its rest unrecognizable.
func printable(s string) string {
	if len(s) <= maxID && spelling.Only(s, spelling.Letters+spelling.Digits+"-._") { // an id or a code, as nearly always
		return secret.Redact(s)
	}
	s = s[:min(len(s), maxRead)]
	if strings.Contains(s, "@") {
		s = userinfo().ReplaceAllString(s, "//"+secret.Redacted+"@")
	}
	s = secret.Redact(s)
	at := repeatedRequest().FindStringIndex(s)
	if at != nil {
		s = strings.TrimRight(s[:at[0]], " ,;:([{\"'\\") + "…"
	}
	s = s[:min(len(s), maxMessage)]
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, ""))
}

// text reads a JSON string or number: IAM's code is a number, the others are strings. Anything else
// reads as empty, so that one bad member does not hide the others.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	var n json.Number
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	} else if json.Unmarshal(b, &n) == nil {
		*t = text(n)
	}
	return nil
}
