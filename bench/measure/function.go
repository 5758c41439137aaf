package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dds-backup-delete/bench/upstream"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/lambdatest"
)

// Setting is how a function is run. The rest is as template.yaml sets it.
type Setting struct {
	// Ledger turns the ledger on, a DynamoDB table.
	Ledger bool
	// TLS makes the upstreams speak HTTPS.
	TLS bool
	// Manual turns REQUIRE_MANUAL on: each backup is looked up before it is deleted. With a ledger, deletions are
	// also followed, as the template has it.
	Manual bool
	// Connections is what CONNECTIONS_AT_START is set to, and GOGC what GOGC is; 0 for the
	// template's. Only this project has the first.
	Connections, GOGC int
}

// running is a started function.
type running struct {
	*lambdatest.Function
	peer *Peer
}

// start starts a peer with its upstream.
func (r *Runner) start(ctx context.Context, p *Peer, s Setting) (*running, error) {
	up := r.upstream(s)
	env := []string{
		"HUAWEICLOUD_SDK_AK=" + ddstest.AccessKey, "HUAWEICLOUD_SDK_SK=" + ddstest.SecretKey,
		"HUAWEICLOUD_SDK_PROJECT_ID=" + ddstest.ProjectID, "DDS_REGION=" + ddstest.Region, "DDS_ENDPOINT=" + up.URL(upstream.DDS),
		"OUTCOME_SINK=" + bus, "AWS_ENDPOINT_URL_EVENTBRIDGE=" + up.URL(upstream.EventBridge),
		"AWS_ENDPOINT_URL_DYNAMODB=" + up.URL(upstream.DynamoDB),
	}
	env = append(env, p.Env...)
	if s.Ledger {
		env = append(env, p.Ledger...)
	} else {
		env = append(env, p.NoLedger...)
	}
	if s.TLS {
		// Lambda's image has one file, and no folder of single ones beside it.
		env = append(env, "SSL_CERT_FILE="+r.CA, "SSL_CERT_DIR=/nowhere")
		if p.Slow { // Python's clients read it under this name
			env = append(env, "AWS_CA_BUNDLE="+r.CA)
		}
	}
	env = append(env, "REQUIRE_MANUAL="+strconv.FormatBool(s.Manual), "FOLLOW="+strconv.FormatBool(s.Manual && s.Ledger))
	if s.Connections > 0 {
		env = append(env, connectionsAtStart+"="+strconv.Itoa(s.Connections))
	}
	if s.GOGC > 0 {
		env = append(env, "GOGC="+strconv.Itoa(s.GOGC))
	}
	f, err := lambdatest.Start(ctx, lambdatest.Options{Binary: p.Binary, Env: env, Timeout: 2 * time.Minute, InitTimeout: time.Minute})
	if err != nil {
		return nil, fmt.Errorf("measure: %s: %w", p.Name, err)
	}
	return &running{f, p}, nil
}

// upstream is what a function with that setting calls.
func (r *Runner) upstream(s Setting) *upstream.Server {
	if s.TLS {
		return r.TLS
	}
	return r.Plain
}

// invoke sends a batch and adds what it cost. A record that was given back is an error: what is
// measured must be the straight path.
func (r *running) invoke(ctx context.Context, batch int, into *Times) error {
	before, err := cpuOf(r.Pid())
	if err != nil {
		return err
	}
	wall, failures, err := r.send(ctx, payload(batch, shortHandle))
	if err != nil {
		return err
	}
	if failures > 0 {
		return fmt.Errorf("measure: %s gave %d of %d back\n%s", r.peer.Name, failures, batch, tail(r.Stderr()+r.Stdout()))
	}
	after, err := cpuOf(r.Pid())
	if err != nil {
		return err
	}
	into.Add(wall, after-before)
	return nil
}

// send invokes the function and returns how long it took, and how many records it gave back.
func (r *running) send(ctx context.Context, payload []byte) (took time.Duration, failures int, err error) {
	result, err := r.Invoke(ctx, lambdatest.Invocation{Payload: payload})
	if err != nil {
		return 0, 0, fmt.Errorf("measure: %s: %w", r.peer.Name, err)
	}
	var reply struct {
		BatchItemFailures []json.RawMessage `json:"batchItemFailures"`
	}
	if result.Err != nil {
		return 0, 0, fmt.Errorf("measure: %s: %w\n%s", r.peer.Name, result.Err, tail(r.Stderr()+r.Stdout()))
	}
	if json.Unmarshal(result.Payload, &reply) != nil {
		return 0, 0, fmt.Errorf("measure: %s answered %s\n%s", r.peer.Name, result.Payload, tail(r.Stderr()+r.Stdout()))
	}
	return result.Duration, len(reply.BatchItemFailures), nil
}

func tail(log string) string { return log[max(0, len(log)-3000):] }

var serial atomic.Int64

// The lengths of a record's receipt handle: usual ones, and such that [LargeRecords] fill Lambda's 6 MB.
const shortHandle, longHandle = 180, 300

// payload is a batch of a queue, each record for a backup that was never asked for before.
func payload(batch, handle int) []byte {
	var b strings.Builder
	handleText := strings.Repeat("J", handle)
	b.WriteString(`{"Records":[`)
	for i := range batch {
		if i > 0 {
			b.WriteByte(',')
		}
		n := serial.Add(1)
		id := fmt.Sprintf("%032xbr02", n)
		fmt.Fprintf(&b, `{"messageId":"00000000-0000-4000-9000-%012x","receiptHandle":"AQEB%s","body":%s,`+
			`"attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1795467600000","SenderId":"AIDAIENQZJOLO23YVJ4VO",`+
			`"ApproximateFirstReceiveTimestamp":"1795467600007"},"messageAttributes":{"traceparent":{"stringValue":`+
			`"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","stringListValues":[],"binaryListValues":[],"dataType":"String"}},`+
			`"md5OfBody":"72f67b5b09ca57d48c8ad2466fe4a584","eventSource":"aws:sqs",`+
			`"eventSourceARN":"`+queue+`","awsRegion":"eu-central-1"}`,
			n, handleText, strconv.Quote(`{"backup_id": "`+id+`"}`))
	}
	b.WriteString("]}")
	return []byte(b.String())
}
