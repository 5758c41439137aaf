package ddstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	algorithm       = "SDK-HMAC-SHA256"
	headerDate      = "X-Sdk-Date"
	dateLayout      = "20060102T150405Z"
	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// sign computes the signature that a request should bear, from what came over the wire.
// It is written from the page and shares no code with the client that it checks.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html
func sign(r *request, bodyHash string, headers []string, secret string) string {
	canonical := canonicalRequest(r, bodyHash, headers)
	toSign := algorithm + "\n" + r.Header.Get(headerDate) + "\n" + hexSHA256([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(toSign))
	return hex.EncodeToString(mac.Sum(nil))
}

// canonicalRequest is what is signed of a request.
func canonicalRequest(r *request, bodyHash string, headers []string) string {
	return strings.Join([]string{
		r.Method,
		canonicalPath(r.URL.Path),
		canonicalQuery(r.query),
		canonicalHeaders(r, headers),
		strings.Join(headers, ";"),
		bodyHash,
	}, "\n")
}

// canonicalPath ends in a slash whether the path on the wire does or not. The published clients
// all split it once it is decoded, so an encoded slash is signed as a plain one.
func canonicalPath(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = encode(segment)
	}
	return strings.TrimSuffix(strings.Join(segments, "/"), "/") + "/"
}

func canonicalQuery(query map[string][]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range slices.Sorted(slices.Values(query[name])) {
			pairs = append(pairs, encode(name)+"="+encode(value))
		}
	}
	return strings.Join(pairs, "&")
}

func canonicalHeaders(r *request, names []string) string {
	var b strings.Builder
	for _, name := range names {
		values := slices.Sorted(slices.Values(r.Header.Values(name)))
		if name == "host" { // net/http keeps it apart
			values = []string{r.Host}
		}
		for _, value := range values {
			b.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
		}
	}
	return b.String()
}

// bodyHash is the hash to sign: the one that the request names, if it is true, or else that of
// the body.
func bodyHash(r *request) (hash string, ok bool) {
	hash = hexSHA256(r.body)
	claimed := r.Header.Get("X-Sdk-Content-Sha256")
	if claimed == unsignedPayload {
		return unsignedPayload, true
	}
	return hash, claimed == "" || claimed == hash
}

// encode percent-encodes all but the unreserved characters of RFC 3986.
func encode(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
