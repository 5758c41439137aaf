package body

import (
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// ExpectedTime ends the message about a text that is not a time by [ParseTime].
const ExpectedTime = "expected a time of RFC 3339, for example 2026-12-31T18:00:00Z"

// ParseTime reads a time of RFC 3339, in UTC. A time before 1970 becomes the beginning of 1970, so that no
// time is taken for none.
func ParseTime(text string) (t time.Time, ok bool) {
	// UnmarshalText is stricter than time.Parse, which also takes hours of one digit, for example.
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return time.Time{}, false
	}
	if epoch := time.Unix(0, 0); t.Before(epoch) {
		t = epoch
	}
	return t.UTC(), true
}

// Millis returns the time that is so many milliseconds after the beginning of 1970; zero if the number is not
// positive or the time is past the year 9999, which RFC 3339 cannot write.
func Millis(n int64) time.Time {
	t := time.UnixMilli(n).UTC()
	if n <= 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// UnixTime returns the time of a number of seconds or of milliseconds since 1970, or of a text of RFC 3339; zero if
// the member is another value. The samples of FunctionGraph have all three.
func UnixTime(members strictjson.Object, name string) time.Time {
	const firstMillis = 100_000_000_000 // as seconds it is in the year 5138, as milliseconds in 1973
	if text, ok := members.Text(name); ok {
		t, _ := ParseTime(text)
		return t
	}
	n, _ := members.Integer(name)
	if n < firstMillis {
		n *= 1000
	}
	return Millis(n)
}

// earlier returns the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// noteSent adds to a request a time that its payload carries. The oldest counts. One that cannot be read is
// ignored, and so is one before 1970, which stands for none.
func noteSent(r *deletion.Request, text string) {
	if t, ok := ParseTime(text); ok && t.After(time.Unix(0, 0)) {
		r.SentAt = earlier(r.SentAt, t)
	}
}
