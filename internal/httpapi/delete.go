package httpapi

import (
	"net/http"

	"dds-backup-delete/internal/deletion"
)

// readBackup finds what a call to the path of a backup asks for. The project is nil if the path has none.
func (r *request) readBackup(project *string, segment string) *Call {
	request := r.base()
	request.BackupID = Unescape(segment)
	emptyProject := project != nil && *project == ""
	if project != nil {
		request.ProjectID = *project
	}
	switch {
	case r.Method != http.MethodDelete && r.Method != http.MethodGet && r.Method != http.MethodHead:
		return r.notAllowed("DELETE, GET, HEAD")
	case r.contradicts("project_id", request.ProjectID) || r.contradicts("backup_id", request.BackupID):
		return r.refuse(http.StatusBadRequest, "the event of the HTTP front: pathParameters: not what the path says")
	case r.Method == http.MethodDelete:
		return r.readDelete(request, emptyProject)
	default:
		return r.readStatus(request, emptyProject)
	}
}

// readDelete completes a request that the path names with what the query says.
func (r *request) readDelete(request deletion.Request, emptyProject bool) *Call {
	query, err := parseQuery(r.parameters, deletionParameters)
	if err == nil {
		err = query.addTo(&request, "the path")
	}
	switch {
	case r.isBinary(): // its sender reports something to others and did not ask for a deletion
		return r.rejected("it is a CloudEvent; expected a plain request")
	case r.hasBody || r.front.BodyFault != "":
		return r.rejected("the body: a DELETE takes none; expected the request in the path, or POST /deletions")
	case emptyProject:
		return r.rejected(noProject)
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
