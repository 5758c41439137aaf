package dds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answerAt is an answer with the Date of that moment.
func answerAt(status int, body string, date time.Time) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}, "Date": {date.UTC().Format(http.TimeFormat)}}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

const (
	refusedBody  = `{"error_code":"APIGW.0301","error_msg":"refused"}`
	acceptedBody = `{"job_id":"j"}`
)

// machine is a computer whose clock a test sets.
type machine struct{ ahead atomic.Int64 }

func (m *machine) now() time.Time         { return time.Now().Add(time.Duration(m.ahead.Load())).Round(0) }
func (m *machine) set(d time.Duration)    { m.ahead.Store(int64(d)) }
func newMachine(d time.Duration) *machine { m := new(machine); m.set(d); return m }

func newClockClient(t *testing.T, m *machine, renew func(context.Context) (Credentials, error), f roundTrip) *Client {
	t.Helper()
	c, err := New(Options{
		Endpoints: map[string]string{"r": "http://127.0.0.1:1"}, Transport: f, Now: m.now, Renew: renew,
		Credentials: Credentials{AccessKey: secret.New("CLOCKTESTACCESSKEY01"), SecretKey: secret.New("clock-test-secret-key")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// deleteMany asks for n deletions at once and returns the error of the last that failed.
func deleteMany(t *testing.T, c *Client, n int) (last *deletion.Error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			_, err := c.DeleteBackup(ctx, deletion.Target{Region: "r", ProjectID: "p", BackupID: fmt.Sprint("b", i)}, false)
			mu.Lock()
			defer mu.Unlock()
			_ = errors.As(err, &last) // a success leaves it
		})
	}
	all.Wait()
	return last
}

// signedInTime reports whether a signature has a time that the gateway accepts.
func signedInTime(r *http.Request) bool {
	signed, err := time.Parse(dateLayout, r.Header.Get(headerDate))
	return err == nil && time.Since(signed).Abs() < 15*time.Minute
}

// A 401 of something in front of the gateway does not correct the clock: signed by its Date, a whole
// batch would be refused, and the key would be locked.
func TestOnlyTheGatewayCorrectsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refused, fromProxy atomic.Int64
		c := newClockClient(t, newMachine(0), nil, func(r *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Millisecond)
			switch {
			case fromProxy.Add(-1) >= 0:
				return answerAt(http.StatusUnauthorized, "proxy", time.Now().Add(-2*time.Hour)), nil
			case !signedInTime(r):
				refused.Add(1)
				return answerAt(http.StatusUnauthorized, refusedBody, time.Now()), nil
			}
			return answerAt(http.StatusOK, acceptedBody, time.Now()), nil
		})
		if err := deleteMany(t, c, 1); err != nil {
			t.Fatal(err)
		}
		fromProxy.Store(2)
		_ = deleteMany(t, c, 1) // what comes after it counts
		fromProxy.Store(0)
		if err := deleteMany(t, c, 20); err != nil || refused.Load() != 0 {
			t.Errorf("error %v, %d refusals", err, refused.Load())
		}
	})
}

