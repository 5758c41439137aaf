package dds

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dds-backup-delete/internal/version"
)

// Names and forms of the signing protocol.
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html
const (
	algorithm           = "SDK-HMAC-SHA256"
	dateLayout          = "20060102T150405Z"
	headerAuthorization = "Authorization"
	headerDate          = "X-Sdk-Date"
	headerProjectID     = "X-Project-Id"
	headerSecurityToken = "X-Security-Token"
	headerAuthToken     = "X-Auth-Token" //nolint:gosec // the name of a header
	emptyBodySHA256     = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// signedHeaders are signed where a request has them, sorted as the algorithm wants them.
// User-Agent stays out, so that a proxy may rewrite it.
var signedHeaders = []string{"Host", headerProjectID, headerDate, headerSecurityToken}

// signing returns a handler that authenticates each try: with a signature by the access key
// pair or, where there is none, with the IAM token.
func signing(next handler, now func() time.Time) handler {
	return func(c *call) (*response, error) {
		c.Header.Set("User-Agent", version.UserAgent())
		// Of credentials that were replaced meanwhile, nothing may stay.
		for _, name := range []string{headerAuthToken, headerAuthorization, headerDate, headerSecurityToken} {
			c.Header.Del(name)
		}
		if c.credentials.AccessKey.IsZero() {
			c.Header.Set(headerAuthToken, c.credentials.Token.Reveal())
			return next(c)
		}
		c.Header.Set(headerDate, now().UTC().Format(dateLayout))
		if !c.credentials.SecurityToken.IsZero() {
			c.Header.Set(headerSecurityToken, c.credentials.SecurityToken.Reveal())
		}
		Sign(c.Request, emptyBodySHA256, c.credentials, signedHeaders)
		return next(c)
	}
}

// Sign puts the Authorization header on r by SDK-HMAC-SHA256. The X-Sdk-Date header must
// be set; headers are the names to sign in their canonical form, as X-Sdk-Date, sorted, of
// which those that r lacks are left out. Unlike AWS SigV4, the key is the secret key itself: no scope, no derived key.
func Sign(r *http.Request, bodySHA256 string, c Credentials, headers []string) {
	names := make([]byte, 0, 64)
	canonical := make([]byte, 0, 512)
	canonical = append(canonical, r.Method...)
	canonical = append(canonical, '\n')
	canonical = appendPath(canonical, r.URL.Path)
	canonical = append(canonical, '\n')
	if r.URL.RawQuery != "" {
		canonical = appendQuery(canonical, r.URL.Query())
	}
	canonical = append(canonical, '\n')
	for _, name := range headers {
		var value string
		if name == "Host" {
			value = cmp.Or(r.Host, r.URL.Host)
		} else if values := r.Header[name]; len(values) > 0 {
			value = values[0]
		}
		if value == "" {
			continue
		}
		if len(names) > 0 {
			names = append(names, ';')
		}
		names = appendLower(names, name)
		canonical = appendLower(canonical, name)
		canonical = append(canonical, ':')
		canonical = append(canonical, strings.TrimSpace(value)...)
		canonical = append(canonical, '\n')
	}
	canonical = append(canonical, '\n')
	canonical = append(canonical, names...)
	canonical = append(canonical, '\n')
	canonical = append(canonical, bodySHA256...)

	digest := sha256.Sum256(canonical)
	toSign := canonical[:0]
	toSign = append(toSign, algorithm...)
	toSign = append(toSign, '\n')
	toSign = append(toSign, r.Header.Get(headerDate)...)
	toSign = append(toSign, '\n')
	toSign = hex.AppendEncode(toSign, digest[:])

	mac := hmac.New(sha256.New, []byte(c.SecretKey.Reveal()))
	mac.Write(toSign)

	value := toSign[:0]
	value = append(value, algorithm+" Access="...)
	value = append(value, c.AccessKey.Reveal()...)
	value = append(value, ", SignedHeaders="...)
	value = append(value, names...)
	value = append(value, ", Signature="...)
	value = hex.AppendEncode(value, mac.Sum(digest[:0]))
	r.Header[headerAuthorization] = []string{string(value)}
}

// appendLower appends the name of a header in lower case.
func appendLower(b []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// appendPath appends the canonical form of a path: each segment percent-encoded, and a
// slash at the end whether the path on the wire has one or not.
func appendPath(b []byte, path string) []byte {
	for i := range len(path) {
		if path[i] == '/' {
			b = append(b, '/')
		} else {
			b = appendEncoded(b, path[i])
		}
	}
	if !strings.HasSuffix(path, "/") {
		b = append(b, '/')
	}
	return b
}

// appendQuery appends the canonical form of a query: sorted by name, then by value.
func appendQuery(b []byte, query url.Values) []byte {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	first := true
	for _, name := range names {
		slices.Sort(query[name])
		for _, value := range query[name] {
			if !first {
				b = append(b, '&')
			}
			first = false
			for i := range len(name) {
				b = appendEncoded(b, name[i])
			}
			b = append(b, '=')
			for i := range len(value) {
				b = appendEncoded(b, value[i])
			}
		}
	}
	return b
}

// appendEncoded appends c, percent-encoded unless it is an unreserved character (RFC 3986).
func appendEncoded(b []byte, c byte) []byte {
	const upperHex = "0123456789ABCDEF"
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
		c == '-', c == '_', c == '.', c == '~':
		return append(b, c)
	default:
		return append(b, '%', upperHex[c>>4], upperHex[c&15])
	}
}
