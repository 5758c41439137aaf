package deletion

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// marshal returns the JSON of a value of this package. That cannot fail, because all consist of
// texts, numbers and JSON.
func marshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// digest returns the first half of a SHA-256 of the parts.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
