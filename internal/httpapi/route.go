package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// route finds what a call asks for: deletions, or an answer that needs none. The path is not cleaned:
// what is not spelled like one of these is none of them.
//
//	DELETE /backups/{backup_id}
//	DELETE /v3/{project_id}/backups/{backup_id}
//	POST   /deletions                            {"backup_id": "…"}, a list, or CloudEvents
//	POST   /                                     CloudEvents
//	GET    /healthz
func (h *Handler) route(r *request) *Call {
	if r.front.Fault != "" {
		return r.refuse(http.StatusBadRequest, "the event of the HTTP front: "+r.front.Fault)
	}
	path := strings.TrimSuffix(strings.TrimPrefix(WithoutPrefix(r.path, h.BasePath), "/"), "/")
	segments := strings.Split(path, "/")
	switch {
	case len(segments) == 2 && segments[0] == "backups":
		return r.readDelete(nil, segments[1])
	case len(segments) == 4 && segments[0] == "v3" && segments[2] == "backups":
		project := Unescape(segments[1])
		return r.readDelete(&project, segments[3])
	case path == "deletions", path == "":
		return h.readPost(r, path == "")
	case path != "healthz":
		return r.refuse(http.StatusNotFound, h.unknownPath(r.path))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return r.notAllowed("GET, HEAD")
	default: // for a load balancer that asks whether its target is there
		return answered(jsonResponse(http.StatusOK, mediaJSON, map[string]string{"status": "ok"}))
	}
}

// WithoutPrefix returns a path without a prefix of whole segments, if it has that.
func WithoutPrefix(path, prefix string) string {
	if rest, ok := strings.CutPrefix(path+"/", prefix+"/"); ok && prefix != "/" && prefix != "" {
		return "/" + strings.TrimSuffix(rest, "/")
	}
	return path
}

// unknownPath says which paths there are.
func (h *Handler) unknownPath(path string) string {
	base := "HTTP_BASE_PATH, which is not set, would add a prefix"
	if h.BasePath != "" {
		base = fmt.Sprintf("each may be prefixed with HTTP_BASE_PATH, which is %q", h.BasePath)
	}
	return fmt.Sprintf("there is no path %q; expected DELETE /backups/{backup_id}, DELETE /v3/{project_id}/backups/{backup_id}, "+
		"POST /deletions, POST / or GET /healthz; %s", strictjson.Shorten(path), base)
}

// notAllowed refuses a call by another method than these.
func (r *request) notAllowed(allow string) *Call {
	response := problemResponse(problem{
		Status: http.StatusMethodNotAllowed, RequestID: r.front.RequestID,
		Detail: fmt.Sprintf("the method %q is not for this path; expected %s", strictjson.Shorten(r.Method), allow),
	})
	response.Header["Allow"] = allow
	return answered(response)
}

// readDelete finds what a DELETE asks for. Its path says it, and the query what the path leaves out.
// The project is nil if the path has none.
func (r *request) readDelete(project *string, segment string) *Call {
	if r.Method != http.MethodDelete {
		return r.notAllowed(http.MethodDelete)
	}
	request := r.base()
	request.BackupID = Unescape(segment)
	if project != nil {
		request.ProjectID = *project
	}
	if r.contradicts("project_id", request.ProjectID) || r.contradicts("backup_id", request.BackupID) {
		return r.refuse(http.StatusBadRequest, "the event of the HTTP front: pathParameters: not what the path says")
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err == nil {
		err = query.addTo(&request, "the path")
	}
	switch {
	case r.isBinary(): // its sender reports something to others and did not ask for a deletion
		return r.invalid("it is a CloudEvent; expected a plain request")
	case r.size > 0 || r.front.BodyFault != "":
		return r.invalid("the body: a DELETE takes none; expected the request in the path, or POST /deletions")
	case project != nil && *project == "":
		return r.invalid("project_id: empty in the path")
	case err != nil:
		return r.invalid(err.Error())
	}
	return &Call{Requests: []deletion.Request{request}, answer: answerOne}
}

// contradicts reports whether a path parameter is there and is not the value that the path has.
func (r *request) contradicts(parameter, value string) bool {
	given, ok := r.front.Parameters[parameter]
	return ok && given != value && Unescape(given) != value
}
