package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
)

const (
	// minRedacted is the length, in bytes, from which a secret is looked for in text. Shorter
	// values occur in ordinary words.
	minRedacted = 4
	// piece is the length, in bytes, of the parts of a long secret that are looked for. A part of a
	// secret that is twice as long always holds one of them.
	piece = 12
	// maxKnown bounds how many secrets are looked for: the latest. A process that renews its
	// credentials would otherwise keep every one that it ever had.
	maxKnown = 256
)

// known are the secrets of this process.
var known struct {
	mu       sync.Mutex
	texts    []string          // oldest first
	replacer *strings.Replacer // of texts; nil until it is needed
	parts    map[string]part   // of texts, for redactParts; as old as replacer
}

// remember has text redacted from now on.
func remember(text string) {
	if len(text) < minRedacted {
		return
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	if slices.Contains(known.texts, text) {
		return
	}
	if len(known.texts) == maxKnown {
		known.texts = known.texts[1:]
	}
	known.texts, known.replacer = append(known.texts, text), nil
}

// Redact returns text with every secret of this process replaced by [Redacted], as it stands
// and as it stands in URLs and in JSON, in base64 and in hex. Of long secrets, parts are replaced too,
// in any letter case and broken by blanks or line ends, since others shorten and wrap what they repeat.
// It is for text that comes from outside, which may repeat what it was sent. Redact before you shorten:
// a short part of a secret is not recognised.
func Redact(text string) string {
	if text == "" {
		return ""
	}
	known.mu.Lock()
	if known.replacer == nil {
		known.replacer, known.parts = newReplacer(known.texts), partsOf(known.texts)
	}
	replacer, parts := known.replacer, known.parts
	known.mu.Unlock()
	return redactParts(replacer.Replace(text), parts)
}

// fold returns text in lower case without white space and backslashes, and where in text each byte
// of it stands.
func fold(text string) (folded string, at []int) {
	b := make([]byte, 0, len(text))
	for i := range len(text) {
		c := text[i]
		if c <= ' ' || c == '\\' {
			continue
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b, at = append(b, c), append(at, i)
	}
	return string(b), at
}

// part is a piece of a folded secret, and where it starts there.
type part struct {
	secret string
	start  int
}

// partsOf returns the pieces of the long ones of some secrets, by their text.
func partsOf(secrets []string) map[string]part {
	parts := make(map[string]part)
	for _, s := range secrets {
		secret, _ := fold(s)
		for start := 0; start < len(secret) && len(secret) >= piece; start += piece {
			start := min(start, len(secret)-piece)
			parts[secret[start:start+piece]] = part{secret, start}
		}
	}
	return parts
}

// redactParts replaces the parts of secrets in text.
func redactParts(text string, parts map[string]part) string {
	if len(text) < piece || len(parts) == 0 {
		return text
	}
	folded, at := fold(text)
	var hidden []bool // by byte of text; nil while there is nothing to hide
	for i := 0; i+piece <= len(folded); i++ {
		found, ok := parts[folded[i:i+piece]]
		if !ok {
			continue
		}
		first, last := widen(folded, i, found.secret, found.start)
		if hidden == nil {
			hidden = make([]bool, len(text))
		}
		for k := at[first]; k <= at[last]; k++ {
			hidden[k] = true
		}
		i = last
	}
	if hidden == nil {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(Redacted)
		}
	}
	return b.String()
}

// widen returns the first and the last byte of the part of a secret that text holds around a piece of
// it, which begins at i in text and at start in the secret.
func widen(text string, i int, secret string, start int) (first, last int) {
	first, last = i, i+piece-1
	for k := start - 1; k >= 0 && first > 0 && text[first-1] == secret[k]; k-- {
		first--
	}
	for k := start + piece; k < len(secret) && last+1 < len(text) && text[last+1] == secret[k]; k++ {
		last++
	}
	return first, last
}

// newReplacer returns a replacer of all spellings of texts, the longest first.
func newReplacer(texts []string) *strings.Replacer {
	var spellings []string
	for _, text := range texts {
		quoted, err := json.Marshal(text)
		if err != nil { // never, of a string
			continue
		}
		inJSON := string(quoted[1 : len(quoted)-1])
		spellings = append(spellings, text, url.QueryEscape(text), url.PathEscape(text), inJSON, strings.ReplaceAll(inJSON, "/", `\/`),
			base64.StdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text)), hex.EncodeToString([]byte(text)))
	}
	slices.SortFunc(spellings, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(spellings))
	for _, s := range slices.Compact(spellings) {
		pairs = append(pairs, s, Redacted)
	}
	return strings.NewReplacer(pairs...)
}
