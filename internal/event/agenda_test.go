package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// withAttributes is a CloudEvent that asks for a deletion, with some more attributes.
func withAttributes(attributes string) string {
	return strings.Replace(cloudEvent(event.RequestType, plain), `"id":`, attributes+`,"id":`, 1)
}

var noon = time.Date(2026, 12, 31, 12, 0, 0, 0, time.UTC)

// A request expires when it says so, or the CloudEvent around it, whatever is earlier.
func TestExpiry(t *testing.T) {
	const member = `{"backup_id":"` + backup + `","expires_at":"2026-12-31T12:00:00Z"}`
	inBinaryMode := binary(event.RequestType, plain)
	inBinaryMode.Headers["ce-expirytime"] = "2026-12-31T12%3A00%3A00Z"
	query := httpAPI("DELETE", "/backups/"+backup, "")
	query.RawQueryString = "expires_at=2026-12-31T13%3A00%3A00%2B01:00"
	posted := httpAPI("POST", "/deletions", plain)
	posted.RawQueryString = "expires_at=2026-12-31T12:00:00Z"
	inKafka := `{"eventSource":"aws:kafka","records":{"t-0":[{"offset":1,"value":"eyJiYWNrdXBfaWQiOiJhIn0=","headers":[{"ce_specversion":` +
		signed("1.0") + `},{"ce_type":` + signed(event.RequestType) + `},{"ce_id":` + signed("i") + `},{"ce_source":` + signed("s") + `},{"ce_expirytime":` + signed("2026-12-31T12:00:00Z") + `}]}]}}`
	for name, payload := range map[string]any{
		"a member":             member,
		"in a queue":           sqs(member),
		"another zone":         strings.Replace(member, "12:00:00Z", "20:00:00+08:00", 1),
		"of a list":            `{"backup_ids":["a"],"expires_at":"2026-12-31T12:00:00Z"}`,
		"HTTP, member":         httpAPI("POST", "/deletions", member),
		"HTTP, DELETE":         query,
		"HTTP, query":          posted,
		"an attribute":         withAttributes(`"expirytime":"2026-12-31T12:00:00Z"`),
		"an earlier one":       strings.Replace(withAttributes(`"expirytime":"2026-12-31T12:00:00Z"`), plain, strings.Replace(member, "12:00", "12:01", 1), 1),
		"an earlier member":    strings.Replace(withAttributes(`"expirytime":"2026-12-31T12:00:01Z"`), plain, member, 1),
		"binary mode":          inBinaryMode,
		"binary mode, Kafka":   inKafka,
		"an attribute, none":   strings.Replace(withAttributes(`"expirytime":null`), plain, member, 1),
		"in an event in a bus": busEvent(event.RequestType, withAttributes(`"expirytime":"2026-12-31T12:00:00Z"`)),
	} {
		text, is := payload.(string)
		if !is {
			text = string(marshal(t, payload))
		}
		if _, r := decodeOne(t, []byte(text)); r.Err != nil || !r.ExpiresAt.Equal(noon) {
			t.Errorf("%s: expires at %v, error %v", name, r.ExpiresAt, r.Err)
		}
	}
	if _, r := decodeOne(t, []byte(`{"backup_id":"a","expires_at":"0001-01-01T00:00:00Z"}`)); r.ExpiresAt.IsZero() {
		t.Error("a request that expired long ago never expires")
	}
	const expected = "; expected a time of RFC 3339, for example 2026-12-31T18:00:00Z"
	wrong := httpAPI("DELETE", "/backups/"+backup, "")
	wrong.RawQueryString = "expires_at=tomorrow"
	twice := httpAPI("POST", "/deletions", member)
	twice.RawQueryString = "expires_at=2026-12-31T12:00:00Z"
	inBinaryMode.Headers["ce-expirytime"] = "soon"
	for says, payload := range map[string]any{
		`expires_at: the string "2026-12-31"` + expected:                  sqs(`{"backup_id":"a","expires_at":"2026-12-31"}`),
		`expires_at: the string "2026-12-31T18:00:00"` + expected:         sqs(`{"backup_id":"a","expires_at":"2026-12-31T18:00:00"}`),
		`expires_at: a JSON number` + expected:                            sqs(`{"backup_id":"a","expires_at":1798740000}`),
		`expires_at: a JSON null` + expected:                              sqs(`{"backup_id":"a","expires_at":null}`),
		`"expiresAt": unknown member; did you mean "expires_at"?`:         sqs(`{"backup_id":"a","expiresAt":"2026-12-31T18:00:00Z"}`),
		`expirytime: "tomorrow"` + expected:                               sqs(withAttributes(`"expirytime":"tomorrow"`)),
		`expirytime: ""` + expected:                                       sqs(withAttributes(`"expirytime":5`)),
		`expirytime: "soon"` + expected:                                   inBinaryMode,
		`the query: expires_at is "tomorrow"` + expected:                  wrong,
		"expires_at: both in the query and in the body; expected it once": twice,
	} {
		if _, r := decodeOne(t, marshal(t, payload)); r.Err == nil || r.Err.Message != says || r.BackupID != "" || !r.ExpiresAt.IsZero() {
			t.Errorf("request %+v, error %v, want %q", r, r.Err, says)
		}
	}
}

