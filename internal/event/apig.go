package event

import (
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
	"dds-backup-delete/internal/strictjson"
)

// SourceAPIG is an APIG trigger of Huawei FunctionGraph.
const SourceAPIG deletion.Source = "apig"

// apig names nobody as the caller: its event has no member for that. A trigger can be set to call asynchronously.
// https://support.huaweicloud.com/devg-functiongraph/functiongraph_02_0102.html
var apig = source{
	name: SourceAPIG,
	fits: func(members strictjson.Object) bool {
		return members.Has("httpMethod") && members.Object("requestContext").Has("apiId")
	},
	parkable: func(_ *Decoder, _ payload, in Invocation) bool { return in.Async },
	decode: func(d *Decoder, p payload, in Invocation) (*Batch, error) {
		e := newEnvelope(p.members)
		c := call{
			headers: e.pairs("headers", "", false), query: e.query(), parameters: e.pathParameters(),
			method: e.text("httpMethod"), path: e.text("path"), requestID: e.object("requestContext").text("requestId"),
		}
		encoded, _ := e.members.Get("isBase64Encoded")
		c.encoded = encoded.Kind() == "null" // the default is true
		return d.batch(c, e, in, maxLambdaReply, func(r *httpapi.Response, text string) any {
			return apigReply{StatusCode: r.Status, Headers: r.Header, Body: text}
		}), nil
	},
}

// apigReply is what APIG makes its response of. The default of isBase64Encoded is not documented for replies, so it
// is always written.
type apigReply struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}
