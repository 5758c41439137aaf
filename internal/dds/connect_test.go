package dds

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/secret"
)

// noting is a transport that notes the methods of requests and answers a GET as told.
type noting struct {
	mu      sync.Mutex
	methods []string
	status  int
	body    string
}

func (n *noting) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.methods = append(n.methods, r.Method)
	body := ""
	if r.Method == http.MethodGet {
		body = n.body
	}
	return &http.Response{
		StatusCode: n.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

func TestConnect(t *testing.T) {
	const one = http.MethodGet + " " + http.MethodHead + " " + http.MethodHead
	const none = http.MethodHead + " " + http.MethodHead + " " + http.MethodHead
	keys := Credentials{AccessKey: secret.New("connect-access-key"), SecretKey: secret.New("connect-secret-key")}
	for name, tc := range map[string]struct {
		status  int
		body    string
		options Options
		want    string
		proven  bool
		held    bool // calls are held back afterwards
	}{
		"a list":            {200, `{"backups":[],"total_count":0}`, Options{Credentials: keys}, one, true, false},
		"no permission":     {403, `{"error_code":"DBS.200010","error_msg":"no"}`, Options{Credentials: keys}, one, true, false},
		"the page of proxy": {200, `<html>`, Options{Credentials: keys}, one, false, false},
		"another object":    {200, `{}`, Options{Credentials: keys}, one, false, false},
		"throttled":         {429, `{"error_code":"APIGW.0308","error_msg":"slow down"}`, Options{Credentials: keys}, one, false, true},
		"calls are counted": {200, `{"backups":[]}`, Options{Credentials: keys, Rate: 1}, none, false, false},
		"no credentials": {200, `{"backups":[]}`, Options{Renew: func(context.Context) (Credentials, error) {
			return Credentials{}, errors.New("the secret cannot be read")
		}}, none, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			over := &noting{status: tc.status, body: tc.body}
			tc.options.Endpoints, tc.options.Transport = map[string]string{"r": "https://dds.example"}, over
			c, err := New(tc.options)
			if err != nil {
				t.Fatal(err)
			}
			c.Connect(t.Context(), "r", "project", 3)
			slices.Sort(over.methods)
			if got := strings.Join(over.methods, " "); got != tc.want {
				t.Errorf("requests %s, want %s", got, tc.want)
			}
			if c.locks.own.isProven() != tc.proven || c.pace.until.After(time.Now()) != tc.held {
				t.Errorf("proven %v, held back until %v", c.locks.own.isProven(), c.pace.until)
			}
			if tc.proven {
				c.Connect(t.Context(), "r", "project", 1)
				if last := over.methods[len(over.methods)-1]; last != http.MethodHead {
					t.Errorf("a proven key is tried by a %s", last)
				}
			}
		})
	}
}

// A panic of the source of the credentials does not keep the turn of the probe: not for the probe, and
// not for a call that waited for it.
func TestAPanicOfTheSourceLeavesTheWayFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		renew := func(context.Context) (Credentials, error) { panic("bug") }
		l := newKeyLock(Credentials{AccessKey: secret.New("panic-access-key")}, renew, time.Now)
		h := (&keyLocks{own: l}).locking(func(*call) (*response, error) {
			time.Sleep(time.Second)
			return nil, refusedKey()
		})
		var panics atomic.Int32
		var calls sync.WaitGroup
		for range 2 {
			calls.Go(func() {
				defer func() {
					if recover() != nil {
						panics.Add(1)
					}
				}()
				_, _ = h(newTestCall(t.Context(), t))
			})
			synctest.Wait()
		}
		calls.Wait()
		if panics.Load() != 2 || !l.probe.TryAcquire(1) {
			t.Errorf("%d panics, or the turn of the probe is lost", panics.Load())
		}
	})
}
