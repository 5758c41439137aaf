package dds

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"dds-backup-delete/internal/secret"
)

const (
	// maxMessage bounds, in bytes, how much of a foreign text is kept.
	maxMessage = 512
	// maxForeign bounds, in bytes, how much of a foreign text is looked at.
	maxForeign = 32 << 10
)

// echo finds where a foreign text begins to repeat what it was sent: the canonical request, the
// string to sign, a header with credentials or the signature, however they are spelled. It is compiled
// when it is first needed, which for most processes is never.
var echo = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)canonical[\W_]*(?:request|headers|query|uri)` +
		`|string[\W_]*to[\W_]*sign` +
		`|(?:SDK|V11)-HMAC-` +
		`|(?:authorization|x-auth-token|x-security-token|security[\W_]?token|signature|cookie)["'\\ ]*[:=]` +
		`|\bbearer\s`)
})

// userinfo finds a user and a password in an address.
var userinfo = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`//[^/\s@]*@`)
})

// printable makes a foreign text safe to log and to hand on: it holds no secret of this process and
// no echo of a request, has no control characters, and is bounded. Secrets go first, because the
// part of one that is left by a cut would not be recognised.
func printable(s string) string {
	s = redacted(s[:min(len(s), maxForeign)])
	if at := echo().FindStringIndex(s); at != nil {
		s = strings.TrimRight(s[:at[0]], " ,;:([{\"'\\") + "…"
	}
	if len(s) > maxMessage {
		s = s[:maxMessage]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, ""))
}

// redacted returns s without secrets: those of this process, and those in addresses, such as that of
// a proxy.
func redacted(s string) string {
	if strings.Contains(s, "@") {
		s = userinfo().ReplaceAllString(s, "//"+secret.Redacted+"@")
	}
	return secret.Redact(s)
}

// redacting returns a handler that keeps secrets out of the causes of errors. A proxy and the source
// of the credentials repeat what they were sent, too.
func redacting(next handler) handler {
	return func(c *call) (*response, error) {
		resp, err := next(c)
		var e *Error
		if errors.As(err, &e) && e.Err != nil {
			e.Err = &foreignError{e.Err}
		}
		return resp, err
	}
}

// foreignError is an error with the text of others, as [printable] has it.
type foreignError struct{ error }

func (e *foreignError) Error() string { return printable(e.error.Error()) }

func (e *foreignError) Unwrap() error { return e.error }
