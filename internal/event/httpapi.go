package event

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/deletion"
)

// SourceHTTPAPI is an Amazon API Gateway HTTP API, payload format 2.0.
const SourceHTTPAPI deletion.Source = "apigateway-http"

// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
var httpAPIShape = shape{
	source: SourceHTTPAPI,
	fits: func(members object) error {
		if err := want(members, "version", "2.0"); err != nil {
			return err
		}
		value, _ := members.get("requestContext")
		requestContext, err := parseObject(value)
		if err != nil {
			return errors.New("requestContext is no object")
		}
		if _, ok := requestContext.get("http"); !ok {
			return errors.New("requestContext.http: no such member")
		}
		return nil
	},
	decode: decodeHTTPAPI,
}

func decodeHTTPAPI(payload []byte, _ object, id string) (*Batch, error) {
	var in struct {
		RawPath        string            `json:"rawPath"`
		Headers        map[string]string `json:"headers"`
		RequestContext struct {
			RequestID string `json:"requestId"`
			Stage     string `json:"stage"`
			HTTP      struct {
				Method string `json:"method"`
			} `json:"http"`
		} `json:"requestContext"`
		Body            string `json:"body"`
		IsBase64Encoded bool   `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, err
	}
	r := &httpRequest{
		id:          in.RequestContext.RequestID,
		method:      in.RequestContext.HTTP.Method,
		path:        trimPath(in.RawPath, in.RequestContext.Stage),
		contentType: header(in.Headers, "content-type"),
		traceParent: traceParent(header(in.Headers, "traceparent")),
	}
	if r.id == "" {
		r.id = id
	}
	_, r.cloudEvent = in.Headers["ce-specversion"]
	r.body, r.bodyErr = decodeBody(in.Body, in.IsBase64Encoded)
	return httpBatch(r, func(status int, header map[string]string, body string) any {
		return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: header, Body: body}
	}), nil
}

// trimPath takes the prefix of a named stage, and a slash at the end, off a path.
func trimPath(path, stage string) string {
	if stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(path, "/"+stage+"/"); ok {
			path = "/" + rest
		}
	}
	return strings.TrimSuffix(path, "/")
}

// header returns a header's value; the case of its name does not matter.
func header(headers map[string]string, name string) string {
	if value, ok := headers[name]; ok {
		return value
	}
	for key, value := range headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// decodeBody returns the bytes of a body, or why there are none.
func decodeBody(body string, isBase64 bool) (text []byte, why string) {
	if !isBase64 {
		return []byte(body), ""
	}
	text, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil, fmt.Sprintf("the body is %d characters that are not base64, as isBase64Encoded says", len(body))
	}
	return text, ""
}
