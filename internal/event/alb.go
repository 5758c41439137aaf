package event

import (
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
	"dds-backup-delete/internal/strictjson"
)

// SourceALB is an Application Load Balancer whose target is the function.
const SourceALB deletion.Source = "alb"

// maxALBReply bounds, in bytes, a reply to a load balancer, which answers 502 for one above 1 MB.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
const maxALBReply = 1_000_000

// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
var alb = source{
	name: SourceALB,
	fits: func(members strictjson.Object) bool { return members.Object("requestContext").Has("elb") },
	decode: func(d *Decoder, p payload, in Invocation) (*Batch, error) {
		e := newEnvelope(p.members)
		// Parameters come as they were sent, which API Gateway decodes.
		c := call{query: e.encodedQuery(), method: e.text("httpMethod"), headers: e.pairs("headers", "multiValueHeaders", false), path: e.text("path")}
		return d.batch(c, e, in, maxALBReply, func(r *httpapi.Response, body string) any {
			response := events.ALBTargetGroupResponse{
				StatusCode: r.Status, StatusDescription: fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status)), Body: body,
			}
			// The target group is set to one of two styles, and ignores headers in the other.
			if multi, _ := e.members.Get("multiValueHeaders"); multi.Kind() == "null" {
				response.Headers = r.Header
				return response
			}
			response.MultiValueHeaders = make(map[string][]string, len(r.Header))
			for name, value := range r.Header {
				response.MultiValueHeaders[name] = []string{value}
			}
			return response
		}), nil
	},
}
