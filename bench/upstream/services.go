package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
)

var jobs, eventIDs atomic.Int64

// dds answers the two calls of DDS that a deletion needs. Every backup is a finished manual one.
// Signatures are not checked; the tests of the product do that.
func dds(r *http.Request) (status int, answer []byte) {
	if !strings.HasPrefix(r.Header.Get("Authorization"), "SDK-HMAC-SHA256 Access=") {
		return http.StatusUnauthorized, []byte(`{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information"}`)
	}
	switch r.Method {
	case http.MethodDelete:
		return http.StatusOK, fmt.Appendf(nil, `{"job_id":"00000000-0000-4000-8000-%012x"}`, jobs.Add(1))
	case http.MethodGet:
		id := r.URL.Query().Get("backup_id")
		return http.StatusOK, fmt.Appendf(nil, `{"total_count":1,"backups":[{"id":%q,"name":"backup","instance_id":"i","instance_name":"i",`+
			`"datastore":{"type":"DDS-Community","version":"4.0"},"type":"Manual","begin_time":"2026-11-23 10:00:00","end_time":"2026-11-23 10:05:00",`+
			`"status":"COMPLETED","size":1024,"description":""}]}`, id)
	default:
		return http.StatusNotFound, []byte(`{"error_code":"APIGW.0101","error_msg":"The API does not exist: ` + path.Base(r.URL.Path) + `"}`)
	}
}

// putEvents accepts every entry.
func putEvents(body []byte) (status int, answer []byte) {
	var in struct{ Entries []struct{} }
	if err := json.Unmarshal(body, &in); err != nil || len(in.Entries) == 0 || len(in.Entries) > 10 {
		return http.StatusBadRequest, []byte(`{"__type":"ValidationException"}`)
	}
	answer = append(answer, `{"FailedEntryCount":0,"Entries":[`...)
	for i := range in.Entries {
		if i > 0 {
			answer = append(answer, ',')
		}
		answer = append(answer, `{"EventId":"`...)
		answer = strconv.AppendInt(answer, eventIDs.Add(1), 10)
		answer = append(answer, `"}`...)
	}
	return http.StatusOK, append(answer, "]}"...)
}
