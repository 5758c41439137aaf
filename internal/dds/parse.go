package dds

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/retry"
)

// parsing returns a handler that turns every answer except a success into a [*deletion.Error].
// 200 and 202 are successes: the pages disagree about which one a deletion returns. 201 is one of a POST.
func parsing(next handler, now func() time.Time) handler {
	return func(c *call) (*response, error) {
		resp, err := next(c)
		if err != nil {
			return nil, err
		}
		if resp.status == http.StatusOK || resp.status == http.StatusAccepted || resp.status == http.StatusCreated && c.Method == http.MethodPost {
			return resp, nil
		}
		return nil, c.parseError(resp, now())
	}
}

// parseError reads an answer that is not a success.
func (c *call) parseError(resp *response, now time.Time) *deletion.Error {
	code, message, requestID := parseBody(resp)
	e := &deletion.Error{
		Class:        classOf(resp.status, code),
		Code:         printable(code),
		Message:      printable(message),
		HTTPStatus:   resp.status,
		DDSRequestID: printable(requestID),
		RetryAfter:   retry.After(resp.header.Get("Retry-After"), now),
		// A gateway that gave up on its backend does not know what the backend still did, and
		// an unusual success may be real.
		MaybeSent: resp.status < 300 || (resp.status >= 500 && (resp.status != http.StatusServiceUnavailable || code == "")),
	}
	c.last.date, _ = http.ParseTime(resp.header.Get("Date")) // zero if there is none
	if e.Class == deletion.ClassThrottled {
		c.last.limit = parseRateLimit(message)
		e.RetryAfter = max(e.RetryAfter, c.last.limit.window)
	}
	return e
}

// errorBody is the JSON of an error in all its forms: DDS and the gateway (error_code, error_msg),
// old services (errCode, externalMessage), others (code, message), and IAM and ECS, which nest
// theirs in error.
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

func (b *errorBody) codeAndMessage() (code, message string) {
	code = string(cmp.Or(b.ErrorCode, b.ErrCode, b.Code))
	message = string(cmp.Or(b.ErrorMsg, b.ExternalMessage, b.Message, b.Title))
	if code == "" && len(b.Nested) > 0 {
		var nested errorBody
		if json.Unmarshal(b.Nested, &nested) == nil {
			nested.Nested = nil
			return nested.codeAndMessage()
		}
	}
	return code, message
}

// parseBody returns the code, text and request id of an answer. It describes a body that is not JSON
// and does not quote it, because a proxy's page is useless in a log line.
func parseBody(resp *response) (code, message, requestID string) {
	requestID = cmp.Or(resp.header.Get("X-Request-Id"), resp.header.Get("X-Iam-Trace-Id"))
	var body errorBody
	if json.Unmarshal(resp.body, &body) == nil && bytes.HasPrefix(bytes.TrimSpace(resp.body), []byte("{")) {
		code, message = body.codeAndMessage()
		requestID = cmp.Or(requestID, string(body.RequestID))
	}
	if code == "" && strings.TrimSpace(printable(message)) == "" {
		message = cmp.Or(http.StatusText(resp.status), fmt.Sprintf("HTTP status %d", resp.status))
		if len(resp.body) > 0 {
			message += "; " + describe(resp)
		}
	}
	return code, message, requestID
}

// describe returns the size and type of a body that could not be read.
func describe(resp *response) string {
	media, _, err := mime.ParseMediaType(resp.header.Get("Content-Type"))
	if err != nil {
		media = "an unknown type"
	}
	return fmt.Sprintf("%d bytes of %s", len(resp.body), printable(media))
}

// unreadable returns the error for a success with an unexpected body.
func unreadable(resp *response) *deletion.Error {
	return &deletion.Error{
		Class: deletion.ClassUnavailable, Message: "a success that cannot be read: " + describe(resp), HTTPStatus: resp.status,
		DDSRequestID: printable(resp.header.Get("X-Request-Id")),
	}
}

// rateLimitText is compiled when it is first needed, and most processes never need it.
var rateLimitText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`limit:(\d{1,7}),\s*time:(\d{1,5}) ?(second|minute|hour|day)`)
})

// parseRateLimit reads the text of a throttled answer, for example "policy user over
// ratelimit,limit:200,time:5 minute". DDS documents no Retry-After header.
func parseRateLimit(message string) rateLimit {
	parts := rateLimitText().FindStringSubmatch(message)
	if parts == nil {
		return rateLimit{}
	}
	calls, _ := strconv.Atoi(parts[1]) // digits, by the expression
	units, _ := strconv.Atoi(parts[2])
	unit := map[string]time.Duration{
		"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour,
	}[parts[3]]
	if calls == 0 || units == 0 {
		return rateLimit{}
	}
	return rateLimit{calls: calls, window: min(time.Duration(units)*unit, 24*time.Hour)}
}