// After a clock was an hour ahead and is corrected, nothing waits for that hour: not the lock of a key,
// not the renewal of credentials, not the pace. A proof of the key that is in the future does not count.
func TestAClockThatIsPutBack(t *testing.T) {
	t.Run("the lock", func(t *testing.T) {
		m := newMachine(time.Hour)
		c := newClockClient(t, m, nil, func(*http.Request) (*http.Response, error) {
			return answerAt(http.StatusUnauthorized, refusedBody, time.Now()), nil
		})
		_ = deleteMany(t, c, 1) // what comes after it counts
		m.set(0)
		if err := deleteMany(t, c, 1); err == nil || err.RetryAfter > lockTime {
			t.Errorf("error %+v, want %v at the most", err, lockTime)
		}
	})
	t.Run("the renewal", func(t *testing.T) {
		m := newMachine(time.Hour)
		reads := 0
		renew := func(context.Context) (Credentials, error) {
			reads++
			return Credentials{AccessKey: secret.New("CLOCKTESTACCESSKEY01"), SecretKey: secret.New("clock-test-secret-key")}, nil
		}
		c := newClockClient(t, m, renew, func(*http.Request) (*http.Response, error) {
			return answerAt(http.StatusUnauthorized, refusedBody, time.Now()), nil
		})
		_ = deleteMany(t, c, 1) // what comes after it counts
		before := reads
		m.set(0)
		_ = deleteMany(t, c, 1) // what comes after it counts
		if reads == before {
			t.Error("the credentials were not read again")
		}
	})
	t.Run("the pace", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(time.Hour)
			first := true
			c := newClockClient(t, m, nil, func(*http.Request) (*http.Response, error) {
				if first {
					first = false
					m.set(0)
					return answerAt(http.StatusTooManyRequests, `{"error_code":"APIGW.0308","error_msg":"too fast"}`, time.Now()), nil
				}
				return answerAt(http.StatusOK, acceptedBody, time.Now()), nil
			})
			_ = deleteMany(t, c, 1) // what comes after it counts
			if err := deleteMany(t, c, 1); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("the proof", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(time.Hour)
			var refused atomic.Int64
			c := newClockClient(t, m, nil, func(r *http.Request) (*http.Response, error) {
				time.Sleep(5 * time.Millisecond)
				if !signedInTime(r) {
					refused.Add(1)
					return answerAt(http.StatusUnauthorized, refusedBody, time.Now()), nil
				}
				return answerAt(http.StatusOK, acceptedBody, time.Now()), nil
			})
			for _, ahead := range []time.Duration{time.Hour, 0, -time.Hour} {
				m.set(ahead)
				if ahead < 0 {
					time.Sleep(2 * provenTime) // the clock went on, so that the proof is over
				}
				refused.Store(0)
				if err := deleteMany(t, c, 20); err != nil || refused.Load() > 1 {
					t.Errorf("%v ahead: error %v, %d refusals, want one at the most", ahead, err, refused.Load())
				}
			}
		})
	})
}

// A Retry-After that is a date is compared with the corrected clock.
func TestRetryAfterByAWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockClient(t, newMachine(-3*time.Hour), nil, func(r *http.Request) (*http.Response, error) {
			if !signedInTime(r) {
				return answerAt(http.StatusUnauthorized, refusedBody, time.Now()), nil
			}
			answer := answerAt(http.StatusServiceUnavailable, `{"error_code":"DBS.280005","error_msg":"down"}`, time.Now())
			answer.Header.Set("Retry-After", time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))
			return answer, nil
		})
		if err := deleteMany(t, c, 1); err == nil || err.RetryAfter < 20*time.Second || err.RetryAfter > time.Minute {
			t.Errorf("error %+v, want half a minute", err)
		}
	})
}

// No other member of the answer hides a job id.
func TestAJobIDIsKept(t *testing.T) {
	for _, body := range []string{
		`{"job_id":"j","error_code":0}`, `{"job_id":"j","error_code":null}`, `{"job_id":"j","error_code":""}`, "\ufeff" + acceptedBody,
	} {
		c := newClockClient(t, newMachine(0), nil, func(*http.Request) (*http.Response, error) {
			return answerAt(http.StatusOK, body, time.Now()), nil
		})
		if got, err := c.DeleteBackup(t.Context(), deletion.Target{Region: "r", ProjectID: "p", BackupID: "b"}, false); err != nil || got.JobID != "j" {
			t.Errorf("%q: %+v, %v", body, got, err)
		}
	}
}

// If the call that tries the key gets a 401 without a code, the calls that waited fail with the same
// class: each would be another 401.
func TestWaitersShareA401(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := newClockClient(t, newMachine(0), nil, func(*http.Request) (*http.Response, error) {
			calls.Add(1)
			time.Sleep(50 * time.Millisecond)
			return answerAt(http.StatusUnauthorized, "proxy", time.Now()), nil
		})
		if err := deleteMany(t, c, 20); err == nil || err.Class != deletion.ClassUnauthenticated || calls.Load() != 1 {
			t.Errorf("error %+v after %d calls", err, calls.Load())
		}
	})
}