// The oldest time counts that the payload has, and one that cannot be read is ignored.
func TestSentAt(t *testing.T) {
	queue := func(body, sent string) []byte {
		batch := sqs(body)
		batch.Records[0].Attributes = map[string]string{"SentTimestamp": sent}
		return marshal(t, batch)
	}
	const later, earlier = "1798718400001", "1700000000000" // of noon
	called := httpAPI("DELETE", "/backups/a", "")
	called.RequestContext.TimeEpoch = noon.UnixMilli()
	rest := restAPI("DELETE", "/backups/a", "")
	rest.RequestContext.RequestTimeEpoch = noon.UnixMilli()
	oddTime := strings.Replace(string(marshal(t, called)), `"timeEpoch":1798718400000`, `"timeEpoch":"soon"`, 1)
	inBinaryMode := binary(event.RequestType, plain)
	inBinaryMode.Headers["ce-time"] = "2026-12-31T12:00:00Z"
	for name, tc := range map[string]struct {
		payload []byte
		want    time.Time
	}{
		"direct":                     {[]byte(plain), time.Time{}},
		"queue":                      {queue(plain, "1798718400000"), noon},
		"queue, unreadable":          {queue(plain, "noon"), time.Time{}},
		"queue, out of range":        {queue(plain, "9999999999999999"), time.Time{}},
		"queue, negative":            {queue(plain, "-5"), time.Time{}},
		"bus":                        {[]byte(busEvent(event.RequestType, plain)), sentAt},
		"bus in a queue":             {queue(busEvent(event.RequestType, plain), later), sentAt},
		"event in a bus":             {[]byte(busEvent(event.RequestType, withAttributes(`"time":"2026-11-23T20:00:00Z"`))), sentAt.Add(-time.Hour)},
		"event, later, in a bus":     {[]byte(busEvent(event.RequestType, withAttributes(`"time":"2026-11-23T22:00:00Z"`))), sentAt},
		"event":                      {[]byte(withAttributes(`"time":"2026-12-31T12:00:00Z"`)), noon},
		"event in the future":        {[]byte(withAttributes(`"time":"2226-12-31T12:00:00Z"`)), noon.AddDate(200, 0, 0)},
		"event in a queue, skewed":   {queue(withAttributes(`"time":"2026-12-31T12:00:00Z"`), earlier), time.UnixMilli(1700000000000).UTC()},
		"event, unreadable":          {[]byte(withAttributes(`"time":"noon"`)), time.Time{}},
		"event, a number":            {[]byte(withAttributes(`"time":5`)), time.Time{}},
		"event, before 1970":         {[]byte(withAttributes(`"time":"0001-01-01T00:00:00Z"`)), time.Time{}},
		"event, binary mode":         {marshal(t, inBinaryMode), noon},
		"topic in a queue":           {queue(notification(t, plain), later), sentAt},
		"invocation that failed":     {[]byte(destination("RetriesExhausted", plain, "null")), sentAt},
		"HTTP API":                   {marshal(t, called), noon},
		"HTTP API, unreadable":       {[]byte(oddTime), time.Time{}},
		"REST API":                   {marshal(t, rest), noon},
		"ActiveMQ":                   {[]byte(`{"eventSource":"aws:mq","messages":[{"messageID":"m","timestamp":1798718400000,"data":"eyJiYWNrdXBfaWQiOiJhIn0="}]}`), noon},
		"Kafka":                      {[]byte(`{"eventSource":"aws:kafka","records":{"t-0":[{"offset":1,"timestamp":1798718400000,"value":"eyJiYWNrdXBfaWQiOiJhIn0="}]}}`), noon},
		"Kafka, without a timestamp": {[]byte(`{"eventSource":"aws:kafka","records":{"t-0":[{"offset":1,"timestamp":-1,"value":"eyJiYWNrdXBfaWQiOiJhIn0="}]}}`), time.Time{}},
	} {
		_, r := decodeOne(t, tc.payload)
		if r.Err != nil || !r.SentAt.Equal(tc.want) {
			t.Errorf("%s: sent at %v, want %v, error %v", name, r.SentAt, tc.want, r.Err)
		}
		if _, err := json.Marshal(r); err != nil { // a ledger keeps it so
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The last receive is known where the function was told how many there are.
func TestReceives(t *testing.T) {
	for _, tc := range []struct {
		count string
		most  int
		want  int
		last  bool
	}{
		{"1", 0, 1, false}, {"9", 10, 9, false}, {"10", 10, 10, true}, {"11", 10, 11, true}, {"10", 0, 10, false}, {"many", 1, 0, false}, {"", 1, 0, false},
	} {
		batch := sqs(plain)
		batch.Records[0].Attributes = map[string]string{"ApproximateReceiveCount": tc.count}
		for _, payload := range [][]byte{marshal(t, batch), pipe(t, batch)} {
			got, err := (&event.Decoder{MaxReceives: tc.most}).Decode(payload, event.Invocation{ID: "i"})
			if err != nil {
				t.Fatal(err)
			}
			if r := got.Requests[0]; r.Receives != tc.want || r.LastReceive != tc.last {
				t.Errorf("%+v: %d receives, the last %t", tc, r.Receives, r.LastReceive)
			}
		}
	}
}

// Parked is what no source delivers again while nobody waits for its result, and valid.
func TestParkable(t *testing.T) {
	url := httpAPI("DELETE", "/backups/a", "")
	url.RequestContext.DomainName = "abcdef.lambda-url.eu-central-1.on.aws"
	for name, tc := range map[string]struct {
		payload         []byte
		sync, whenAsync bool
	}{
		"topic":            {sns(t, plain), true, true},
		"bus":              {[]byte(busEvent(event.RequestType, plain)), true, true},
		"event":            {[]byte(cloudEvent(event.RequestType, plain)), true, true},
		"destination":      {[]byte(destination("RetriesExhausted", plain, "null")), true, true},
		"direct":           {[]byte(plain), false, true},
		"list":             {[]byte("[" + plain + "]"), false, true},
		"invalid":          {[]byte(busEvent(event.RequestType, `{"backup_id":5}`)), false, false},
		"queue":            {marshal(t, sqs(plain)), false, false},
		"topic in a queue": {marshal(t, sqs(notification(t, plain))), false, false},
		"pipe":             {pipe(t, sqs(plain)), false, false},
		"Kafka":            {kafka(t, map[string][]string{"t-0": {plain}}), false, false},
		"Kafka pipe":       {[]byte(pipeKafka("SelfManagedKafka", `bootstrapServers":"b`, plain)), false, false},
		"RabbitMQ":         {rabbitMQ(t, plain), false, false},
		"ActiveMQ":         {activeMQ(t, plain), false, false},
		"HTTP API":         {marshal(t, httpAPI("DELETE", "/backups/a", "")), false, false},
		"HTTP, event":      {marshal(t, withType(httpAPI("POST", "/", cloudEvent(event.RequestType, plain)), "application/cloudevents+json")), false, false},
		"REST API":         {marshal(t, restAPI("DELETE", "/backups/a", "")), false, false},
		"function URL":     {marshal(t, url), false, false},
		"load balancer":    {marshal(t, alb("DELETE", "/backups/a", "")), false, false},
	} {
		for async, want := range map[bool]bool{false: tc.sync, true: tc.whenAsync} {
			batch, err := (&event.Decoder{DirectIsAsync: async}).Decode(tc.payload, event.Invocation{ID: "i"})
			if err != nil || len(batch.Requests) != 1 {
				t.Fatalf("%s: %v", name, err)
			}
			if r := batch.Requests[0]; r.Parkable != want {
				t.Errorf("%s, direct calls are asynchronous %t: parkable %t", name, async, r.Parkable)
			}
		}
	}
}

// What the ledger has parked must not come again, so its source gets success.
func TestRepliesToParked(t *testing.T) {
	const result = `{"request_id":"ID","project_id":"","backup_id":"` + backup + `","status":"retry","error":{"class":"conflict","message":"m","retry_after":2}}`
	for name, tc := range map[string]struct {
		payload []byte
		want    string
	}{
		"direct": {[]byte(plain), strings.Replace(result, "ID", "invocation", 1)},
		"list":   {[]byte("[" + plain + "]"), `{"results":[` + strings.Replace(result, "ID", "invocation", 1) + `]}`},
		"topic":  {sns(t, plain), strings.Replace(result, "ID", "notification-0", 1)},
		"bus":    {[]byte(busEvent(event.RequestType, plain)), strings.Replace(result, "ID", "bus-event-1", 1)},
		"queue":  {marshal(t, sqs(plain)), `{"batchItemFailures":[]}`},
	} {
		batch, r := decodeOne(t, tc.payload)
		o := deletion.Outcome{Request: r, Status: deletion.Retry, Parked: true, Err: &deletion.Error{Class: deletion.ClassConflict, Message: "m", RetryAfter: 2 * time.Second}}
		reply, err := batch.Reply([]deletion.Outcome{o})
		if err != nil || string(reply) != tc.want {
			t.Errorf("%s: reply %s, error %v, want %s", name, reply, err, tc.want)
		}
		if v := batch.Visibilities([]deletion.Outcome{o}); len(v) != 0 {
			t.Errorf("%s: visibilities %v", name, v)
		}
	}
	// One that is not parked still fails the invocation, also beside one that is and waits longer.
	batch, err := decode(sns(t, plain, plain))
	if err != nil {
		t.Fatal(err)
	}
	waits, parked := outcome(batch.Requests[0], deletion.ClassConflict), outcome(batch.Requests[1], deletion.ClassThrottled)
	parked.Parked, parked.Err.RetryAfter = true, time.Hour
	if _, err := batch.Reply([]deletion.Outcome{waits, parked}); err == nil || !strings.Contains(err.Error(), waits.Err.Message) {
		t.Errorf("error %v", err)
	}
}

// A replay says so to its caller.
func TestRepliesToReplays(t *testing.T) {
	for name, payload := range map[string][]byte{
		"direct": []byte(plain), "list": []byte("[" + plain + "]"), "topic": sns(t, plain),
		"HTTP": marshal(t, httpAPI("DELETE", "/backups/"+backup, "")), "HTTP, list": marshal(t, httpAPI("POST", "/deletions", "["+plain+"]")),
	} {
		batch, r := decodeOne(t, payload)
		for _, replayed := range []bool{true, false} {
			o := outcome(r, "")
			o.Replayed = replayed
			reply, err := batch.Reply([]deletion.Outcome{o})
			if err != nil || strings.Contains(strings.ReplaceAll(string(reply), `\`, ""), `"replayed":true`) != replayed {
				t.Errorf("%s, replayed %t: reply %s, error %v", name, replayed, reply, err)
			}
		}
	}
}

const tickEvent = `{"specversion":"1.0","id":"t","source":"s","type":"` + event.TickType + `"}`

// A tick asks for no deletion, from a scheduler or through a queue.
func TestTicks(t *testing.T) {
	const short = `{"type":"` + event.TickType + `"}`
	inKafka := `{"eventSource":"aws:kafka","records":{"t-0":[{"offset":1,"value":"e30=","headers":[{"ce_specversion":` + signed("1.0") + `},{"ce_type":` + signed(event.TickType) + `}]}]}}`
	for name, tc := range map[string]struct {
		payload []byte
		source  deletion.Source
		reply   string
	}{
		"direct":            {[]byte(short), event.SourceTick, `{"results":[]}`},
		"direct with an id": {[]byte(`{"id":"x","type":"` + event.TickType + `"}`), event.SourceTick, `{"results":[]}`},
		"bus":               {[]byte(busEvent(event.TickType, `{"any":["thing"]}`)), event.SourceTick, `{"results":[]}`},
		"event":             {[]byte(tickEvent), event.SourceTick, `{"results":[]}`},
		"event with data":   {[]byte(strings.Replace(tickEvent, `"id"`, `"data":"text","id"`, 1)), event.SourceTick, `{"results":[]}`},
		"event on a bus":    {[]byte(busEvent(event.TickType, tickEvent)), event.SourceTick, `{"results":[]}`},
		"queue":             {marshal(t, sqs(short)), "sqs", `{"batchItemFailures":[]}`},
		"bus in a queue":    {marshal(t, sqs(busEvent(event.TickType, `{}`))), "sqs", `{"batchItemFailures":[]}`},
		"topic in a queue":  {marshal(t, sqs(notification(t, tickEvent))), "sqs", `{"batchItemFailures":[]}`},
		"topic":             {sns(t, short), "sns", `{"results":[]}`},
		"Kafka":             {[]byte(inKafka), "kafka", `{"batchItemFailures":[]}`},
	} {
		batch, err := decode(tc.payload)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !batch.Tick || batch.Source != tc.source || len(batch.Requests) != 0 || len(batch.OwnEvents) != 0 {
			t.Errorf("%s: batch %+v", name, batch)
		}
		if reply, err := batch.Reply(nil); err != nil || string(reply) != tc.reply {
			t.Errorf("%s: reply %s, error %v", name, reply, err)
		}
	}
	// Beside requests it counts once.
	batch, err := decode(marshal(t, sqs(plain, short, short)))
	if err != nil || !batch.Tick || len(batch.Requests) != 1 {
		t.Errorf("batch %+v, error %v", batch, err)
	}
	if batch, err := decode(marshal(t, sqs(plain))); err != nil || batch.Tick {
		t.Errorf("batch %+v, error %v", batch, err)
	}
}

// A tick that names a backup is neither a tick nor a deletion.
func TestTicksThatAskForMore(t *testing.T) {
	const named = `(an event of type "dds.backup.agenda.tick.v1") and has the member "backup_id"; expected a tick without it, or a request`
	const refused = `it is a tick (an event of type "dds.backup.agenda.tick.v1"); expected a request`
	for payload, says := range map[string]string{
		`{"type":"` + event.TickType + `","backup_id":"a"}`:                                              named,
		`{"type":"` + event.TickType + `","more":1}`:                                                     `"more": unknown member of a tick; expected only type and id`,
		busEvent(event.TickType, plain):                                                                  named,
		busEvent(event.TickType, cloudEvent(event.RequestType, plain)):                                   named,
		cloudEvent(event.TickType, plain):                                                                named,
		`{"specversion":"1.0","type":"` + event.TickType + `","data_base64":"eyJiYWNrdXBfaWQiOiJhIn0="}`: named,
	} {
		if batch, err := decode([]byte(payload)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: batch %+v, error %v", payload, batch, err)
		}
		batch, r := decodeOne(t, marshal(t, sqs(payload)))
		if batch.Tick || r.Err == nil || !strings.Contains(r.Err.Message, says) || r.BackupID != "" {
			t.Errorf("%s in a queue: request %+v, error %v", payload, r, r.Err)
		}
	}
	inBinaryMode := binary(event.TickType, `{}`)
	for name, payload := range map[string][]byte{
		"HTTP":              marshal(t, httpAPI("POST", "/deletions", `{"type":"`+event.TickType+`"}`)),
		"HTTP, event":       marshal(t, withType(httpAPI("POST", "/", tickEvent), "application/cloudevents+json")),
		"HTTP, batch":       marshal(t, withType(httpAPI("POST", "/", "["+tickEvent+"]"), "application/cloudevents-batch+json")),
		"HTTP, binary mode": marshal(t, inBinaryMode),
		"list":              []byte("[" + tickEvent + "]"),
		"list in a queue":   marshal(t, sqs("["+tickEvent+"]")),
	} {
		batch, r := decodeOne(t, payload)
		if batch.Tick || r.Err == nil || !strings.Contains(r.Err.Message, refused) {
			t.Errorf("%s: request %+v, error %v", name, r, r.Err)
		}
	}
}

// Who asked is who the source vouches for, else what the sender says of itself.
func TestWhoAsked(t *testing.T) {
	format2 := func(authorizer *events.APIGatewayV2HTTPRequestContextAuthorizerDescription) []byte {
		r := withType(httpAPI("POST", "/", withAttributes(`"authtype":"user","authid":"liar"`)), "application/cloudevents+json")
		r.RequestContext.Authorizer = authorizer
		return marshal(t, r)
	}
	iam := func(arn string) []byte {
		return format2(&events.APIGatewayV2HTTPRequestContextAuthorizerDescription{IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: arn}})
	}
	rest := func(identity, authorizer string) []byte {
		r := restAPI("DELETE", "/backups/a", "")
		r.RequestContext.Identity.UserArn = identity
		if authorizer != "" {
			r.RequestContext.Authorizer = map[string]any{"claims": map[string]any{"sub": authorizer}}
		}
		return marshal(t, r)
	}
	queue := func(sender, body string) []byte {
		batch := sqs(body)
		batch.Records[0].Attributes = map[string]string{"SenderId": sender}
		return marshal(t, batch)
	}
	balancer := withHeader(t, "X-Amzn-Oidc-Identity", "alice")
	const user, role, session = "arn:aws:iam::123456789012:user/team/dba", "arn:aws:sts::123456789012:assumed-role/cleanup/session", "AROAEXAMPLE:session"
	claims := withAttributes(`"authtype":"app_user","authid":"alice"`)
	for name, tc := range map[string]struct {
		payload []byte
		want    *deletion.Principal
	}{
		"direct":                   {[]byte(plain), nil},
		"bus":                      {[]byte(busEvent(event.RequestType, plain)), nil},
		"IAM user":                 {iam(user), &deletion.Principal{Type: "user", ID: user}},
		"IAM role":                 {iam(role), &deletion.Principal{Type: "service_account", ID: role}},
		"another IAM identity":     {iam("arn:aws:iam::123456789012:root"), &deletion.Principal{Type: "unknown", ID: "arn:aws:iam::123456789012:root"}},
		"no authorizer":            {format2(nil), &deletion.Principal{Type: "user", ID: "liar", Claimed: true}},
		"token":                    {format2(&events.APIGatewayV2HTTPRequestContextAuthorizerDescription{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: map[string]string{"sub": "s-1"}}}), &deletion.Principal{Type: "app_user", ID: "s-1"}},
		"REST, IAM user":           {rest(user, ""), &deletion.Principal{Type: "user", ID: user}},
		"REST, token":              {rest("", "s-1"), &deletion.Principal{Type: "app_user", ID: "s-1"}},
		"REST, open":               {rest("", ""), nil},
		"load balancer":            {balancer, &deletion.Principal{Type: "app_user", ID: "alice", Claimed: true}},
		"queue, user":              {queue("AIDAEXAMPLE", plain), &deletion.Principal{Type: "user", ID: "AIDAEXAMPLE"}},
		"queue, role":              {queue(session, claims), &deletion.Principal{Type: "service_account", ID: session}},
		"queue, another":           {queue("123456789012", plain), &deletion.Principal{Type: "unknown", ID: "123456789012"}},
		"queue, from a topic":      {queue("AIDASERVICE", notified(plain)), nil},
		"queue, from a topic, who": {queue("AIDASERVICE", notified(claims)), &deletion.Principal{Type: "app_user", ID: "alice", Claimed: true}},
		"queue, nobody":            {queue("", claims), &deletion.Principal{Type: "app_user", ID: "alice", Claimed: true}},
		"event":                    {[]byte(claims), &deletion.Principal{Type: "app_user", ID: "alice", Claimed: true}},
		"event, unknown type":      {[]byte(withAttributes(`"authtype":"king"`)), &deletion.Principal{Type: "unknown", Claimed: true}},
		"event, an id alone":       {[]byte(withAttributes(`"authid":"alice"`)), &deletion.Principal{Type: "unknown", ID: "alice", Claimed: true}},
		"event, not printable":     {[]byte(withAttributes(`"authid":"a\nb\u202ec"`)), &deletion.Principal{Type: "unknown", ID: "a?b?c", Claimed: true}},
		"event, long":              {[]byte(withAttributes(`"authid":"` + strings.Repeat("ü", 200) + `"`)), &deletion.Principal{Type: "unknown", ID: strings.Repeat("ü", 128), Claimed: true}},
		"event, long, in between":  {[]byte(withAttributes(`"authid":"a` + strings.Repeat("ü", 200) + `"`)), &deletion.Principal{Type: "unknown", ID: "a" + strings.Repeat("ü", 127), Claimed: true}},
	} {
		_, r := decodeOne(t, tc.payload)
		if diff := cmp.Diff(tc.want, r.By); diff != "" || r.Err != nil {
			t.Errorf("%s (-want +got):\n%s error %v", name, diff, r.Err)
		}
		identity := r.Identity()
		if r.By = nil; r.Identity() != identity {
			t.Errorf("%s: who asked is part of the identity", name)
		}
	}
}

// withHeader is a call through a load balancer with one more header.
func withHeader(t *testing.T, name, value string) []byte {
	t.Helper()
	r := alb("DELETE", "/backups/a", "")
	r.Headers[name] = value
	return marshal(t, r)
}

// A front's own question for a state is answered through its own reply.
func TestStateThroughFronts(t *testing.T) {
	for name, payload := range map[string][]byte{
		"HTTP API": marshal(t, httpAPI("GET", "/backups/"+backup, "")), "REST API": marshal(t, restAPI("GET", "/v3/"+project+"/backups/"+backup, "")),
		"load balancer": marshal(t, alb("GET", "/backups/"+backup, "")), "with a body": marshal(t, httpAPI("GET", "/backups/"+backup, plain)),
	} {
		batch, err := decode(payload)
		if err != nil || batch.Status == nil || len(batch.Requests) != 0 || batch.Tick {
			t.Fatalf("%s: batch %+v, error %v", name, batch, err)
		}
		if batch.Status.Backup.BackupID != backup {
			t.Errorf("%s: backup %+v", name, batch.Status.Backup)
		}
		batch.Status.State = &deletion.State{ProjectID: project, BackupID: backup, State: deletion.PhaseAccepted, Attempt: 1}
		want := `{"project_id":"` + project + `","backup_id":"` + backup + `","state":"accepted","attempt":1}`
		if got := httpReply(t, batch); got.StatusCode != 200 || got.Body != want {
			t.Errorf("%s: reply %+v", name, got)
		}
	}
}

// A 202 says where the state of the backup is, in a path that the caller of the front can use.
func TestLocation(t *testing.T) {
	format2 := func(method, route, raw, stage, body string, parameters map[string]string) any {
		r := httpAPI(method, raw, body)
		r.RouteKey, r.RequestContext.Stage, r.PathParameters = route, stage, parameters
		return r
	}
	rest := restAPI("POST", "/deletions", plain)
	rest.RequestContext.Path = "/prod/deletions"
	inQuery := httpAPI("DELETE", "/backups/"+backup, "")
	inQuery.RawQueryString = "region=cn-north-4&project_id=" + project
	for name, tc := range map[string]struct {
		base    string
		payload any
		want    string
	}{
		"DELETE":                {"", httpAPI("DELETE", "/backups/"+backup, ""), "/backups/" + backup},
		"POST":                  {"", httpAPI("POST", "/deletions", plain), "/backups/" + backup},
		"an event":              {"", withType(httpAPI("POST", "/", cloudEvent(event.RequestType, plain)), "application/cloudevents+json"), "/backups/" + backup},
		"a project":             {"", httpAPI("DELETE", "/v3/"+project+"/backups/"+backup+"/", ""), "/backups/" + backup + "?project_id=" + project},
		"a project in the body": {"", httpAPI("POST", "/deletions", `{"backup_id":"`+backup+`","project_id":"`+project+`"}`), "/backups/" + backup + "?project_id=" + project},
		"a query":               {"", inQuery, "/backups/" + backup + "?project_id=" + project + "&region=cn-north-4"},
		"a base path":           {"/dds", httpAPI("DELETE", "/dds/backups/"+backup, ""), "/dds/backups/" + backup},
		"a stage":               {"", format2("POST", "$default", "/prod/deletions", "prod", plain, nil), "/prod/backups/" + backup},
		"a mapping":             {"", format2("DELETE", "DELETE /backups/{backup_id}", "/a/b/backups/"+backup, "$default", "", map[string]string{"backup_id": backup}), "/a/b/backups/" + backup},
		"both":                  {"/dds", format2("POST", "ANY /dds/{proxy+}", "/prod/dds/deletions", "prod", plain, map[string]string{"proxy": "deletions"}), "/prod/dds/backups/" + backup},
		"a base as the mapping": {"/dds", format2("POST", "ANY /{proxy+}", "/dds/deletions", "$default", plain, map[string]string{"proxy": "deletions"}), "/dds/backups/" + backup},
		"REST stage":            {"", rest, "/prod/backups/" + backup},
	} {
		batch, err := (&event.Decoder{BasePath: tc.base}).Decode(marshal(t, tc.payload), event.Invocation{ID: "i"})
		if err != nil || len(batch.Requests) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		r := batch.Requests[0]
		r.ProjectID, r.Region = "default", "default" // as the service fills them in
		got := httpReply(t, batch, outcome(r, ""))
		if got.StatusCode != 202 || got.Headers["Location"] != tc.want {
			t.Errorf("%s: status %d, Location %q, want %q", name, got.StatusCode, got.Headers["Location"], tc.want)
		}
		if got := httpReply(t, batch, outcome(r, deletion.ClassConflict)); got.Headers["Location"] != "" {
			t.Errorf("%s: a conflict with the Location %q", name, got.Headers["Location"])
		}
	}
	for _, body := range []string{"[" + plain + "]", `{"backup_ids":["` + backup + `"]}`} {
		batch, r := decodeOne(t, marshal(t, httpAPI("POST", "/deletions", body)))
		if got := httpReply(t, batch, outcome(r, "")); got.StatusCode != 207 || got.Headers["Location"] != "" {
			t.Errorf("%s: reply %+v", body, got)
		}
	}
}

// notified returns a text as a topic delivers it to a queue.
func notified(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return `{"Type":"Notification","MessageId":"n","TopicArn":"arn:aws:sns:eu-central-1:123456789012:t","Message":` + string(quoted) + `}`
}
