// Package secret holds values that must never be printed.
package secret

import (
	"fmt"
	"log/slog"
)

// Redacted stands in for a secret wherever one would be printed.
const Redacted = "REDACTED"

// String is a secret text. It prints, logs and marshals as [Redacted], also as a
// field of a printed struct; only [String.Reveal] gives the text.
type String string

// Reveal returns the secret itself.
func (s String) Reveal() string { return string(s) }

// Format implements [fmt.Formatter]: every verb prints [Redacted].
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// LogValue implements [slog.LogValuer].
func (s String) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements [encoding.TextMarshaler], which JSON uses too.
func (s String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
