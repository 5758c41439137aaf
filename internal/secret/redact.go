package secret

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Redacted is printed instead of a secret.
const Redacted = "REDACTED"

const (
	// minRedacted is the length, in bytes, from which a secret is looked for in text. Shorter
	// values occur in ordinary words.
	minRedacted = 4
	// pieceSize is the length, in bytes, of the parts of a long secret that are looked for. A part of
	// a secret that is twice as long always holds one of them.
	pieceSize = 12
	// maxKnown bounds how many secrets are looked for: the latest. A process that renews its
	// credentials would otherwise keep every one that it ever had.
	maxKnown = 256
	// maxTemporary bounds how many temporary secrets are looked for: those used last. An invocation brings
	// four: a key id, a key and two tokens.
	maxTemporary = 48
)

// known are the secrets of this process.
var known struct {
	mu        sync.Mutex
	texts     []string // oldest first
	temporary []string // the last used at the end
	search    *search  // for both; nil until it is needed
}

// remember has text redacted from now on.
func remember(text string) {
	known.mu.Lock()
	defer known.mu.Unlock()
	if len(text) < minRedacted || slices.Contains(known.texts, text) {
		return
	}
	if len(known.texts) == maxKnown {
		known.texts = known.texts[1:]
	}
	known.texts, known.search = append(known.texts, text), nil
}

// rememberTemporary has text redacted until maxTemporary others were used after it.
func rememberTemporary(text string) {
	known.mu.Lock()
	defer known.mu.Unlock()
	if len(text) < minRedacted {
		return
	}
	i := slices.Index(known.temporary, text)
	switch {
	case i >= 0:
		known.temporary = slices.Delete(known.temporary, i, i+1)
	case len(known.temporary) == maxTemporary:
		known.temporary, known.search = slices.Delete(known.temporary, 0, 1), nil
	default:
		known.search = nil
	}
	known.temporary = append(known.temporary, text)
}

// Redact returns text with every secret of this process replaced by [Redacted]: literally, as in URLs
// and in JSON, in base64 and in hex. Parts of long secrets are replaced too, in any letter case and
// broken by blanks or line ends, since services and proxies shorten and wrap what they repeat. It is
// for text from outside. Redact before you shorten: a short part of a secret is not recognized.
func Redact(text string) string {
	known.mu.Lock()
	if known.search == nil {
		known.search = newSearch(slices.Concat(known.texts, known.temporary))
	}
	s := known.search
	known.mu.Unlock()
	for _, secret := range s.short {
		text = replaceWord(text, secret)
	}
	return s.redactParts(text)
}

// RedactError returns err with a text that [Redact] has redacted; nil for nil. It is for errors whose
// text comes from outside. Unwrap returns err.
func RedactError(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{err}
}

type redactedError struct{ err error }

// Error implements error.
func (e *redactedError) Error() string { return Redact(e.err.Error()) }

// Unwrap returns the error whose text is redacted.
func (e *redactedError) Unwrap() error { return e.err }

// search finds secrets in text.
type search struct {
	short []string        // the spellings that are shorter than a piece, the longest first
	parts map[string]part // the pieces of the others, by their text
	// filter has a bit for the first four bytes of each piece, by [bit], so that parts is rarely looked at.
	filter [1 << 16 / 64]uint64
}

// part is a piece of a folded spelling, and where it starts there.
type part struct {
	spelling string
	start    int
}

func newSearch(secrets []string) *search {
	s := &search{parts: make(map[string]part)}
	for _, secret := range secrets {
		for _, spelling := range spellings(secret) {
			folded := string(fold(nil, spelling))
			if len(folded) < pieceSize {
				s.short = append(s.short, spelling)
				continue
			}
			for start := 0; start < len(folded); start += pieceSize {
				start := min(start, len(folded)-pieceSize) // the last piece may overlap the one before
				s.parts[folded[start:start+pieceSize]] = part{folded, start}
				word, mask := bit([]byte(folded[start : start+pieceSize]))
				s.filter[word] |= mask
			}
		}
	}
	slices.SortFunc(s.short, func(a, b string) int { return len(b) - len(a) })
	return s
}

