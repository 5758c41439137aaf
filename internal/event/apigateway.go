package event

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/deletion"
)

// The sources that call the function by HTTP, but for load balancers.
const (
	// SourceRESTAPI is an Amazon API Gateway REST API, or an HTTP API with payload format 1.0.
	SourceRESTAPI deletion.Source = "apigateway-rest"
	// SourceHTTPAPI is an Amazon API Gateway HTTP API, payload format 2.0.
	SourceHTTPAPI deletion.Source = "apigateway-http"
	// SourceFunctionURL is the URL of the function itself, which has the format of an HTTP API.
	SourceFunctionURL deletion.Source = "function-url"
)

// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
var httpAPIShape = shape{source: SourceHTTPAPI, fits: isFormat2, decode: decodeFormat2}

// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
var functionURLShape = shape{
	source: SourceFunctionURL,
	fits: func(members object) bool {
		domain, _ := members.object("requestContext").text("domainName")
		return isFormat2(members) && strings.Contains(domain, ".lambda-url.")
	},
	decode: decodeFormat2,
}

func isFormat2(members object) bool {
	version, _ := members.text("version")
	return version == "2.0" && members.object("requestContext").has("http")
}

// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
var restAPIShape = shape{
	source: SourceRESTAPI,
	fits: func(members object) bool {
		return members.has("httpMethod") && members.has("resource") && members.has("requestContext")
	},
	decode: decodeFormat1,
}

func decodeFormat2(d *Decoder, payload []byte, _ object, in Invocation) (*Batch, error) {
	var p struct {
		RouteKey       string            `json:"routeKey"`
		RawPath        string            `json:"rawPath"`
		PathParameters map[string]string `json:"pathParameters"`
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
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, err
	}
	_, route, _ := strings.Cut(p.RouteKey, " ")
	r := newHTTPRequest(p.RequestContext.HTTP.Method, p.Headers)
	r.path = pathOf(route, p.PathParameters, p.RawPath, p.RequestContext.Stage)
	r.setBody(p.Body, p.IsBase64Encoded)
	r.setID(p.RequestContext.RequestID, in)
	return d.httpBatch(r, func(reply *httpReply, body string) any {
		return events.APIGatewayV2HTTPResponse{StatusCode: reply.status, Headers: reply.header, Body: body}
	}), nil
}

func decodeFormat1(d *Decoder, payload []byte, _ object, in Invocation) (*Batch, error) {
	var p struct {
		Resource       string              `json:"resource"`
		Path           string              `json:"path"`
		HTTPMethod     string              `json:"httpMethod"`
		PathParameters map[string]string   `json:"pathParameters"`
		Headers        map[string]string   `json:"headers"`
		MultiValue     map[string][]string `json:"multiValueHeaders"`
		RequestContext struct {
			RequestID string `json:"requestId"`
			Stage     string `json:"stage"`
		} `json:"requestContext"`
		Body            string `json:"body"`
		IsBase64Encoded bool   `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, err
	}
	r := newHTTPRequest(p.HTTPMethod, joined(p.MultiValue), p.Headers)
	r.path = pathOf(p.Resource, p.PathParameters, p.Path, p.RequestContext.Stage)
	r.setBody(p.Body, p.IsBase64Encoded)
	r.setID(p.RequestContext.RequestID, in)
	return d.httpBatch(r, func(reply *httpReply, body string) any {
		return events.APIGatewayProxyResponse{StatusCode: reply.status, Headers: reply.header, Body: body}
	}), nil
}

// pathOf returns the path that was asked for, without the prefix of a stage or a domain. The
// route that was taken, with its parameters put in, has none; where it says nothing, as for a
// default route, the path itself is taken.
func pathOf(route string, parameters map[string]string, path, stage string) string {
	if strings.HasPrefix(route, "/") {
		if whole, ok := expand(route, parameters); ok {
			return whole
		}
	}
	if stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(path+"/", "/"+stage+"/"); ok {
			return "/" + strings.TrimSuffix(rest, "/")
		}
	}
	return path
}

// expand puts the parameters into a route as /backups/{backup_id} or /{proxy+}. They come decoded.
func expand(route string, parameters map[string]string) (path string, ok bool) {
	segments := strings.Split(route, "/")
	for i, segment := range segments {
		name, isParameter := strings.CutPrefix(segment, "{")
		if !isParameter {
			continue
		}
		name = strings.TrimSuffix(name, "}")
		name, greedy := strings.CutSuffix(name, "+")
		value, given := parameters[name]
		if !given {
			return "", false
		}
		if segments[i] = value; !greedy {
			segments[i] = url.PathEscape(value)
		}
	}
	return strings.Join(segments, "/"), true
}
