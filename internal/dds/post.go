package dds

import (
	"context"
	"net/http"
)

// Post sends a JSON body to another service of Huawei Cloud at its address, for example
// https://smn.cn-north-4.myhuaweicloud.com, and returns the body of its answer, a success. The call is signed like one
// of DDS, waits for the same key, and leaves a refused key alone. It is sent once, and DDS's pace does not count it: the
// caller repeats it. The error is a [*deletion.Error]. A code that only the other service knows has the class
// [deletion.ClassUnknown], unless the status says more.
func (c *Client) Post(ctx context.Context, address, projectID string, body []byte, path ...string) (answer []byte, err error) {
	request, err := newCall(ctx, http.MethodPost, address, nil, body, path...)
	if err != nil {
		return nil, err
	}
	request.Header.Set(headerProjectID, projectID)
	resp, err := c.handlePost(request)
	if err != nil {
		return nil, err
	}
	return resp.body, nil
}
