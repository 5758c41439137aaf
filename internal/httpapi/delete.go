package httpapi

import (
	"net/http"

	"dds-backup-delete/internal/deletion"
)

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
	query, err := parseQuery(r.parameters)
	if err == nil {
		err = query.addTo(&request, "the path")
	}
	switch {
	case r.isBinary(): // its sender reports something to others and did not ask for a deletion
		return r.rejected("it is a CloudEvent; expected a plain request")
	case r.hasBody || r.front.BodyFault != "":
		return r.rejected("the body: a DELETE takes none; expected the request in the path, or POST /deletions")
	case project != nil && *project == "":
		return r.rejected("project_id: empty in the path")
	case err != nil:
		return r.rejected(err.Error())
	}
	return &Call{Requests: []deletion.Request{request}, answer: answerOne}
}

// contradicts reports whether a path parameter is there and is not the value that the path has.
func (r *request) contradicts(parameter, value string) bool {
	given, ok := r.front.Parameters[parameter]
	return ok && given != value && Unescape(given) != value
}
