package event

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/body"
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
		for _, h := range c.headers {
			// The load balancer writes this header only if a rule of it authenticates; else the caller may have.
			if strings.EqualFold(h.Name, "x-amzn-oidc-identity") && h.Value != "" {
				c.by = body.Principal("app_user", h.Value)
				c.by.Claimed = true
			}
		}
		return d.batch(c, e, in, maxALBReply, func(r *httpapi.Response, text string) any {
			response := events.ALBTargetGroupResponse{
				StatusCode: r.Status, StatusDescription: fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status)), Body: text,
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
