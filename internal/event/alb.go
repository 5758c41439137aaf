package event

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/deletion"
)

// SourceALB is an Application Load Balancer whose target is the function.
const SourceALB deletion.Source = "alb"

// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
var albShape = shape{
	source: SourceALB,
	fits:   func(members object) bool { return members.object("requestContext").has("elb") },
	decode: func(d *Decoder, payload []byte, _ object, in Invocation) (*Batch, error) {
		var p struct {
			HTTPMethod      string              `json:"httpMethod"`
			Path            string              `json:"path"`
			Headers         map[string]string   `json:"headers"`
			MultiValue      map[string][]string `json:"multiValueHeaders"`
			Body            string              `json:"body"`
			IsBase64Encoded bool                `json:"isBase64Encoded"`
		}
		if err := json.Unmarshal(payload, &p); err != nil {
			return nil, err
		}
		r := newHTTPRequest(p.HTTPMethod, joined(p.MultiValue), p.Headers)
		r.path = p.Path
		r.setBody(p.Body, p.IsBase64Encoded)
		r.setID("", in)
		return d.httpBatch(r, func(reply *httpReply, body string) any {
			response := events.ALBTargetGroupResponse{
				StatusCode: reply.status, StatusDescription: fmt.Sprintf("%d %s", reply.status, http.StatusText(reply.status)), Body: body,
			}
			// The target group is set to one of two styles, and ignores headers in the other.
			if p.MultiValue == nil {
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
