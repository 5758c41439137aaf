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
// User-Agent stays out, so that a proxy may rewrite it, and Content-Type as in the official SDK.
var signedHeaders = []string{"Host", headerProjectID, headerDate, headerSecurityToken}

// signing returns a handler that authenticates each try: with a signature by the access key
// pair or, where there is none, with the IAM token.
func signing(next handler, now func() time.Time) handler {
	return func(c *call) (*response, error) {
		c.Header.Set("User-Agent", version.UserAgent())
		// The credentials may have been replaced since the last try.
		for _, name := range []string{headerAuthToken, headerAuthorization, headerDate, headerSecurityToken} {
			c.Header.Del(name)
		}
		c.signedAt = time.Time{}
		if c.credentials.AccessKey.IsZero() {
			c.Header.Set(headerAuthToken, c.credentials.Token.Reveal())
			return next(c)
		}
		c.signedAt = now()
		c.Header.Set(headerDate, c.signedAt.UTC().Format(dateLayout))
		if !c.credentials.SecurityToken.IsZero() {
			c.Header.Set(headerSecurityToken, c.credentials.SecurityToken.Reveal())
		}
		Sign(c.Request, c.bodySHA256, c.credentials, signedHeaders)
		return next(c)
	}
}

// Sign puts the Authorization header on r by SDK-HMAC-SHA256. The X-Sdk-Date header must be set.
// headers are the names to sign, sorted and in canonical form, for example X-Sdk-Date; those that r
// lacks are left out. Unlike in AWS SigV4 the key is the secret key itself: no scope, no derived key.
func Sign(r *http.Request, bodySHA256 string, c Credentials, headers []string) {
	query := ""
	if r.URL.RawQuery != "" {
		query = canonicalQuery(r.URL.Query())
	}
	b := make([]byte, 0, 512) // the canonical request
	b = append(append(b, r.Method...), '\n')
	b = append(appendPath(b, r.URL.Path), '\n')
	b = append(append(b, query...), '\n')
	names := make([]byte, 0, 64)
	for _, name := range headers {
		value := cmp.Or(r.Host, r.URL.Host)
		if name != "Host" {
			value = strings.TrimSpace(r.Header.Get(name))
		}
		if value == "" {
			continue
		}
		if len(names) > 0 {
			names = append(names, ';')
		}
		start := len(names)
		names = append(names, name...)
		lower(names[start:])
		b = append(append(b, names[start:]...), ':')
		b = append(append(b, value...), '\n')
	}
	b = append(append(append(b, '\n'), names...), '\n')
	digest := sha256.Sum256(append(b, bodySHA256...))

	b = append(b[:0], algorithm+"\n"...) // the string to sign
	b = append(append(b, r.Header.Get(headerDate)...), '\n')
	mac := hmac.New(sha256.New, []byte(c.SecretKey.Reveal()))
	mac.Write(hex.AppendEncode(b, digest[:]))

	b = append(b[:0], algorithm+" Access="...) // the header
	b = append(b, c.AccessKey.Reveal()...)
	b = append(append(b, ", SignedHeaders="...), names...)
	b = hex.AppendEncode(append(b, ", Signature="...), mac.Sum(digest[:0]))
	r.Header[headerAuthorization] = []string{string(b)}
}

// lower turns the name of a header to lower case in place.
func lower(name []byte) {
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			name[i] = c + 'a' - 'A'
		}
	}
}

// appendPath appends the canonical form of a path: each segment percent-encoded, and a slash at the
// end whether the path on the wire has one or not.
func appendPath(b []byte, path string) []byte {
	for segment := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		b = append(append(b, escape(segment)...), '/')
	}
	return b
}

// canonicalQuery returns the canonical form of a query: sorted by name, then by value.
func canonicalQuery(query url.Values) string {
	for _, values := range query {
		slices.Sort(values)
	}
	return strings.ReplaceAll(query.Encode(), "+", "%20")
}

// escape percent-encodes all but the unreserved characters of RFC 3986.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
