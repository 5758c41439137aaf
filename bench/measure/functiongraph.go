package measure

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dds-backup-delete/bench/upstream"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/functiongraphtest"
)

// FunctionGraphKey names what was measured of a program on FunctionGraph.
type FunctionGraphKey struct {
	Peer string
	Mode functiongraphtest.Mode
}

// FunctionGraphRun is what was measured of a program on FunctionGraph. The values of one place in two samples of two
// peers were measured one right after the other.
type FunctionGraphRun struct {
	// Start is from the start of the process to its first poll, or until its server listens.
	Start Times
	// First is the first invocation with one message of SMN, and FirstBatch with ten records of Kafka, each of a
	// process of its own.
	First, FirstBatch Times
	// Sum and SumBatch are start and first invocation together.
	Sum, SumBatch Times
	// One and Ten are warm invocations with as many requests, upstreams [Near].
	One, Ten Times
	// CPU is the CPU time of a record in ms, in warm batches of ten without latency, and Memory the peak in MB
	// after [Invocations] of them.
	CPU, Memory Sample
}

// functionGraphModes are the ways to run that are measured; only the first is also measured warm.
var functionGraphModes = []functiongraphtest.Mode{functiongraphtest.Runtime, functiongraphtest.Container}

// TokenLength is that of the security token, about as long as one of Huawei Cloud.
const TokenLength = 1200

// functionGraphKeys are the credentials that come with each invocation.
var functionGraphKeys = functiongraphtest.Keys{Access: ddstest.AccessKey, Secret: ddstest.SecretKey, Token: strings.Repeat("ggpjbi1u", TokenLength/8)}

// BuildFunctionGraph builds the peers on FunctionGraph below dir; root is the folder of bench.
func BuildFunctionGraph(ctx context.Context, root, dir string) ([]*Peer, error) {
	return build(ctx, root, dir, []*Peer{{Name: NoOp, Idle: true}, {Name: Ours}, {Name: SDKGo}},
		map[string]string{NoOp: "peers/fgnoop", Ours: "../cmd/functiongraph", SDKGo: "peers/fgsdkgo"})
}

// instance is a started function of FunctionGraph.
type instance struct {
	*functiongraphtest.Function
	runner *Runner
	peer   *Peer
}

// startInstance starts a peer on FunctionGraph with TLS, a ledger in Valkey, and outcomes to an https:// address. REQUIRE_MANUAL
// and FOLLOW are read by this project alone; sdk-go always does what the first says, and never what the second says.
func (r *Runner) startInstance(ctx context.Context, p *Peer, mode functiongraphtest.Mode) (*instance, error) {
	f, err := functiongraphtest.Start(ctx, functiongraphtest.Options{Binary: p.Binary, Mode: mode, Env: []string{
		"DDS_REGION=" + ddstest.Region, "DDS_ENDPOINT=" + r.TLS.URL(upstream.DDS),
		"LEDGER=rediss://" + r.Valkey.Address, "OUTCOME_SINK=" + r.TLS.URL(upstream.Receiver) + upstream.ReceiverPath,
		"REQUIRE_MANUAL=true", "FOLLOW=true",
		"SSL_CERT_FILE=" + r.CA, "SSL_CERT_DIR=/nowhere", // one file, as on Lambda
	}})
	if err != nil {
		return nil, fmt.Errorf("measure: %s: %w", p.Name, err)
	}
	return &instance{f, r, p}, nil
}

// invoke sends requests and adds what they cost. Requests that were not all deleted, and told to the receiver, are an
// error: what is measured must be the straight path.
func (f *instance) invoke(ctx context.Context, payload []byte, requests int, into *Times) error {
	deleted, received := f.runner.TLS.Deleted(), f.runner.TLS.Received()
	before, err := cpuOf(f.Pid())
	if err != nil {
		return err
	}
	began := time.Now()
	result, err := f.Invoke(ctx, functiongraphtest.Invocation{
		Payload: payload, RequestID: fmt.Sprintf("00000000-0000-4000-9000-%012x", serial.Add(1)), Header: functionGraphKeys.Headers(), Async: true,
	})
	wall := time.Since(began)
	if err != nil {
		return fmt.Errorf("measure: %s: %w\n%s", f.peer.Name, err, tail(f.Output()))
	}
	after, err := cpuOf(f.Pid())
	if err != nil {
		return err
	}
	deleted, received = f.runner.TLS.Deleted()-deleted, f.runner.TLS.Received()-received
	if result.Err != nil || !f.peer.Idle && (deleted != int64(requests) || received != int64(requests)) {
		return fmt.Errorf("measure: %s answered %s; of %d requests, %d were deleted and %d told\n%s",
			f.peer.Name, result.Payload, requests, deleted, received, tail(f.Output()))
	}
	into.Add(wall, after-before)
	return nil
}

