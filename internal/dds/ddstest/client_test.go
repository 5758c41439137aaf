package ddstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/clocktest"
)

var start = time.Date(2026, time.November, 1, 12, 0, 0, 0, time.UTC)

func newClock() *clocktest.Clock { return clocktest.New(start) }

// client calls a server. Its signer shares nothing with the server's, and supports only what these
// tests send: paths and queries that are already canonical.
type client struct {
	t              *testing.T
	server         *Server
	access, secret string
	date           func() time.Time
	change         func(*http.Request) // after signing
	token          string
	unsignedToken  bool
}

func newServer(t *testing.T, o Options) (*Server, *client) {
	t.Helper()
	s := NewServer(o)
	t.Cleanup(s.Close)
	date := o.Now
	if date == nil {
		date = time.Now
	}
	return s, &client{t: t, server: s, access: AccessKey, secret: SecretKey, date: date, token: o.SecurityToken}
}

// reply is an answer whose body was read.
type reply struct {
	status int
	header http.Header
	text   string
	code   string // error_code
	msg    string
}

func (c *client) request(method, pathAndQuery, body string) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL()+pathAndQuery, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	date := c.date().UTC().Format("20060102T150405Z")
	r.Header.Set("X-Sdk-Date", date)
	path, query, _ := strings.Cut(pathAndQuery, "?")
	headers, names := "host:"+r.URL.Host+"\nx-sdk-date:"+date+"\n", "host;x-sdk-date"
	if c.token != "" {
		r.Header.Set("X-Security-Token", c.token)
		if !c.unsignedToken {
			headers, names = headers+"x-security-token:"+c.token+"\n", names+";x-security-token"
		}
	}
	canonical := fmt.Sprintf("%s\n%s/\n%s\n%s\n%s\n%x", method, path, query, headers, names, sha256.Sum256([]byte(body)))
	mac := hmac.New(sha256.New, []byte(c.secret))
	fmt.Fprintf(mac, "SDK-HMAC-SHA256\n%s\n%x", date, sha256.Sum256([]byte(canonical)))
	r.Header.Set("Authorization", fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%x", c.access, names, mac.Sum(nil)))
	if c.change != nil {
		c.change(r)
	}
	return r
}

func (c *client) try(r *http.Request) (reply, error) {
	c.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return reply{}, err
	}
	got := reply{status: resp.StatusCode, header: resp.Header, text: string(body)}
	var e struct {
		Code string `json:"error_code"`
		Msg  string `json:"error_msg"`
	}
	if json.Unmarshal(body, &e) == nil {
		got.code, got.msg = e.Code, e.Msg
	}
	return got, nil
}

func (c *client) do(method, pathAndQuery string) reply {
	c.t.Helper()
	got, err := c.try(c.request(method, pathAndQuery, ""))
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

func (c *client) delete(backupID string) reply {
	c.t.Helper()
	return c.do(http.MethodDelete, "/v3/"+ProjectID+"/backups/"+backupID)
}

func (c *client) list(query string) reply {
	c.t.Helper()
	return c.do(http.MethodGet, "/v3/"+ProjectID+"/backups"+query)
}

// want checks status and code.
func (r reply) want(t *testing.T, status int, code string) {
	t.Helper()
	if r.status != status || r.code != code {
		t.Errorf("%d %s, want %d %s", r.status, r.text, status, code)
	}
}

// decode reads the JSON body.
func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(r.text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil || r.status >= 300 {
		t.Fatalf("%d %s: %v", r.status, r.text, err)
	}
	return v
}
