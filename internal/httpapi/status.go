package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// readStatus finds the backup whose state a call asks for. Nothing is deleted, so a body is ignored, as HTTP has
// no meaning for it.
func (r *request) readStatus(request deletion.Request, emptyProject bool) *Call {
	query, err := parseQuery(r.parameters, statusParameters)
	if err == nil {
		err = query.addTo(&request, "the path")
	}
	status := &Status{}
	call := &Call{answer: func([]deletion.Outcome) *Response { return r.answerStatus(status) }}
	switch {
	case emptyProject:
		status.Err = &deletion.Error{Class: deletion.ClassInvalid, Message: noProject}
	case err != nil:
		status.Err = &deletion.Error{Class: deletion.ClassInvalid, Message: err.Error()}
	default:
		status.Backup, call.Status = request.Target(), status
	}
	return call
}

// answerStatus returns the response to a question for a state.
func (r *request) answerStatus(s *Status) *Response {
	switch {
	case s.Err != nil:
		return answerError(&deletion.Outcome{Request: r.base(), Err: s.Err}, nil)
	case s.State == nil:
		return answerError(&deletion.Outcome{Request: r.base(), Err: &deletion.Error{
			Class: deletion.ClassNotFound, Message: "the ledger knows nothing of this backup",
		}}, nil)
	default:
		return jsonResponse(http.StatusOK, mediaJSON, s.State)
	}
}

// location returns where the state of the backup of a request is, as a path that its caller can use. The prefix is
// the one that the caller's path has, as far as it is known.
func (r *request) location(named *deletion.Request) string {
	prefix := r.front.Prefix
	if !strings.HasSuffix(prefix, r.basePath) {
		prefix += r.basePath
	}
	query := url.Values{}
	if named.ProjectID != "" {
		query.Set("project_id", named.ProjectID)
	}
	if named.Region != "" {
		query.Set("region", named.Region)
	}
	location := url.URL{Path: prefix + "/backups/" + named.BackupID, RawQuery: query.Encode()}
	return location.RequestURI()
}
