package dds

import (
	"context"
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
	request, err := newCall(ctx, http.MethodGet, iam, url.Values{"name": {name}}, nil, "v3", "projects")
	if err != nil {
		return "", err
	}
	var body struct {
		Projects []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"projects"`
	}
	if _, err := fetch(c.handleIAM, request, &body); err != nil {
		return "", err
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
