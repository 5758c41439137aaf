package event

import (
	"net/url"
	"strings"

	"dds-backup-delete/internal/httpapi"
)

// query returns the parameters of a query that the front decoded. A parameter without a value is still
// there, and empty: it must not be dropped, since it may be dry_run.
func (e envelope) query() []httpapi.Parameter {
	return e.multi("queryStringParameters", "multiValueQueryStringParameters", true)
}

// encodedQuery returns the parameters of a query that the front left as they were sent.
func (e envelope) encodedQuery() []httpapi.Parameter {
	parameters := e.query()
	for i, p := range parameters {
		decoded, err := p.Decoded()
		if parameters[i] = decoded; err != nil {
			e.fail("queryStringParameters", err.Error())
		}
	}
	return parameters
}

// joinedQuery returns the query of payload format 2.0, which has it twice: as it was sent, and decoded
// with the values of a repeated name joined by commas.
func (e envelope) joinedQuery() []httpapi.Parameter {
	raw, joined := e.text("rawQueryString"), e.texts("queryStringParameters", false)
	if raw == "" {
		var parameters []httpapi.Parameter
		for _, p := range e.query() {
			for value := range strings.SplitSeq(p.Value, ",") {
				parameters = append(parameters, httpapi.Parameter{Name: p.Name, Value: value})
			}
		}
		return parameters
	}
	parameters, err := httpapi.SplitQuery(raw)
	if err != nil {
		e.fail("rawQueryString", err.Error())
	}
	if len(joined) > 0 && !sameQuery(parameters, joined) {
		e.fail("queryStringParameters", "not what rawQueryString says")
	}
	return parameters
}

// sameQuery reports whether joined has the parameters of a query, apart from those of a signature.
func sameQuery(query, joined []httpapi.Parameter) bool {
	values := make(map[string]string)
	for _, p := range query {
		if p.IsSignature() {
			continue
		}
		if before, again := values[p.Name]; again {
			p.Value = before + "," + p.Value
		}
		values[p.Name] = p.Value
	}
	for _, p := range joined {
		if p.IsSignature() {
			continue
		}
		if value, ok := values[p.Name]; !ok || value != p.Value {
			return false
		}
		delete(values, p.Name)
	}
	return len(values) == 0
}

// joinQuery returns a query as it stands in a URL.
func joinQuery(parameters []httpapi.Parameter) string {
	var query strings.Builder
	for i, p := range parameters {
		if i > 0 {
			query.WriteByte('&')
		}
		query.WriteString(url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value))
	}
	return query.String()
}
