package event

import (
	"fmt"
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

// maxLambdaReply bounds, in bytes, a reply through API Gateway or a function URL: a function can return
// 6 MB, which is less than API Gateway passes on.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxLambdaReply = 6_000_000

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

// isFormat2 also recognises a call whose requestContext cannot be read, so that its caller is answered.
func isFormat2(members object) bool {
	version, _ := members.text("version")
	return version == "2.0" && (members.object("requestContext").has("http") || members.has("rawPath") && members.has("requestContext"))
}

// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
var restAPIShape = shape{
	source: SourceRESTAPI,
	fits: func(members object) bool {
		return members.has("httpMethod") && members.has("resource") && members.has("requestContext")
	},
	decode: decodeFormat1,
}

func decodeFormat2(d *Decoder, _ []byte, members object, in Invocation) (*Batch, error) {
	e := newEnvelope(members)
	context := e.object("requestContext")
	r := e.call(context.object("http").text("method"), context.text("requestId"), e.texts("headers"), e.joinedQuery(), in)
	method, route, _ := strings.Cut(e.text("routeKey"), " ")
	if route != "" && method != "ANY" && method != r.method {
		e.fail("routeKey", fmt.Sprintf("%q is not for %q, which the call is", shorten(method), shorten(r.method)))
	}
	r.setPath(e, route, e.text("rawPath"), context.text("stage"))
	return d.httpBatch(r, maxLambdaReply, func(reply *httpReply, body string) any {
		return events.APIGatewayV2HTTPResponse{StatusCode: reply.status, Headers: reply.header, Body: body}
	}), nil
}

func decodeFormat1(d *Decoder, _ []byte, members object, in Invocation) (*Batch, error) {
	e := newEnvelope(members)
	context := e.object("requestContext")
	headers, query := e.multi("headers", "multiValueHeaders"), e.query("queryStringParameters", "multiValueQueryStringParameters")
	r := e.call(e.text("httpMethod"), context.text("requestId"), headers, query, in)
	r.setPath(e, e.text("resource"), e.text("path"), context.text("stage"))
	return d.httpBatch(r, maxLambdaReply, func(reply *httpReply, body string) any {
		return events.APIGatewayProxyResponse{StatusCode: reply.status, Headers: reply.header, Body: body}
	}), nil
}

// setPath finds the path that was asked for, without the prefix of a stage or a domain. The route that
// was taken, with its parameters put in, has none; where it says nothing, for example a default route,
// the path itself is taken. It is the last to read the envelope.
func (r *httpRequest) setPath(e envelope, route, path, stage string) {
	parameters := e.texts("pathParameters")
	r.parameters = make(map[string]string, len(parameters))
	for _, p := range parameters {
		r.parameters[p.name] = p.value
	}
	r.path = withoutPrefix(path, "/"+stage)
	if whole, ok := expand(route, r.parameters); ok {
		if path != "" && !endsWith(path, whole) {
			e.fail("pathParameters", fmt.Sprintf("they make %q of the route, and the path is %q", shorten(whole), shorten(path)))
		}
		r.path = whole
	}
	r.err = *e.err
}

// withoutPrefix returns a path without a prefix, where it has that.
func withoutPrefix(path, prefix string) string {
	if rest, ok := strings.CutPrefix(path+"/", prefix+"/"); ok && prefix != "/" && prefix != "" {
		return "/" + strings.TrimSuffix(rest, "/")
	}
	return path
}

// endsWith reports whether a path, encoded or not, is the same as another or leads to it.
func endsWith(path, end string) bool {
	end = strings.TrimSuffix(unescape(end), "/")
	return strings.HasSuffix(strings.TrimSuffix(path, "/"), end) || strings.HasSuffix(strings.TrimSuffix(unescape(path), "/"), end)
}

// expand puts the parameters into a route, for example /backups/{backup_id} or /{proxy+}. They come
// decoded. It returns false for what is no route, or has a parameter that is not given.
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
		if segments[i] = value; !greedy {
			segments[i] = url.PathEscape(value)
		}
	}
	return strings.Join(segments, "/"), true
}