// bit returns the word and the mask of a filter's bit for the first four bytes of b, by Fibonacci hashing.
func bit(b []byte) (word int, mask uint64) {
	hash := binary.LittleEndian.Uint32(b) * 2654435769 >> 16
	return int(hash / 64), 1 << (hash % 64)
}

// spellings returns the forms in which services and proxies repeat a secret.
func spellings(secret string) []string {
	all := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.RawURLEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)),
	}
	if quoted, err := json.Marshal(secret); err == nil { // always, of a string
		all = append(all, string(quoted[1:len(quoted)-1]))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// replaceWord replaces a short secret where it is a whole word. Inside a longer word, for example the
// id of a job, the same few letters are most likely a coincidence.
func replaceWord(text, secret string) string {
	var b strings.Builder
	rest := 0 // where the text begins that is not yet in b
	for at := 0; ; {
		i := strings.Index(text[at:], secret)
		if i < 0 {
			return b.String() + text[rest:]
		}
		start := at + i
		at = start + len(secret)
		if (start == 0 || !isWord(text[start-1])) && (at == len(text) || !isWord(text[at])) {
			b.WriteString(text[rest:start] + Redacted)
			rest = at
		}
	}
}

func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// fold appends text to b in lower case, without white space and backslashes.
func fold(b []byte, text string) []byte {
	for i := range len(text) {
		if c := foldTable[text[i]]; c != 0 {
			b = append(b, c)
		}
	}
	return b
}

// foldTable has what fold makes of each byte; 0 if it drops it.
var foldTable = func() (to [256]byte) {
	for c := range to {
		switch {
		case 'A' <= c && c <= 'Z':
			to[c] = byte(c) + 'a' - 'A'
		case c > ' ' && c != '\\':
			to[c] = byte(c)
		}
	}
	return to
}()

// find returns the first piece in a folded text at or after from, and where it begins; -1 if there is
// none.
func (s *search) find(folded []byte, from int) (found part, at int) {
	for i := from; i+pieceSize <= len(folded); i++ {
		word, mask := bit(folded[i:])
		if s.filter[word]&mask == 0 {
			continue
		}
		found, ok := s.parts[string(folded[i:i+pieceSize])]
		if ok {
			return found, i
		}
	}
	return part{}, -1
}

// redactParts replaces the parts of secrets in text. It allocates nothing for a short text without any.
func (s *search) redactParts(text string) string {
	var space [1024]byte
	plain := fold(space[:0], text)
	found, i := s.find(plain, 0)
	if i < 0 { // as nearly always
		return text
	}
	at := make([]int, 0, len(plain)) // where in text each byte of plain stands
	for k := range len(text) {
		if foldTable[text[k]] != 0 {
			at = append(at, k)
		}
	}
	// All parts are marked before anything is written: a later piece may belong to another spelling,
	// whose part begins before the end of the one that was found first.
	hidden := make([]bool, len(text))
	for i >= 0 {
		first, last := widen(plain, i, found)
		for k := at[first]; k <= at[last]; k++ {
			hidden[k] = true
		}
		found, i = s.find(plain, i+1)
	}
	var b strings.Builder
	for k := range len(text) {
		switch {
		case !hidden[k]:
			b.WriteByte(text[k])
		case k == 0 || !hidden[k-1]:
			b.WriteString(Redacted)
		}
	}
	return b.String()
}

// widen returns the first and the last byte of the part of a secret that text holds around a piece of
// it, which begins at i.
func widen(text []byte, i int, p part) (first, last int) {
	first, last = i, i+pieceSize-1
	for k := p.start - 1; k >= 0 && first > 0 && text[first-1] == p.spelling[k]; k-- {
		first--
	}
	for k := p.start + pieceSize; k < len(p.spelling) && last+1 < len(text) && text[last+1] == p.spelling[k]; k++ {
		last++
	}
	return first, last
}
