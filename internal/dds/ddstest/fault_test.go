package ddstest

import (
	"context"
	"net/http"
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		fault     Fault
		status    int // 0 if the connection is dropped
		code      string
		text      string
		mediaType string
		done      bool
		reported  string
	}{
		"slow":            {fault: Slow(time.Millisecond), status: 200, mediaType: jsonType, done: true, reported: "slow 1ms"},
		"drop before":     {fault: DropBefore(), reported: "drop before"},
		"drop after":      {fault: DropAfter(), done: true, reported: "drop after"},
		"answer":          {fault: Answer(400, "DBS.200998", "busy"), status: 400, code: "DBS.200998", text: `{"error_code":"DBS.200998","error_msg":"busy"}`, mediaType: jsonType, reported: "answer 400"},
		"throttle":        {fault: Throttle(), status: 429, code: "APIGW.0308", mediaType: jsonType, reported: "answer 429"},
		"raw answer":      {fault: RawAnswer(502, "text/html", "<html>"), status: 502, text: "<html>", mediaType: "text/html", reported: "answer 502"},
		"empty answer":    {fault: RawAnswer(404, "", ""), status: 404, reported: "answer 404"},
		"no job id":       {fault: NoJobID(), status: 200, text: "{}", mediaType: jsonType, done: true, reported: "answer 200 after work"},
		"answer after":    {fault: AnswerAfter(504, "text/html", "<html>"), status: 504, text: "<html>", mediaType: "text/html", done: true, reported: "answer 504 after work"},
		"slow, then drop": {fault: Fault{Delay: time.Millisecond, DropBefore: true}, reported: "slow 1ms, drop before"},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := newServer(t, Options{})
			s.Add(Backup{ID: "b"})
			s.Inject(tc.fault)
			got, err := c.try(c.request("DELETE", "/v3/"+ProjectID+"/backups/b", ""))
			if (err != nil) != (tc.status == 0) {
				t.Fatalf("error %v", err)
			}
			if got.status != tc.status || got.code != tc.code || (tc.text != "" && got.text != tc.text) || got.header.Get("Content-Type") != tc.mediaType {
				t.Errorf("answer %d %s %s", got.status, got.header.Get("Content-Type"), got.text)
			}
			if _, there := s.Backup("b"); there == tc.done {
				t.Errorf("there: %v", there)
			}
			call := s.Calls()[0]
			if call.Fault != tc.reported || call.Status != tc.status || call.Code != tc.code || (call.JobID != "") != tc.done {
				t.Errorf("call %+v", call)
			}
			if tc.done != (len(s.Jobs()) == 1) {
				t.Errorf("jobs %+v", s.Jobs())
			}
			c.list("").want(t, 200, "") // once is once
		})
	}
}

func TestThrottleText(t *testing.T) {
	s, c := newServer(t, Options{})
	s.Inject(Throttle().RetryAfter("7"))
	got := c.list("")
	if got.msg != "policy user over ratelimit,limit:200,time:5 minute" || got.header.Get("Retry-After") != "7" {
		t.Errorf("text %q, Retry-After %q", got.msg, got.header.Get("Retry-After"))
	}
}

func TestFaultsMatch(t *testing.T) {
	s, c := newServer(t, Options{})
	s.Add(Backup{ID: "a"}, Backup{ID: "b"})
	s.Inject(
		Answer(500, "one", "").For("b").On(http.MethodDelete),
		Answer(500, "two", "").On(http.MethodGet).Repeat(2),
		Answer(500, "three", "").For("b"),
		Answer(500, "four", "").For("b").Repeat(-1),
	)
	c.delete("a").want(t, 200, "")
	c.list("").want(t, 500, "two")
	c.delete("b").want(t, 500, "one")
	c.list("?backup_id=b").want(t, 500, "two")
	c.list("?backup_id=b").want(t, 500, "three")
	for range 3 {
		c.list("?backup_id=b").want(t, 500, "four")
	}
	c.list("").want(t, 200, "")
	s.Heal()
	c.delete("b").want(t, 200, "")
}

// A request that the gateway refuses uses no fault, and a refusal of the work is still the answer.
func TestFaultsComeAfterTheGateway(t *testing.T) {
	s, c := newServer(t, Options{})
	s.Inject(NoJobID())
	c.secret = "wrong"
	c.delete("none").want(t, 401, "APIGW.0301")
	c.secret = SecretKey
	c.do("PUT", "/").want(t, 404, "APIGW.0101")
	c.delete("none").want(t, 400, "DBS.201214")
	if call := s.Calls()[2]; call.Fault == "" {
		t.Errorf("call %+v", call)
	}
}

// If the client leaves or the server closes during the delay, the backup stays.
func TestSlowEndsEarly(t *testing.T) {
	for name, end := range map[string]func(cancel func(), s *Server){
		"client leaves":     func(cancel func(), _ *Server) { cancel() },
		"server closes":     func(_ func(), s *Server) { s.Close() },
		"connections close": func(_ func(), s *Server) { s.CloseConnections() },
	} {
		t.Run(name, func(t *testing.T) {
			s, c := newServer(t, Options{})
			s.Add(Backup{ID: "b"})
			s.Inject(Slow(time.Hour))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() {
				_, err := c.try(c.request("DELETE", "/v3/"+ProjectID+"/backups/b", "").WithContext(ctx))
				result <- err
			}()
			for !used(s) { // until the request has come in
				select {
				case err := <-result:
					t.Fatalf("answered early: %v", err)
				case <-time.After(time.Millisecond):
				}
			}
			end(cancel, s)
			if err := <-result; err == nil {
				t.Error("no error")
			}
			s.Close() // waits for the handler
			if _, there := s.Backup("b"); !there {
				t.Error("the work was done")
			}
			if calls := s.Calls(); len(calls) != 1 || calls[0].Status != 0 || calls[0].Fault != "slow 1h0m0s" {
				t.Errorf("calls %+v", calls)
			}
		})
	}
}

// used reports whether all faults are used up.
func used(s *Server) bool {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return len(s.queue) == 0
}
