package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"dds-backup-delete/internal/secret"
)

// maxQuoted is how many characters of a value a message repeats.
const maxQuoted = 60

// quote returns a value in quotes, which show blanks and line ends, shortened, and without what may
// be secret: every known secret, and the user, password and query of an address.
func quote(value string) string { return quoteUpTo(value, "?#") }

// quoteAddress is quote for the address of a receiver, whose path may also be a secret.
func quoteAddress(value string) string { return quoteUpTo(value, "/?#") }

// quoteUpTo cuts an address after its host, where one of the characters begins what may be secret. Only
// the scheme of a value with an @ is kept, because a password may come first. ARNs are not addresses.
func quoteUpTo(value, secretFrom string) string {
	value = secret.Redact(value)
	if !strings.HasPrefix(value, "arn:") {
		host := 0
		if i := strings.Index(value, "://"); i >= 0 {
			host = i + len("://")
		}
		if i := strings.IndexAny(value[host:], secretFrom); strings.Contains(value[host:], "@") {
			value = value[:host] + "…"
		} else if i >= 0 && host+i < len(value)-1 {
			value = value[:host+i+1] + "…"
		}
	}
	if utf8.RuneCountInString(value) > maxQuoted {
		value = string([]rune(value)[:maxQuoted]) + "…"
	}
	return strconv.Quote(value)
}

// checkSecret refuses a secret with a character that no secret has. Most often it was pasted with its
// quotes or comes from a file that ends with a line end. The error contains nothing of the secret.
func checkSecret(name, value string) error {
	invalid := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'`", r) }
	i := strings.IndexFunc(value, invalid)
	if i < 0 {
		return nil
	}
	where := ""
	switch {
	case i == 0:
		where = " at its start"
	case i >= len(strings.TrimRightFunc(value, invalid)):
		where = " at its end"
	}
	r, _ := utf8.DecodeRuneInString(value[i:])
	return fmt.Errorf("%s: contains %s%s; expected the value alone, without spaces, quotes or line ends", name, describe(r), where)
}

// describe names a character that no secret has.
func describe(r rune) string {
	switch {
	case r == '\n' || r == '\r':
		return "a line end"
	case r == '\t':
		return "a tab"
	case unicode.IsSpace(r):
		return "a space"
	case strings.ContainsRune("\"'`“”„‘’‚«»", r):
		return "a quote"
	case r == '\ufeff':
		return "a byte order mark"
	case unicode.IsControl(r):
		return "a control character"
	default:
		return "a character that is not ASCII"
	}
}
