package body

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"dds-backup-delete/internal/spelling"
)

// MaxID bounds, in characters, an id that an event or an envelope brings.
const MaxID = 1024

// IsID reports whether a text can name a request: whatever it says goes into events, into log lines,
// into the ledger and into SQS, which takes no noncharacter, as CloudEvents forbids those and control
// characters.
func IsID(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= MaxID && !strings.ContainsFunc(s, func(c rune) bool {
		return unicode.IsControl(c) || c > unicode.MaxLatin1 && unicode.Is(unicode.Noncharacter_Code_Point, c)
	})
}

// CleanID returns an id or a name that a source brings, or a digest of it if it is not an id by [IsID].
func CleanID(s string) string {
	if s == "" || IsID(s) {
		return s
	}
	return Digest(s)
}

// Digest returns an id for a text, 32 characters long.
func Digest(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:16])
}

// TraceParent returns s if it is a W3C trace context, 00-<32 hex>-<16 hex>-<2 hex>, else "".
// https://www.w3.org/TR/trace-context/#traceparent-header
func TraceParent(s string) string {
	if len(s) != 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return ""
	}
	for _, digits := range []string{s[:2], s[3:35], s[36:52], s[53:]} {
		if !spelling.Only(digits, spelling.Digits+"abcdef") {
			return ""
		}
	}
	return s
}

// TraceHeader returns the fields of an X-Ray trace header that are carried on, for example
// Root=1-…;Parent=…;Sampled=1, and "" if it is not such a header. A load balancer adds a field of its
// own, and a queue refuses a message with a header that it cannot read.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func TraceHeader(s string) string {
	const most = 512
	if len(s) > most {
		return ""
	}
	var root string
	var rest []string
	for field := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch {
		case name == "Root" && isTraceID(value):
			root = "Root=" + value
		case name == "Parent" && len(value) == 16 && isHex(value), name == "Sampled" && (value == "0" || value == "1"):
			rest = append(rest, name+"="+value)
		}
	}
	if root == "" {
		return ""
	}
	return strings.Join(append([]string{root}, rest...), ";")
}

// isTraceID reports whether a text is an X-Ray trace id, 1-<8 hex>-<24 hex>.
func isTraceID(s string) bool {
	return len(s) == 35 && s[:2] == "1-" && s[10] == '-' && isHex(s[2:10]) && isHex(s[11:])
}

func isHex(s string) bool { return spelling.Only(s, spelling.Digits+"abcdefABCDEF") }
