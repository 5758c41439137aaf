package sink_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/sink"
)

// receiver takes CloudEvents. It keeps all requests, and the bodies of those it took.
type receiver struct {
	refuse func(body string) string

	mu      sync.Mutex
	taken   []string
	headers []http.Header
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return
	}
	code := ""
	if r.refuse != nil {
		code = r.refuse(string(body))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.headers = append(r.headers, in.Header)
	switch code {
	case "":
		r.taken = append(r.taken, string(body))
		w.WriteHeader(http.StatusAccepted)
	case passing:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusForbidden)
	}
}

func (r *receiver) bodies() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

func (r *receiver) calls() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Repeat([]int{1}, len(r.headers))
}

func address(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

// The independent implementation of the signature scheme verifies what the sink signs.
func TestHTTPRequests(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	verifier, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(key))
	if err != nil {
		t.Fatal(err)
	}
	e := someEvents(1)[0]
	var members struct{ Data json.RawMessage }
	if err := json.Unmarshal(e.JSON, &members); err != nil {
		t.Fatal(err)
	}
	data := members.Data
	for name, tc := range map[string]struct {
		options     sink.HTTPOptions
		body        string
		header      map[string]string
		signed      bool
		withoutAuth bool
	}{
		"structured": {
			body: string(e.JSON), withoutAuth: true,
			header: map[string]string{"Content-Type": "application/cloudevents+json; charset=utf-8", "Ce-Id": ""},
		},
		"binary": {
			options: sink.HTTPOptions{Binary: true, Token: secret.New("token")}, body: string(data),
			header: map[string]string{
				"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "id-0", "Ce-Type": e.Type, "Ce-Source": e.Source,
				"Ce-Subject": "backup-0", "Ce-Data": "", "Ce-Datacontenttype": "", "Authorization": "Bearer token",
			},
		},
		"signed":             {options: sink.HTTPOptions{Key: secret.New(string(key))}, body: string(e.JSON), signed: true, withoutAuth: true},
		"signed, and binary": {options: sink.HTTPOptions{Key: secret.New(string(key)), Binary: true}, body: string(data), signed: true, withoutAuth: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := new(receiver)
			server := httptest.NewServer(r)
			defer server.Close()
			tc.options.Address = address(server.URL + "/path?query=1")
			if errs := sink.NewHTTP(tc.options, nil).Publish(t.Context(), []deletion.Event{e}); errs[0] != nil {
				t.Fatal(errs[0])
			}
			if diff := cmp.Diff([]string{tc.body}, r.bodies()); diff != "" {
				t.Fatalf("bodies (-want +got):\n%s", diff)
			}
			header := r.headers[0]
			for name, want := range tc.header {
				if got := header.Get(name); got != want {
					t.Errorf("header %s is %q, want %q", name, got, want)
				}
			}
			if tc.withoutAuth && header.Get("Authorization") != "" {
				t.Error("an Authorization header without a token")
			}
			err := verifier.Verify([]byte(r.bodies()[0]), header)
			if tc.signed != (err == nil) || (tc.signed && header.Get("Webhook-Id") != e.ID) {
				t.Errorf("signature: %v, id %q", err, header.Get("Webhook-Id"))
			}
		})
	}
}

// answers gives an answer with a status on each try.
type answers func(try int) (status int, header http.Header, err error)

