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
)

// known are the secrets of this process.
var known struct {
	mu     sync.Mutex
	texts  []string // oldest first
	search *search  // for texts; nil until it is needed
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
	known.texts, known.search = append(known.texts, text), nil
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
	if known.search == nil {
		known.search = newSearch(known.texts)
	}
	s := known.search
	known.mu.Unlock()
	for _, secret := range s.short {
		text = replaceWord(text, secret)
	}
	if s.mayHold(text) {
		text = s.redactParts(text)
	}
	return text
}

// search finds secrets in text.
type search struct {
	short []string        // the spellings that are shorter than a piece, the longest first
	parts map[string]part // the pieces of the others, by their text
	// filter has a bit for each piece, by its hash, so that most texts need no look at parts.
	filter [1024]uint64
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
			if folded, _ := fold(spelling); len(folded) < pieceSize {
				s.short = append(s.short, spelling)
			} else {
				s.add(folded)
			}
		}
	}
	slices.SortFunc(s.short, func(a, b string) int { return len(b) - len(a) })
	return s
}

// replaceWord replaces a short secret where it is a word of its own. Inside of a longer word, such as
// the id of a job, the same few letters are most likely a coincidence.
func replaceWord(text, secret string) string {
	var b strings.Builder
	for at := 0; ; {
		i := strings.Index(text[at:], secret)
		if i < 0 {
			if b.Len() == 0 {
				return text
			}
			b.WriteString(text[at:])
			return b.String()
		}
		end := at + i + len(secret)
		b.WriteString(text[at : at+i])
		if (at+i > 0 && isWord(text[at+i-1])) || (end < len(text) && isWord(text[end])) {
			b.WriteString(secret)
		} else {
			b.WriteString(Redacted)
		}
		at = end
	}
}

func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// spellings returns the ways in which others repeat a secret.
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

// add adds the pieces of a folded spelling; the last one may overlap the one before.
func (s *search) add(folded string) {
	for start := 0; start < len(folded); start += pieceSize {
		start := min(start, len(folded)-pieceSize)
		piece := folded[start : start+pieceSize]
		s.parts[piece] = part{folded, start}
		var w window
		for i := range len(piece) {
			w.push(piece[i])
		}
		h := w.hash()
		s.filter[h>>6] |= 1 << (h & 63)
	}
}

// window holds the last bytes of a text, as many as a piece has.
type window struct {
	last  uint64 // the last eight bytes
	older uint32 // the four before them
}

func (w *window) push(c byte) {
	w.older = w.older<<8 | uint32(w.last>>56)
	w.last = w.last<<8 | uint64(c)
}

// hash is a number below 65536.
func (w *window) hash() uint64 {
	return (w.last*0x9E3779B97F4A7C15 ^ uint64(w.older)*0xC2B2AE3D27D4EB4F) >> 48
}

// mayHold reports whether a text may hold a piece. It allocates nothing.
func (s *search) mayHold(text string) bool {
	if len(text) < pieceSize || len(s.parts) == 0 {
		return false
	}
	var w window
	n := 0
	for i := range len(text) {
		c, kept := foldByte(text[i])
		if !kept {
			continue
		}
		w.push(c)
		if n++; n < pieceSize {
			continue
		}
		if h := w.hash(); s.filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		var piece [pieceSize]byte
		binary.BigEndian.PutUint32(piece[:4], w.older)
		binary.BigEndian.PutUint64(piece[4:], w.last)
		if _, found := s.parts[string(piece[:])]; found {
			return true
		}
	}
	return false
}

// foldByte returns a byte in lower case, and false for white space and backslashes.
func foldByte(c byte) (folded byte, kept bool) {
	switch {
	case c <= ' ' || c == '\\':
		return 0, false
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A', true
	default:
		return c, true
	}
}

// fold returns text in lower case without white space and backslashes, and where in text each byte
// of it stands.
func fold(text string) (folded string, at []int) {
	b := make([]byte, 0, len(text))
	for i := range len(text) {
		if c, kept := foldByte(text[i]); kept {
			b, at = append(b, c), append(at, i)
		}
	}
	return string(b), at
}

// redactParts replaces the parts of secrets in text.
func (s *search) redactParts(text string) string {
	folded, at := fold(text)
	hidden := make([]bool, len(text))
	for i := 0; i+pieceSize <= len(folded); i++ {
		found, ok := s.parts[folded[i:i+pieceSize]]
		if !ok {
			continue
		}
		first, last := widen(folded, i, found)
		for k := at[first]; k <= at[last]; k++ {
			hidden[k] = true
		}
		i = last
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
// it, which begins at i.
func widen(text string, i int, p part) (first, last int) {
	first, last = i, i+pieceSize-1
	for k := p.start - 1; k >= 0 && first > 0 && text[first-1] == p.spelling[k]; k-- {
		first--
	}
	for k := p.start + pieceSize; k < len(p.spelling) && last+1 < len(text) && text[last+1] == p.spelling[k]; k++ {
		last++
	}
	return first, last
}
