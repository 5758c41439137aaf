// Package secret holds values that must never be printed.
package secret

import (
	"fmt"
	"log/slog"
	"unique"
)

// String is a secret text. It prints, logs and marshals as [Redacted], and even where a printer
// cannot ask it to (a verb like %p, an unexported field), it shows no more than an address.
// Equal texts are equal Strings. The zero value is the empty text.
type String struct{ text unique.Handle[string] }

// New returns a secret of that text, which [Redact] replaces from now on.
func New(text string) String {
	if text == "" {
		return String{}
	}
	remember(text)
	return String{unique.Make(text)}
}

// NewTemporary is [New] for a secret that comes with an invocation. Such secrets come for as long as the process
// lives, so [Redact] replaces those that were used last, and none of them displaces one of New.
func NewTemporary(text string) String {
	if text == "" {
		return String{}
	}
	rememberTemporary(text)
	return String{unique.Make(text)}
}

// Reveal returns the secret itself.
func (s String) Reveal() string {
	if s == (String{}) {
		return ""
	}
	return s.text.Value()
}

// IsZero reports whether there is no text.
func (s String) IsZero() bool { return s == String{} }

// Format implements [fmt.Formatter]: every verb prints [Redacted].
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// LogValue implements [slog.LogValuer].
func (s String) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements [encoding.TextMarshaler], which JSON uses too.
func (s String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *String) UnmarshalText(text []byte) error {
	*s = New(string(text))
	return nil
}