// functionGraphRound measures each peer once, one after the other. Only some rounds measure the warm ones.
func (r *Runner) functionGraphRound(ctx context.Context, round int) error {
	for _, mode := range functionGraphModes {
		for i := range r.Functions {
			p := r.Functions[(i+round)%len(r.Functions)] // none is always first
			run := r.functionGraph(FunctionGraphKey{p.Name, mode})
			if err := r.firstInvocation(ctx, p, mode, smnPayload(), 1, &run.Start, &run.First, &run.Sum); err != nil {
				return err
			}
			if err := r.firstInvocation(ctx, p, mode, kafkaPayload(10), 10, &run.Start, &run.FirstBatch, &run.SumBatch); err != nil {
				return err
			}
		}
	}
	if round%functionGraphWarmEvery != 0 {
		return nil
	}
	for i := range r.Functions {
		p := r.Functions[(i+round/functionGraphWarmEvery)%len(r.Functions)]
		if err := r.warmInstance(ctx, p, r.functionGraph(FunctionGraphKey{p.Name, functionGraphModes[0]})); err != nil {
			return err
		}
	}
	return nil
}

// functionGraphWarmEvery is how many rounds there are to one that measures the warm invocations, too.
const functionGraphWarmEvery = 4

func (r *Runner) functionGraph(key FunctionGraphKey) *FunctionGraphRun {
	run := r.result.FunctionGraph[key]
	if run == nil {
		run = new(FunctionGraphRun)
		r.result.FunctionGraph[key] = run
	}
	return run
}

// firstInvocation starts a peer, with upstreams that are near, and sends it one payload.
func (r *Runner) firstInvocation(ctx context.Context, p *Peer, mode functiongraphtest.Mode, payload []byte, requests int, start, first, sum *Times) error {
	r.TLS.SetLatency(Near)
	f, err := r.startInstance(ctx, p, mode)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is killed
	wall, err := f.Ready(ctx)
	if err != nil {
		return fmt.Errorf("measure: %s: %w", p.Name, err)
	}
	cpu, err := cpuOf(f.Pid())
	if err != nil {
		return err
	}
	var once Times
	if err := f.invoke(ctx, payload, requests, &once); err != nil {
		return err
	}
	start.Add(wall, cpu)
	first.append(once)
	sum.Add(wall+milliseconds(once.Wall[0]), cpu+milliseconds(once.CPU[0]))
	return nil
}

// warmInstance measures CPU time and memory of warm batches without latency, and invocations with upstreams that are near.
func (r *Runner) warmInstance(ctx context.Context, p *Peer, run *FunctionGraphRun) error {
	const warmUp, batch = 10, 10
	r.TLS.SetLatency(0)
	f, err := r.startInstance(ctx, p, functionGraphModes[0])
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is killed
	var before time.Duration
	for i := range Invocations {
		if i == warmUp {
			if before, err = cpuOf(f.Pid()); err != nil {
				return err
			}
		}
		if err := f.invoke(ctx, kafkaPayload(batch), batch, new(Times)); err != nil {
			return err
		}
	}
	after, err := cpuOf(f.Pid())
	if err != nil {
		return err
	}
	run.CPU.Add((after - before) / ((Invocations - warmUp) * batch))
	peak, err := peakOf(f.Pid())
	if err != nil {
		return err
	}
	run.Memory = append(run.Memory, peak)
	r.TLS.SetLatency(Near)
	for range max(r.Plan.Repeat/6, 3) {
		if err := f.invoke(ctx, smnPayload(), 1, &run.One); err != nil {
			return err
		}
		if err := f.invoke(ctx, kafkaPayload(batch), batch, &run.Ten); err != nil {
			return err
		}
	}
	return nil
}

// request is one for a backup that was never asked for before.
func request() string { return fmt.Sprintf(`{"backup_id": "%032xbr02"}`, serial.Add(1)) }

// kafkaPayload is a batch of a Kafka topic, and smnPayload a message of a topic of SMN, as in the folder events.
func kafkaPayload(batch int) []byte {
	messages := make([]string, batch)
	for i := range messages {
		messages[i] = strconv.Quote(request())
	}
	return fmt.Appendf(nil, `{"event_version":"v1.0","event_time":%d,"trigger_type":"KAFKA","region":"cn-north-4",`+
		`"instance_id":"81335d56-b9fe-4679-ba95-7030949cc76b","records":[{"messages":[%s],"topic_id":"dds-backup-delete-requests"}]}`,
		time.Now().Unix(), strings.Join(messages, ","))
}

func smnPayload() []byte {
	const project = functiongraphtest.ProjectID
	now := time.Now().UTC().Format(time.RFC3339)
	return fmt.Appendf(nil, `{"record":[{"event_version":"1.0","smn":{"topic_urn":"urn:smn:cn-north-4:`+project+`:dds-backup-delete-requests",`+
		`"timestamp":%q,"message_attributes":null,"message":%q,"type":"notification","message_id":"%032x","subject":"delete a backup"},`+
		`"event_subscription_urn":"urn:fss:cn-north-4:`+project+`:function:default:dds-backup-delete:latest","event_source":"smn"}],`+
		`"functionname":"dds-backup-delete","requestId":"7c307f6a8b0549a1a3c1e5c0f9b1d003","timestamp":%q}`, now, request(), serial.Add(1), now)
}
