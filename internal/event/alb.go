package event

import (
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/deletion"
)

// SourceALB is an Application Load Balancer whose target is the function.
const SourceALB deletion.Source = "alb"

// maxALBReply bounds, in bytes, a reply to a load balancer, which answers 502 for one above 1 MB.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
const maxALBReply = 1_000_000

// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
var albShape = shape{
	source: SourceALB,
	fits:   func(members object) bool { return members.object("requestContext").has("elb") },
	decode: func(d *Decoder, _ []byte, members object, in Invocation) (*Batch, error) {
		e := newEnvelope(members)
		// Parameters come as they were sent, which API Gateway decodes.
		query := e.decoded("queryStringParameters", e.query("queryStringParameters", "multiValueQueryStringParameters"))
		r := e.call(e.text("httpMethod"), "", e.multi("headers", "multiValueHeaders"), query, in)
		r.path = e.text("path")
		r.err = *e.err
		return d.httpBatch(r, maxALBReply, func(reply *httpReply, body string) any {
			response := events.ALBTargetGroupResponse{
				StatusCode: reply.status, StatusDescription: fmt.Sprintf("%d %s", reply.status, http.StatusText(reply.status)), Body: body,
			}
			// The target group is set to one of two styles, and ignores headers in the other.
			if _, multi := e.given("multiValueHeaders"); !multi {
				response.Headers = reply.header
				return response
			}
			response.MultiValueHeaders = make(map[string][]string, len(reply.header))
			for name, value := range reply.header {
				response.MultiValueHeaders[name] = []string{value}
			}
			return response
		}), nil
	},
}
