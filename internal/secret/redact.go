package secret

import (
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
	// maxKnown bounds how many secrets are looked for: the latest. A process that renews its
	// credentials would otherwise keep every one that it ever had.
	maxKnown = 256
)

// known are the secrets of this process.
var known struct {
	mu       sync.Mutex
	texts    []string          // oldest first
	replacer *strings.Replacer // of texts; nil until it is needed
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
// and as it stands in URLs and in JSON. It is for text that comes from outside, which may repeat what it was
// sent. Redact before you shorten: a part of a secret is not recognised.
func Redact(text string) string {
	if text == "" {
		return ""
	}
	known.mu.Lock()
	if known.replacer == nil {
		known.replacer = newReplacer(known.texts)
	}
	replacer := known.replacer
	known.mu.Unlock()
	return replacer.Replace(text)
}

// newReplacer returns a replacer of all spellings of texts, the longest first.
func newReplacer(texts []string) *strings.Replacer {
	var spellings []string
	for _, text := range texts {
		quoted, _ := json.Marshal(text) // a string always can be
		inJSON := string(quoted[1 : len(quoted)-1])
		spellings = append(spellings, text, url.QueryEscape(text), url.PathEscape(text), inJSON, strings.ReplaceAll(inJSON, "/", `\/`))
	}
	slices.SortFunc(spellings, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(spellings))
	for _, s := range slices.Compact(spellings) {
		pairs = append(pairs, s, Redacted)
	}
	return strings.NewReplacer(pairs...)
}
