package ddstest

import (
	"crypto/hmac"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The published limits of the gateway.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-0001.html
const (
	maxSkew     = 15 * time.Minute
	maxFailures = 5 // in a row; one more locks the access key
	lockFor     = 5 * time.Minute
)

// keys is a key pair; the token belongs to a temporary one.
type keys struct {
	access, secret, token string
}

// guard authenticates requests and locks access keys that fail too often.
type guard struct {
	now   func() time.Time
	token string
	echo  bool // refusals repeat the canonical request

	mu    sync.Mutex
	keys  []keys
	locks map[string]*lock // by access key
}

// lock counts the failures in a row of an access key.
type lock struct {
	failures int
	until    time.Time
}

// SetKeys replaces the accepted key pair; token belongs to a temporary pair, else it is empty. A lock
// on an access key stays.
func (g *guard) SetKeys(ak, sk, token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keys = []keys{{ak, sk, token}}
}

// AddKeys accepts another key pair, too, for example that of another invocation.
func (g *guard) AddKeys(ak, sk, token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keys = append(g.keys, keys{ak, sk, token})
}

// keysOf returns the key pair with that access key; another one if there is none. The caller holds g.mu.
func (g *guard) keysOf(access string) keys {
	i := slices.IndexFunc(g.keys, func(k keys) bool { return k.access == access })
	return g.keys[max(i, 0)]
}

// authenticate returns nil for a request that is authentic, and otherwise the refusal.
func (g *guard) authenticate(r *request) *answer {
	authorization := r.Header.Get("Authorization")
	if authorization != "" {
		return g.authenticateSigned(r, authorization)
	}
	token := r.Header.Get("X-Auth-Token")
	switch {
	case token == "":
		return unauthenticated("x-auth-token not found")
	case g.token == "" || subtle.ConstantTimeCompare([]byte(token), []byte(g.token)) == 0:
		return unauthenticated("decrypt token fail")
	default:
		return nil
	}
}

func (g *guard) authenticateSigned(r *request, authorization string) *answer {
	c, ok := parseAuthorization(authorization)
	if !ok {
		return unauthenticated("the Authorization header is malformed")
	}
	r.accessKey = c.access
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.locks[c.access]
	if l == nil {
		l = new(lock)
		g.locks[c.access] = l
	}
	if now.Before(l.until) {
		return unauthenticated("AK access failed to reach the limit,forbidden.")
	}
	problem := g.keysOf(c.access).verify(r, c, now)
	if problem != "" {
		l.failures++
		if l.failures > maxFailures {
			*l = lock{until: now.Add(lockFor)}
		}
		if g.echo {
			problem += echoOf(r, c)
		}
		return unauthenticated(problem)
	}
	l.failures = 0
	return nil
}

// verify returns what is wrong with a signed request; empty if nothing is.
func (k keys) verify(r *request, c credential, now time.Time) string {
	date, dateErr := time.Parse(dateLayout, r.Header.Get(headerDate))
	hash, honest := bodyHash(r)
	missing := slices.IndexFunc(c.headers, func(name string) bool { return name != "host" && len(r.Header.Values(name)) == 0 })
	switch {
	case c.access != k.access:
		return "Get secretKey failed,ak:" + c.access + ",err:ak not exist"
	case !slices.Contains(c.headers, "x-sdk-date"):
		return "the header x-sdk-date must be signed"
	case missing >= 0:
		return "the signed header " + c.headers[missing] + " is missing"
	case dateErr != nil:
		return "the header x-sdk-date is malformed"
	case now.Sub(date).Abs() > maxSkew:
		return "signature expired: x-sdk-date is more than 15 minutes off"
	case !honest:
		return "x-sdk-content-sha256 does not match the body"
	case !hmac.Equal([]byte(sign(r, hash, c.headers, k.secret)), []byte(c.signature)):
		return "verify aksk signature fail"
	// golangsdk adds the token after signing and works, so the token need not be signed. That a
	// permanent key with a token is refused is inferred.
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Security-Token")), []byte(k.token)) == 0:
		return "the security token is missing or invalid"
	default:
		return ""
	}
}

// echoOf is what some gateways add to a refusal, with "|" instead of line ends. The form is from a
// public report of VPC's gateway, the security token from one of ROMA Connect.
func echoOf(r *request, c credential) string {
	hash, _ := bodyHash(r)
	return ", canonicalRequest:" + strings.ReplaceAll(canonicalRequest(r, hash, c.headers), "\n", "|") + ", ak:" + c.access
}

func unauthenticated(problem string) *answer {
	return refuse(http.StatusUnauthorized, "APIGW.0301", "Incorrect IAM authentication information: "+problem)
}

// credential is an Authorization header, parsed.
type credential struct {
	access    string
	headers   []string // lower case, sorted
	signature string
}

func parseAuthorization(value string) (c credential, ok bool) {
	rest, ok := strings.CutPrefix(value, algorithm+" ")
	if !ok {
		return c, false
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Access":
			c.access = value
		case "SignedHeaders":
			c.headers = strings.Split(strings.ToLower(value), ";")
			slices.Sort(c.headers)
		case "Signature":
			c.signature = value
		}
	}
	return c, c.access != "" && c.headers != nil && c.signature != ""
}
