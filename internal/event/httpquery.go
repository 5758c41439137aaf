package event

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// query is what the query of a call says. Its parameters mean what the members of a request mean.
type query struct {
	projectID, region, dryRun string // empty where they are not given
}

// isSignature reports whether a parameter belongs to an address that was signed beforehand.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
func isSignature(name string) bool {
	const prefix = "x-amz-"
	return len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// parseQuery reads the parameters of a call. A deletion cannot be taken back, so nothing is ignored.
func parseQuery(parameters []pair) (query, error) {
	var q query
	if len(parameters) == 0 {
		return q, nil
	}
	fields := map[string]*string{"project_id": &q.projectID, "region": &q.region, "dry_run": &q.dryRun}
	for _, p := range parameters {
		field, known := fields[p.name]
		switch {
		case isSignature(p.name):
			continue
		case !known:
			return q, fmt.Errorf("the query: %q is unknown; expected dry_run, project_id or region", shorten(p.name))
		case *field != "":
			return q, fmt.Errorf("the query: %s is given twice; expected it once", p.name)
		case p.value == "":
			return q, fmt.Errorf("the query: %s is empty; expected a value, or leave it out", p.name)
		}
		*field = p.value
	}
	if q.dryRun != "" && q.dryRun != "true" && q.dryRun != "false" {
		return q, fmt.Errorf("the query: dry_run is %q; expected true or false", shorten(q.dryRun))
	}
	return q, nil
}

// addTo completes a request with what the query says. What the place, its path or its body, says
// already must not come again.
func (q query) addTo(r *deletion.Request, place string) error {
	twice := func(name string) error {
		return fmt.Errorf("%s: both in the query and in %s; expected it once", name, place)
	}
	switch {
	case q.projectID != "" && r.ProjectID != "":
		return twice("project_id")
	case q.region != "" && r.Region != "":
		return twice("region")
	case q.dryRun != "" && r.DryRun:
		return twice("dry_run")
	}
	r.ProjectID += q.projectID
	r.Region += q.region
	r.DryRun = r.DryRun || q.dryRun == "true"
	return nil
}

// addToAll completes the requests of a body.
func (q query) addToAll(requests []deletion.Request, body []byte) error {
	// A request does not tell "dry_run": false from none, so the text of the body is searched for it.
	if q.dryRun != "" && bytes.Contains(withoutMetadata(body), []byte("dry_run")) {
		return errors.New("dry_run: both in the query and in the body; expected it once")
	}
	for i := range requests {
		if requests[i].Err == nil {
			if err := q.addTo(&requests[i], "the body"); err != nil {
				return err
			}
		}
	}
	return nil
}
