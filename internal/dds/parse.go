package dds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"dds-backup-delete/internal/retry"
)

// parsing returns a handler that turns every answer but a success into an [Error].
// 200 and 202 are successes: which of them a deletion gives differs between the pages.
func parsing(next handler, now func() time.Time) handler {
	return func(c *call) (*response, error) {
		resp, err := next(c)
		if err != nil {
			return nil, err
		}
		if resp.status == http.StatusOK || resp.status == http.StatusAccepted {
			return resp, nil
		}
		return nil, parseError(resp, now())
	}
}

// parseError reads an answer that is not a success.
func parseError(resp *response, now time.Time) *Error {
	code, message, requestID := parseBody(resp)
	e := &Error{
		Class:      classOf(resp.status, code),
		Code:       printable(code),
		Message:    printable(message),
		StatusCode: resp.status,
		RequestID:  printable(requestID),
		RetryAfter: retry.After(resp.header.Get("Retry-After"), now),
		// A gateway that gave up on its backend cannot know what the backend still did, and
		// an odd success may be one.
		AnswerLost: resp.status < 300 || (resp.status >= 500 && (resp.status != http.StatusServiceUnavailable || code == "")),
	}
	e.date, _ = http.ParseTime(resp.header.Get("Date")) // zero where there is none
	if e.Class == Throttled {
		if limit, ok := parseRateLimit(message); ok {
			e.Limit = limit
			e.RetryAfter = max(e.RetryAfter, limit.Window)
		}
	}
	return e
}

// errorBody is every shape in which a Huawei Cloud service tells an error: DDS and the gateway
// (error_code, error_msg), old services (errCode, externalMessage), others (code, message),
// and IAM and ECS, which nest theirs in error.
type errorBody struct {
	ErrorCode       text            `json:"error_code"`
	ErrorMsg        text            `json:"error_msg"`
	ErrCode         text            `json:"errCode"`
	ExternalMessage text            `json:"externalMessage"`
	Code            text            `json:"code"`
	Message         text            `json:"message"`
	Title           text            `json:"title"`
	RequestID       text            `json:"request_id"`
	Nested          json.RawMessage `json:"error"`
}

// text reads a JSON string or number: IAM's code is the one, all others are the other.
// Anything else reads as empty, so that one odd member hides no other.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	var n json.Number
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	} else if json.Unmarshal(b, &n) == nil {
		*t = text(n)
	}
	return nil
}

func (b *errorBody) codeAndMessage() (code, message string) {
	first := func(of ...text) string {
		for _, t := range of {
			if t != "" {
				return string(t)
			}
		}
		return ""
	}
	code = first(b.ErrorCode, b.ErrCode, b.Code)
	message = first(b.ErrorMsg, b.ExternalMessage, b.Message, b.Title)
	if code == "" && len(b.Nested) > 0 {
		var nested errorBody
		if json.Unmarshal(b.Nested, &nested) == nil {
			nested.Nested = nil
			return nested.codeAndMessage()
		}
	}
	return code, message
}

// parseBody reads code, text and request id of an answer. What is not JSON is described, not
// repeated: a proxy's page is of no use in a log line.
func parseBody(resp *response) (code, message, requestID string) {
	for _, name := range []string{"X-Request-Id", "X-Iam-Trace-Id"} {
		if requestID == "" {
			requestID = resp.header.Get(name)
		}
	}
	var body errorBody
	if json.Unmarshal(resp.body, &body) == nil && bytes.HasPrefix(bytes.TrimSpace(resp.body), []byte("{")) {
		code, message = body.codeAndMessage()
		if requestID == "" {
			requestID = string(body.RequestID)
		}
	}
	if code == "" && message == "" {
		message = http.StatusText(resp.status)
		if len(resp.body) > 0 {
			message += "; " + describe(resp)
		}
	}
	return code, message, requestID
}

// describe says what a body is that could not be read.
func describe(resp *response) string {
	media, _, err := mime.ParseMediaType(resp.header.Get("Content-Type"))
	if err != nil {
		media = "an unknown type"
	}
	return fmt.Sprintf("%d bytes of %s", len(resp.body), printable(media))
}

// RateLimit is a limit that a throttled answer told: so many calls in a window.
type RateLimit struct {
	// Calls is how many calls the window has; 0 where the answer told no limit.
	Calls int
	// Window is the length of the window.
	Window time.Duration
}

// rateLimitText is compiled when it is first needed, which for most processes is never.
var rateLimitText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`limit:(\d{1,7}),\s*time:(\d{1,5}) ?(second|minute|hour|day)`)
})

// parseRateLimit reads the text of a throttled answer, as "policy user over
// ratelimit,limit:200,time:5 minute". No Retry-After is documented.
func parseRateLimit(message string) (RateLimit, bool) {
	parts := rateLimitText().FindStringSubmatch(message)
	if parts == nil {
		return RateLimit{}, false
	}
	calls, _ := strconv.Atoi(parts[1]) // digits, by the expression
	units, _ := strconv.Atoi(parts[2])
	unit := map[string]time.Duration{
		"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour,
	}[parts[3]]
	if calls == 0 || units == 0 {
		return RateLimit{}, false
	}
	return RateLimit{Calls: calls, Window: min(time.Duration(units)*unit, 24*time.Hour)}, true
}
