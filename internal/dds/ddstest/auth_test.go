package ddstest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// replace replaces text in the Authorization header.
func replace(old, by string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, by, 1))
	}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestSignatureIsChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		options Options
		change  func(*client)
		after   func(*http.Request)
		says    string // empty if the request is let in
	}{
		"right":                {},
		"other header":         {after: header("User-Agent", "x")},
		"wrong secret":         {change: func(c *client) { c.secret = "wrong" }, says: "verify aksk signature fail"},
		"unknown key":          {change: func(c *client) { c.access = "other" }, says: "Get secretKey failed,ak:other,err:ak not exist"},
		"other path":           {after: func(r *http.Request) { r.URL.Path += "x" }, says: "verify aksk signature fail"},
		"other query":          {after: func(r *http.Request) { r.URL.RawQuery = "a=b" }, says: "verify aksk signature fail"},
		"other method":         {after: func(r *http.Request) { r.Method, r.URL.Path = "GET", "/v3/projects" }, says: "verify aksk signature fail"},
		"other host":           {after: func(r *http.Request) { r.Host = "other" }, says: "verify aksk signature fail"},
		"other date":           {after: header("X-Sdk-Date", "20261101T120001Z"), says: "verify aksk signature fail"},
		"malformed date":       {after: header("X-Sdk-Date", "today"), says: "x-sdk-date is malformed"},
		"unsigned date":        {after: replace("host;x-sdk-date", "host"), says: "x-sdk-date must be signed"},
		"missing header":       {after: replace("host;x-sdk-date", "host;x-other;x-sdk-date"), says: "x-other is missing"},
		"other algorithm":      {after: replace("SDK-HMAC-SHA256", "AWS4-HMAC-SHA256"), says: "malformed"},
		"no signature":         {after: replace("Signature=", "S="), says: "malformed"},
		"nothing at all":       {after: func(r *http.Request) { r.Header.Del("Authorization") }, says: "x-auth-token not found"},
		"hash of another body": {after: header("X-Sdk-Content-Sha256", strings.Repeat("0", 64)), says: "x-sdk-content-sha256"},
		"unsigned payload":     {after: header("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD"), says: "verify aksk signature fail"},
		"15 minutes late":      {change: func(c *client) { c.date = at(start.Add(-15 * time.Minute)) }},
		"15 minutes early":     {change: func(c *client) { c.date = at(start.Add(15 * time.Minute)) }},
		"too late":             {change: func(c *client) { c.date = at(start.Add(-15*time.Minute - time.Second)) }, says: "signature expired"},
		"too early":            {change: func(c *client) { c.date = at(start.Add(15*time.Minute + time.Second)) }, says: "signature expired"},
		"own keys":             {options: Options{AccessKey: "a", SecretKey: "s"}, change: func(c *client) { c.access, c.secret = "a", "s" }},
		"security token":       {options: Options{SecurityToken: "t"}},
		"unsigned token":       {options: Options{SecurityToken: "t"}, change: func(c *client) { c.unsignedToken = true }},
		"no security token":    {options: Options{SecurityToken: "t"}, change: func(c *client) { c.token = "" }, says: "security token"},
		"wrong security token": {options: Options{SecurityToken: "t"}, change: func(c *client) { c.token = "other" }, says: "security token"},
		"needless token":       {change: func(c *client) { c.token = "t" }, says: "security token"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.options.Now = newClock().Now
			s, c := newServer(t, tc.options)
			s.Add(Backup{ID: "b"})
			c.change = tc.after
			if tc.change != nil {
				tc.change(c)
			}
			got := c.delete("b")
			if tc.says == "" {
				got.want(t, 200, "")
				return
			}
			if got.status != 401 || !strings.Contains(got.text, "Incorrect IAM authentication information: ") || !strings.Contains(got.text, tc.says) {
				t.Errorf("%d %s, want %q", got.status, got.text, tc.says)
			}
			if len(s.Jobs()) != 0 {
				t.Error("the work was done")
			}
		})
	}
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

func TestToken(t *testing.T) {
	for name, tc := range map[string]struct {
		accepted, sent, says string
	}{
		"right":   {"token", "token", ""},
		"wrong":   {"token", "other", "decrypt token fail"},
		"none":    {"token", "", "x-auth-token not found"},
		"not set": {"", "token", "decrypt token fail"},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := newServer(t, Options{Token: tc.accepted})
			c.change = func(r *http.Request) { r.Header = http.Header{"X-Auth-Token": {tc.sent}} }
			got := c.list("")
			if tc.says == "" {
				got.want(t, 200, "")
				return
			}
			got.want(t, 401, "APIGW.0301")
			if !strings.Contains(got.msg, tc.says) {
				t.Errorf("text %q", got.msg)
			}
		})
	}
}

func TestSetKeys(t *testing.T) {
	s, c := newServer(t, Options{})
	s.SetKeys("a", "s", "t")
	c.list("").want(t, 401, "APIGW.0301")
	c.access, c.secret, c.token = "a", "s", "t"
	c.list("").want(t, 200, "")
}

func TestLockOut(t *testing.T) {
	clock := newClock()
	s, c := newServer(t, Options{Now: clock.Now})
	fail := func(n int) {
		t.Helper()
		c.secret = "wrong"
		for range n {
			if got := c.list(""); got.status != 401 || !strings.Contains(got.msg, "verify aksk signature fail") {
				t.Errorf("%d %s", got.status, got.text)
			}
		}
		c.secret = SecretKey
	}
	locked := func() {
		t.Helper()
		got := c.list("")
		got.want(t, 401, "APIGW.0301")
		if !strings.Contains(got.msg, "AK access failed to reach the limit,forbidden") {
			t.Errorf("text %q", got.msg)
		}
	}
	fail(5)
	c.list("").want(t, 200, "") // five are not more than five, and this one starts the count anew
	fail(5)
	c.list("").want(t, 200, "")
	fail(6)
	locked()
	clock.Pass(5*time.Minute - time.Second)
	locked()

	s.SetKeys("fresh", SecretKey, "") // a lock is of one access key
	c.access = "fresh"
	c.list("").want(t, 200, "")
	s.SetKeys(AccessKey, SecretKey, "")
	c.access = AccessKey
	locked()

	clock.Pass(time.Second)
	c.list("").want(t, 200, "")
	fail(5) // the count starts anew after a lock too
	c.list("").want(t, 200, "")
}
