package ddstest

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
)

const jsonType = "application/json"

// answer is what a request gets. Without a status it gets nothing: the connection is dropped.
type answer struct {
	status        int
	header        http.Header
	contentType   string // JSON by default
	body          []byte // or else made of value, or of code and message
	value         any
	code, message string

	jobID string // of the job that was started, whether the answer tells it or not
	fault string // what was injected
}

// succeed answers 200 with v as JSON.
func succeed(v any) *answer { return &answer{status: http.StatusOK, value: v} }

// refuse answers with an error.
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
	return &answer{
		status: a.status,
		code:   strconv.Itoa(a.status),
		value:  map[string]iamError{"error": {a.message, a.status, http.StatusText(a.status)}},
	}
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
	_, _ = w.Write(body) // the client may be gone, and nobody is left to tell
}

// json makes the body. Errors of the gateway tell the request id, those of DDS do not.
func (a *answer) json(requestID string) []byte {
	value := a.value
	if value == nil && a.code != "" {
		body := struct {
			ErrorCode string `json:"error_code"`
			ErrorMsg  string `json:"error_msg"`
			RequestID string `json:"request_id,omitempty"`
		}{ErrorCode: a.code, ErrorMsg: a.message}
		if strings.HasPrefix(a.code, "API") {
			body.RequestID = requestID
		}
		value = body
	}
	if value == nil {
		return nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		panic("ddstest: " + err.Error()) // all values are the package's own
	}
	return b
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
