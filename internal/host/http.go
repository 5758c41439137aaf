// Package host serves a handler of payloads to HTTP clients.
package host

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// Handler works one payload of an invocation.
type Handler func(ctx context.Context, in event.Invocation, payload []byte) ([]byte, error)

// HTTP serves h to any HTTP client: each request becomes the payload that an API Gateway
// HTTP API would make of it, and the reply is unpacked again.
func HTTP(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// One byte more than is taken: the handler says that it is too large.
		body, err := io.ReadAll(io.LimitReader(r.Body, event.MaxHTTPBody+1))
		if err != nil {
			problem(w, http.StatusBadRequest, deletion.ClassInvalid)
			return
		}
		id := rand.Text()
		payload, err := json.Marshal(httpAPIRequest(r, id, body))
		if err != nil {
			problem(w, http.StatusInternalServerError, deletion.ClassInternal)
			return
		}
		var reply events.APIGatewayV2HTTPResponse
		// Who hangs up does not take back what DDS has been asked for.
		text, err := h(context.WithoutCancel(r.Context()), event.Invocation{ID: id}, payload)
		if err == nil {
			err = json.Unmarshal(text, &reply)
		}
		if err != nil {
			problem(w, http.StatusInternalServerError, deletion.ClassInternal)
			return
		}
		for name, value := range reply.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(reply.StatusCode)
		_, _ = io.WriteString(w, reply.Body) // the client may be gone
	})
}

// problem answers, in the form of RFC 9457, what the handler did not.
func problem(w http.ResponseWriter, status int, class deletion.Class) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Retry-After", "60")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"title":%q,"status":%d,"detail":"the request could not be worked","class":%q}`,
		http.StatusText(status), status, class) // the client may be gone
}

// httpAPIRequest returns the payload, format 2.0, of a request. Its body travels in base64:
// JSON could not carry every byte of it.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func httpAPIRequest(r *http.Request, id string, body []byte) events.APIGatewayV2HTTPRequest {
	headers := make(map[string]string, len(r.Header))
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return events.APIGatewayV2HTTPRequest{
		Version:        "2.0",
		RouteKey:       "$default",
		RawPath:        r.URL.EscapedPath(),
		RawQueryString: r.URL.RawQuery,
		Headers:        headers,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RequestID: id,
			Stage:     "$default",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: r.RemoteAddr, UserAgent: r.UserAgent(),
			},
		},
		Body:            base64.StdEncoding.EncodeToString(body),
		IsBase64Encoded: true,
	}
}