func (tr answers) client(tries *[]time.Time) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		*tries = append(*tries, time.Now())
		status, header, err := tr(len(*tries))
		if err != nil {
			return nil, err
		}
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("body")), Request: r}, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestHTTPStatuses(t *testing.T) {
	for status, want := range map[int]struct {
		taken bool
		tries int
	}{
		200: {true, 1}, 202: {true, 1}, 204: {true, 1},
		301: {false, 1}, 307: {false, 1}, 400: {false, 1}, 401: {false, 1}, 404: {false, 1}, 410: {false, 1}, 413: {false, 1},
		429: {true, 2}, 500: {true, 2}, 502: {true, 2}, 503: {true, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			var tries []time.Time
			s := sink.NewHTTP(sink.HTTPOptions{Address: address("https://user:password@broker.example.com/secret?token=secret")},
				answers(func(try int) (int, http.Header, error) {
					if try > 1 {
						return 202, nil, nil
					}
					return status, http.Header{"Location": {"https://elsewhere.example.com"}}, nil
				}).client(&tries))
			err := s.Publish(t.Context(), someEvents(1))[0]
			if (err == nil) != want.taken || len(tries) != want.tries {
				t.Errorf("status %d: error %v after %d tries, want %+v", status, err, len(tries), want)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), "broker.example.com: HTTP status ") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "password")) {
				t.Errorf("status %d: error %v, want only the host and the status", status, err)
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, tc := range map[string]struct {
		value string
		least time.Duration
		taken bool
	}{
		"seconds":       {"6", 6 * time.Second, true},
		"a date":        {"Sat, 01 Jan 2000 00:00:07 GMT", 7 * time.Second, true}, // the clock of the bubble begins at that midnight
		"a past date":   {"Sat, 01 Jan 1999 00:00:00 GMT", 0, true},
		"nonsense":      {"soon", 0, true},
		"negative":      {"-5", 0, true},
		"too long":      {"9", 0, false},
		"much too long": {"99999999999999999999", 0, false},
		"a far date":    {"Fri, 31 Dec 9999 23:59:59 GMT", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
				defer cancel()
				var tries []time.Time
				s := sink.NewHTTP(sink.HTTPOptions{Address: address("https://broker.example.com")}, answers(func(try int) (int, http.Header, error) {
					if try > 1 {
						return 202, nil, nil
					}
					return 429, http.Header{"Retry-After": {tc.value}}, nil
				}).client(&tries))
				start := time.Now()
				err := s.Publish(ctx, someEvents(1))[0]
				if (err == nil) != tc.taken {
					t.Fatalf("error %v", err)
				}
				if tc.taken && (tries[1].Sub(start) < tc.least || tries[1].Sub(start) > tc.least+time.Second) {
					t.Errorf("the second try came after %v, want %v and a little", tries[1].Sub(start), tc.least)
				}
				if !tc.taken && time.Since(start) != 0 {
					t.Errorf("it waited %v in vain", time.Since(start))
				}
			})
		})
	}
}

// Network errors repeat only the host of the address.
func TestNetworkErrorsKeepSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var tries []time.Time
		s := sink.NewHTTP(sink.HTTPOptions{Address: address("https://broker.example.com/secret?token=secret"), Token: secret.New("secret")},
			answers(func(int) (int, http.Header, error) { return 0, nil, errors.New("connection reset") }).client(&tries))
		err := s.Publish(ctx, someEvents(1))[0]
		if err == nil || err.Error() != "broker.example.com: connection reset" || len(tries) < 2 {
			t.Errorf("error %v after %d tries", err, len(tries))
		}
	})
}

// A redirect is not followed: its target would get the token.
func TestRedirectsAreNotFollowed(t *testing.T) {
	r := new(receiver)
	elsewhere := httptest.NewServer(r)
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusPermanentRedirect))
	defer server.Close()
	err := sink.NewHTTP(sink.HTTPOptions{Address: address(server.URL), Token: secret.New("token")}, nil).Publish(t.Context(), someEvents(1))[0]
	if err == nil || !strings.Contains(err.Error(), "308, a redirect") || len(r.headers) != 0 {
		t.Errorf("error %v, %d requests elsewhere", err, len(r.headers))
	}
}

// The target of a redirect is not read: it may not be a URL, and may be a secret.
func TestABrokenRedirect(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Location", "/hook/secret/%zz")
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	err := sink.NewHTTP(sink.HTTPOptions{Address: address(server.URL)}, nil).Publish(t.Context(), someEvents(1))[0]
	if err == nil || strings.Contains(err.Error(), "secret") || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
}

// An answer counts by its status, even if its body never comes.
func TestABodyThatDoesNotCome(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		http.NewResponseController(w).Flush() //nolint:errcheck // the test's own server can
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than a try may take
	defer cancel()
	for i, err := range sink.NewHTTP(sink.HTTPOptions{Address: address(server.URL)}, nil).Publish(ctx, someEvents(30)) {
		if err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
}

// A wrong certificate is a permanent error.
func TestAForeignCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(new(receiver))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake
	server.StartTLS()
	defer server.Close()
	err := sink.NewHTTP(sink.HTTPOptions{Address: address(server.URL)}, nil).Publish(t.Context(), someEvents(1))[0]
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
}

// An endless answer does not delay the sink.
func TestEndlessAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1024)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	if err := sink.NewHTTP(sink.HTTPOptions{Address: address(server.URL)}, nil).Publish(t.Context(), someEvents(1))[0]; err != nil {
		t.Error(err)
	}
}
