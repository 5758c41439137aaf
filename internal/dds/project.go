package dds

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"dds-backup-delete/internal/deletion"
)

// FindProject asks IAM, at its address, for example https://iam.cn-north-4.myhuaweicloud.com, for the
// id of the project with that name. The default project of a region has the region's name. No
// project, or several, is an error.
//
// https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0001.html
func (c *Client) FindProject(ctx context.Context, iam, name string) (id string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, iam+"/v3/projects?"+url.Values{"name": {name}}.Encode(), nil)
	if err != nil {
		return "", &deletion.Error{Class: deletion.ClassInvalid, Message: "no request could be made: " + printable(err.Error())}
	}
	resp, err := c.handleIAM(&call{Request: r})
	if err != nil {
		return "", err
	}
	var body struct {
		Projects []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"projects"`
	}
	if err := json.Unmarshal(resp.body, &body); err != nil {
		return "", unreadable(resp)
	}
	found := 0
	for _, p := range body.Projects {
		if p.Name == name {
			id = p.ID
			found++
		}
	}
	if found != 1 {
		return "", &deletion.Error{Class: deletion.ClassForbidden, Message: fmt.Sprintf("IAM knows %d projects of the name %q, expected one", found, name)}
	}
	return id, nil
}
