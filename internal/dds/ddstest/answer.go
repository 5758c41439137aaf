package ddstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const jsonType = "application/json"

// answer is the answer to a request. Without a status there is none: the connection is dropped.
type answer struct {
	status        int
	header        http.Header
	contentType   string // JSON by default
	body          []byte // if nil, made from value, or from code and message
	value         any
	code, message string

	jobID string // of the job that was started, whether the answer names it or not
	fault string // what was injected
}

// succeed returns a 200 with v as JSON.
func succeed(v any) *answer { return &answer{status: http.StatusOK, value: v} }

// refuse returns an error.
func refuse(status int, code, message string) *answer {
	return &answer{status: status, code: code, message: message}
}

// asIAM turns a refusal by the gateway into the form of IAM, where the code is a number.
//
// https://support.huaweicloud.com/intl/en-us/api-iam/iam_02_0006.html
func (a *answer) asIAM() *answer {
	type iamError struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
		Title   string `json:"title"`
	}
	body := map[string]iamError{"error": {a.message, a.status, http.StatusText(a.status)}}
	return &answer{status: a.status, code: strconv.Itoa(a.status), value: body}
}

// write sends the answer.
func (a *answer) write(w http.ResponseWriter, requestID string) {
	body, contentType := a.body, a.contentType
	if body == nil {
		body = a.json(requestID)
	}
	if contentType == "" && len(body) > 0 {
		contentType = jsonType
	}
	if contentType != "" {
		w.Header().Set("Content-Type", contentType)
	}
	w.Header().Set("X-Request-Id", requestID)
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the client may be gone
}

// json makes the body. Errors of the gateway and of SMN contain the request id, those of DDS do not.
func (a *answer) json(requestID string) []byte {
	value := a.value
	if value == nil && a.code == "" {
		return nil
	}
	if value == nil {
		body := map[string]string{"error_code": a.code, "error_msg": a.message}
		if strings.HasPrefix(a.code, "API") {
			body["request_id"] = requestID
		}
		if strings.HasPrefix(a.code, "SMN.") {
			body = map[string]string{"request_id": requestID, "code": a.code, "message": a.message}
		}
		value = body
	}
	b, err := json.Marshal(value)
	if err != nil {
		panic("ddstest: " + err.Error()) // all values are the package's own
	}
	return b
}

// throttleText is the text of the real gateway, from which the limit and the window can be read.
func throttleText(limit int, window time.Duration) string {
	if window%time.Minute == 0 {
		return fmt.Sprintf("policy user over ratelimit,limit:%d,time:%d minute", limit, window/time.Minute)
	}
	return fmt.Sprintf("policy user over ratelimit,limit:%d,time:%d second", limit, (window+time.Second-1)/time.Second)
}

// drop closes the connection of w, by a reset where it can.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the client sees an end of file, which serves as well
	}
	_ = conn.Close()
}
