package httpapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// query is what the query of a call says, by the names of its parameters, which mean what the members of a
// request mean.
type query map[string]string

// Parameters of the query of a call, without those of a signature.
var (
	deletionParameters = []string{"dry_run", "expires_at", "project_id", "region"}
	statusParameters   = []string{"project_id", "region"}
)

// Parameter is one parameter of a query.
type Parameter struct{ Name, Value string }

// SplitQuery returns the parameters of a query in their order. The error names the first that is not
// URL-encoded; all are returned nevertheless.
func SplitQuery(raw string) (parameters []Parameter, err error) {
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		p, wrong := (Parameter{name, value}).Decoded()
		if wrong != nil && err == nil {
			err = wrong
		}
		parameters = append(parameters, p)
	}
	return parameters, err
}

// Decoded decodes the name and the value of a URL-encoded parameter. What cannot be decoded is left
// out; that is an error except in the parameter of a signature.
func (p Parameter) Decoded() (Parameter, error) {
	name, err1 := url.QueryUnescape(p.Name)
	value, err2 := url.QueryUnescape(p.Value)
	if errors.Join(err1, err2) != nil && !p.IsSignature() {
		return Parameter{name, value}, fmt.Errorf("%q is not URL-encoded", strictjson.Shorten(p.Name))
	}
	return Parameter{name, value}, nil
}

// IsSignature reports whether a parameter belongs to an address that was signed beforehand.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
func (p Parameter) IsSignature() bool {
	const prefix = "x-amz-"
	return len(p.Name) > len(prefix) && strings.EqualFold(p.Name[:len(prefix)], prefix)
}

// parseQuery reads the query of a call, which may have the known parameters. A deletion cannot be taken
// back, so nothing is ignored.
func parseQuery(parameters []Parameter, known []string) (query, error) {
	q := make(query, len(parameters))
	for _, p := range parameters {
		switch {
		case p.IsSignature():
			continue
		case !slices.Contains(known, p.Name):
			return nil, fmt.Errorf("the query: %q is unknown; expected %s or region", strictjson.Shorten(p.Name), strings.Join(known[:len(known)-1], ", "))
		case q[p.Name] != "":
			return nil, fmt.Errorf("the query: %s is given twice; expected it once", p.Name)
		case p.Value == "":
			return nil, fmt.Errorf("the query: %s is empty; expected a value, or leave it out", p.Name)
		}
		q[p.Name] = p.Value
	}
	if dryRun, given := q["dry_run"]; given && dryRun != "true" && dryRun != "false" {
		return nil, fmt.Errorf("the query: dry_run is %q; expected true or false", strictjson.Shorten(dryRun))
	}
	if at, given := q["expires_at"]; given {
		if _, valid := body.ParseTime(at); !valid {
			return nil, fmt.Errorf("the query: expires_at is %q; %s", strictjson.Shorten(at), body.ExpectedTime)
		}
	}
	return q, nil
}

// addTo adds to a request what the query says. A value that the place, its path or its body, gives must
// not be given in the query again.
func (q query) addTo(r *deletion.Request, place string) error {
	for _, p := range []struct {
		name  string
		given bool
	}{{"project_id", r.ProjectID != ""}, {"region", r.Region != ""}, {"dry_run", r.DryRun}, {"expires_at", !r.ExpiresAt.IsZero()}} {
		if p.given && q[p.name] != "" {
			return fmt.Errorf("%s: both in the query and in %s; expected it once", p.name, place)
		}
	}
	r.ProjectID += q["project_id"]
	r.Region += q["region"]
	if at, given := body.ParseTime(q["expires_at"]); given {
		r.ExpiresAt = at
	}
	r.DryRun = r.DryRun || q["dry_run"] == "true"
	return nil
}

// addToAll completes the requests of a body.
func (q query) addToAll(requests []deletion.Request, namesDryRun bool) error {
	if q["dry_run"] != "" && namesDryRun { // a request itself does not tell "dry_run": false from none
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
