// Package logline keeps every line of the log safe to write: below the limit of Amazon CloudWatch
// Logs, and without the secrets of this process.
package logline

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"dds-backup-delete/internal/secret"
)

// An event of CloudWatch Logs has at most 256 KB, 26 bytes of which are overhead. Lambda splits longer
// lines, so that they are no longer JSON. What maxValues leaves is for keys, numbers and times.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const (
	// maxValue bounds, in bytes of JSON, one value. The longest ids need a quarter of it.
	maxValue = 16 << 10
	// maxValues bounds, in bytes of JSON, the values of a line together.
	maxValues = 200 << 10
	// minValue is what a value may always take, in bytes of JSON, so that ids are not cut beside long
	// texts. There is room for fifty of them beyond maxValues.
	minValue = 1 << 10
)

// handler is a [slog.Handler] that shortens values for another one.
type handler struct {
	slog.Handler

	used int // bytes of JSON that the values of WithAttrs take
}

// Bounded returns a handler that passes records to h with each value redacted and, if it is too long,
// cut at the end of a character, with a note of how much is missing. So a line with a long value is
// still one line of JSON.
func Bounded(h slog.Handler) slog.Handler { return handler{h, 0} }

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	b := budget{maxValues - h.used}
	bounded := slog.NewRecord(r.Time, r.Level, b.text(r.Message), r.PC)
	var space [24]slog.Attr // enough for the lines of this program
	attrs := space[:0]
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, b.attr(a))
		return true
	})
	bounded.AddAttrs(attrs...)
	return h.Handler.Handle(ctx, bounded)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	b := budget{maxValues - h.used}
	return handler{h.Handler.WithAttrs(b.attrs(attrs)), maxValues - b.left}
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.used}
}

// budget is how many bytes of JSON a line has left.
type budget struct{ left int }

func (b *budget) attrs(attrs []slog.Attr) []slog.Attr {
	bounded := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		bounded[i] = b.attr(a)
	}
	return bounded
}

func (b *budget) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, b.text(v.String()))
	case slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(b.attrs(v.Group())...)}
	case slog.KindAny:
		return slog.Attr{Key: a.Key, Value: b.value(v)}
	default:
		return slog.Attr{Key: a.Key, Value: v}
	}
}

// value returns a value unchanged if it is short and has no secret, and otherwise the beginning of its
// text.
func (b *budget) value(v slog.Value) slog.Value {
	if err, ok := v.Any().(error); ok {
		return slog.StringValue(b.text(err.Error()))
	}
	encoded, err := json.Marshal(v.Any())
	if err != nil {
		return slog.StringValue(b.text(fmt.Sprintf("%+v", v.Any())))
	}
	text := string(encoded)
	if len(text) > b.most() || secret.Redact(text) != text {
		return slog.StringValue(b.text(text))
	}
	b.left -= len(encoded)
	return v
}

// text returns a text without secrets and no longer than it may be.
func (b *budget) text(s string) string {
	s, size := shorten(secret.Redact(s), b.most())
	b.left -= size
	return s
}

// most returns how many bytes the next value may take.
func (b *budget) most() int { return max(min(maxValue, b.left), minValue) }

// shorten returns the beginning of a text that takes at most so many bytes of JSON, with a note of what
// is missing, and how many bytes it takes.
func shorten(s string, most int) (short string, size int) {
	if len(s) <= most && isPlain(s) {
		return s, len(s)
	}
	const note = 32 // bytes that the note takes at most
	fits := 0       // where to cut
	for i := 0; i < len(s); {
		r, width := utf8.DecodeRuneInString(s[i:])
		size += jsonSize(r, width)
		if size > most {
			short = fmt.Sprintf("%s… (%d bytes cut)", s[:fits], len(s)-fits)
			return short, most
		}
		i += width
		if size <= most-note {
			fits = i
		}
	}
	return s, size
}

// isPlain reports whether each byte of s is one byte of JSON.
func isPlain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// jsonSize returns how many bytes of JSON a character takes.
func jsonSize(r rune, width int) int {
	switch {
	case r == '"', r == '\\', r == '\n', r == '\r', r == '\t':
		return 2
	case r < ' ', r == '\u2028', r == '\u2029', r == utf8.RuneError:
		return 6
	default:
		return width
	}
}
