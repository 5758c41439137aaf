package event

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
	"dds-backup-delete/internal/strictjson"
)

// The sources that call the function by HTTP, except load balancers.
const (
	// SourceRESTAPI is an Amazon API Gateway REST API, or an HTTP API with payload format 1.0.
	SourceRESTAPI deletion.Source = "apigateway-rest"
	// SourceHTTPAPI is an Amazon API Gateway HTTP API, payload format 2.0.
	SourceHTTPAPI deletion.Source = "apigateway-http"
	// SourceFunctionURL is the URL of the function itself, which has the format of an HTTP API.
	SourceFunctionURL deletion.Source = "function-url"
)

// maxLambdaReply bounds, in bytes, a reply through API Gateway or a function URL: a function can return
// 6 MB, which is less than API Gateway passes on.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxLambdaReply = 6_000_000

// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
var httpAPI = source{name: SourceHTTPAPI, fits: isFormat2, decode: decodeFormat2}

// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
var functionURL = source{
	name: SourceFunctionURL,
	fits: func(members strictjson.Object) bool {
		if !isFormat2(members) {
			return false
		}
		domain, _ := members.Object("requestContext").Text("domainName")
		return strings.Contains(domain, ".lambda-url.")
	},
	decode: decodeFormat2,
}

// isFormat2 also recognises a call whose requestContext cannot be read, so that its caller is answered.
func isFormat2(members strictjson.Object) bool {
	version, _ := members.Text("version")
	return version == "2.0" && (members.Object("requestContext").Has("http") || members.Has("rawPath") && members.Has("requestContext"))
}

// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
var restAPI = source{
	name: SourceRESTAPI,
	fits: func(members strictjson.Object) bool {
		return members.Has("httpMethod") && members.Has("resource") && members.Has("requestContext")
	},
	decode: decodeFormat1,
}

func decodeFormat2(d *Decoder, p payload, in Invocation) (*Batch, error) {
	e := newEnvelope(p.members)
	context := e.object("requestContext")
	c := call{
		headers: e.pairs("headers", "", false), query: e.joinedQuery(),
		method: context.object("http").text("method"), requestID: context.text("requestId"), by: callerOf(context.members),
	}
	received, _ := context.members.Integer("timeEpoch")
	c.sentAt = body.Millis(received)
	method, route, _ := strings.Cut(e.text("routeKey"), " ")
	if route != "" && method != "ANY" && method != c.method {
		e.fail("routeKey", fmt.Sprintf("%q is not for %q, which the call is", strictjson.Shorten(method), strictjson.Shorten(c.method)))
	}
	path := e.text("rawPath")
	c.setPath(e, route, path, context.text("stage"))
	c.setPrefix(path)
	return d.batch(c, e, in, maxLambdaReply, func(r *httpapi.Response, text string) any {
		return events.APIGatewayV2HTTPResponse{StatusCode: r.Status, Headers: r.Header, Body: text}
	}), nil
}

func decodeFormat1(d *Decoder, p payload, in Invocation) (*Batch, error) {
	e := newEnvelope(p.members)
	context := e.object("requestContext")
	c := call{
		headers: e.pairs("headers", "multiValueHeaders", false), query: e.query(),
		method: e.text("httpMethod"), requestID: context.text("requestId"), by: callerOf(context.members),
	}
	received, _ := context.members.Integer("requestTimeEpoch")
	c.sentAt = body.Millis(received)
	path := e.text("path")
	c.setPath(e, e.text("resource"), path, context.text("stage"))
	whole, _ := context.members.Text("path") // with the stage, which the other path lacks
	c.setPrefix(cmp.Or(whole, path))
	return d.batch(c, e, in, maxLambdaReply, func(r *httpapi.Response, text string) any {
		return events.APIGatewayProxyResponse{StatusCode: r.Status, Headers: r.Header, Body: text}
	}), nil
}

// setPath finds the path that was asked for, without the prefix of a stage or a domain. The route that
// was taken, with its parameters put in, has none; if it says nothing, for example a default route,
// the path itself is taken.
func (c *call) setPath(e envelope, route, path, stage string) {
	c.parameters = e.pathParameters()
	c.path = httpapi.WithoutPrefix(path, "/"+stage)
	if whole, ok := expand(route, c.parameters); ok {
		if path != "" && !endsWith(path, whole) {
			e.fail("pathParameters", fmt.Sprintf("they make %q of the route, and the path is %q", strictjson.Shorten(whole), strictjson.Shorten(path)))
		}
		c.path = whole
	}
}

// setPrefix notes what stands before the path that was asked for in the caller's path, encoded or not.
func (c *call) setPrefix(whole string) {
	whole, end := strings.TrimSuffix(whole, "/"), strings.TrimSuffix(c.path, "/")
	prefix, ok := strings.CutSuffix(whole, end)
	if !ok {
		prefix, ok = strings.CutSuffix(httpapi.Unescape(whole), httpapi.Unescape(end))
	}
	if ok {
		c.prefix = prefix
	}
}

// endsWith reports whether a path, encoded or not, is the same as another or leads to it.
func endsWith(path, end string) bool {
	end = strings.TrimSuffix(httpapi.Unescape(end), "/")
	return strings.HasSuffix(strings.TrimSuffix(path, "/"), end) || strings.HasSuffix(strings.TrimSuffix(httpapi.Unescape(path), "/"), end)
}

// expand puts the parameters into a route, for example /backups/{backup_id} or /{proxy+}. They come
// decoded. It returns false for what is not a route, and for a route with a parameter that is not given.
func expand(route string, parameters map[string]string) (path string, ok bool) {
	if !strings.HasPrefix(route, "/") {
		return "", false
	}
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
		if !greedy {
			value = url.PathEscape(value)
		}
		segments[i] = value
	}
	return strings.Join(segments, "/"), true
}
