package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"dds-backup-delete/internal/strictjson"
)

// route finds what a call asks for: deletions, or an answer that needs none. The path is not cleaned:
// one that is not spelled like one of these is unknown.
//
//	DELETE, GET /backups/{backup_id}
//	DELETE, GET /v3/{project_id}/backups/{backup_id}
//	POST   /deletions                            {"backup_id": "…"}, a list, or CloudEvents
//	POST   /                                     CloudEvents
//	GET    /healthz
func (r *request) route() *Call {
	if r.front.Fault != "" {
		return r.refuse(http.StatusBadRequest, "the event of the HTTP front: "+r.front.Fault)
	}
	var err error
	if r.parameters, err = SplitQuery(r.URL.RawQuery); err != nil {
		return r.refuse(http.StatusBadRequest, "the query: "+err.Error())
	}
	path := strings.TrimSuffix(strings.TrimPrefix(WithoutPrefix(r.path, r.basePath), "/"), "/")
	segments := strings.Split(path, "/")
	switch {
	case len(segments) == 2 && segments[0] == "backups":
		return r.readBackup(nil, segments[1])
	case len(segments) == 4 && segments[0] == "v3" && segments[2] == "backups":
		project := Unescape(segments[1])
		return r.readBackup(&project, segments[3])
	case path == "deletions", path == "":
		return r.readPost(path == "")
	case path != "healthz":
		return r.refuse(http.StatusNotFound, r.unknownPath())
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
func (r *request) unknownPath() string {
	base := "HTTP_BASE_PATH, which is not set, would add a prefix"
	if r.basePath != "" {
		base = fmt.Sprintf("each may be prefixed with HTTP_BASE_PATH, which is %q", r.basePath)
	}
	return fmt.Sprintf("there is no path %q; expected DELETE /backups/{backup_id}, DELETE /v3/{project_id}/backups/{backup_id}, "+
		"GET /backups/{backup_id}, GET /v3/{project_id}/backups/{backup_id}, POST /deletions, POST / or GET /healthz; %s", strictjson.Shorten(r.path), base)
}
