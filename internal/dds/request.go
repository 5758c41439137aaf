package dds

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// newCall returns a call to the path that the segments form.
func (c *Client) newCall(ctx context.Context, method string, t deletion.Target, query url.Values, segments ...string) (*call, error) {
	endpoint, ok := c.endpoints[t.Region]
	if !ok {
		return nil, &deletion.Error{Class: deletion.ClassInvalid, Message: fmt.Sprintf("region %q: no endpoint is configured for it", t.Region)}
	}
	path, err := joinPath(segments...)
	if err != nil {
		return nil, err
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, endpoint+path, nil)
	if err != nil {
		return nil, &deletion.Error{Class: deletion.ClassInvalid, Message: "no request could be made: " + printable(err.Error())}
	}
	r.Header.Set(headerProjectID, t.ProjectID)
	return &call{Request: r}, nil
}

// joinPath joins segments to a path. It refuses a segment that would change the path's structure.
func joinPath(segments ...string) (string, error) {
	var path []byte
	for _, segment := range segments {
		if segment == "" || segment == "." || segment == ".." || strings.Contains(segment, "/") {
			return "", &deletion.Error{Class: deletion.ClassInvalid, Message: "an id that is no path segment: it is empty, dots, or has a slash"}
		}
		path = append(path, '/')
		for i := range len(segment) {
			path = appendEncoded(path, segment[i])
		}
	}
	return string(path), nil
}
