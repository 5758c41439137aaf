package stacktest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dds-backup-delete/internal/deletion"
)

// These settings, as moto's services report them, keep requests from being lost or worked twice.
func TestQueueSettings(t *testing.T) {
	s, err := deploy(t, "settings")
	if err != nil {
		t.Fatal(err)
	}
	requests := s.Queues["RequestQueue"]
	if visibility, _ := strconv.Atoi(requests["VisibilityTimeout"]); visibility < 6*s.Function.Timeout {
		t.Errorf("visibility timeout %d s, timeout of the function %d s", visibility, s.Function.Timeout)
	}
	var redrive struct {
		DeadLetterTargetArn string
		MaxReceiveCount     int
	}
	if err := json.Unmarshal([]byte(requests["RedrivePolicy"]), &redrive); err != nil {
		t.Fatal(err)
	}
	if redrive.DeadLetterTargetArn != s.Queues["DeadLetterQueue"]["QueueArn"] || redrive.MaxReceiveCount != 10 ||
		s.Function.Environment.Variables["QUEUE_MAX_RECEIVES"] != "10" {
		t.Errorf("redrive %+v, QUEUE_MAX_RECEIVES %s", redrive, s.Function.Environment.Variables["QUEUE_MAX_RECEIVES"])
	}
	for name, attributes := range s.Queues {
		if attributes["MessageRetentionPeriod"] != "1209600" || attributes["SqsManagedSseEnabled"] != "true" {
			t.Errorf("%s: %v", name, attributes)
		}
	}
	if len(s.Mappings) != 1 || s.Mappings[0].State != "Disabled" || s.Mappings[0].EventSourceArn != requests["QueueArn"] ||
		len(s.Mappings[0].FunctionResponseTypes) != 1 || s.Mappings[0].ScalingConfig.MaximumConcurrency != 2 {
		t.Errorf("mapping %+v", s.Mappings)
	}
}

// The ledger finds what is due by an index, which has the keys of those items only.
func TestTableHasAnIndexOfWhatIsDue(t *testing.T) {
	s, err := deploy(t, "index")
	if err != nil {
		t.Fatal(err)
	}
	indexes := s.Table.GlobalSecondaryIndexes
	if len(indexes) != 1 || indexes[0].IndexName != "due" || fmt.Sprint(indexes[0].KeySchema) != "[{due_kind HASH} {due_at RANGE}]" ||
		indexes[0].Projection.ProjectionType != "KEYS_ONLY" {
		t.Errorf("indexes %+v", indexes)
	}
}

// A schedule and a rule invoke the function with a tick, and no other rule may invoke it.
func TestTicks(t *testing.T) {
	s, err := deploy(t, "ticks")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ schedule, pattern, input string }{
		"TickSchedule": {schedule: "rate(5 minutes)", input: `{"type":"dds.backup.agenda.tick.v1"}`},
		"NextTickRule": {pattern: `{"source": ["dds-backup-delete"], "account": ["123456789012"], "detail-type": ["dds.backup.agenda.tick.v1"], "detail": {"function": ["` + s.Function.FunctionName + `"]}}`},
	} {
		rule := s.Rules[name]
		if rule.ScheduleExpression != want.schedule || rule.EventPattern != want.pattern || len(rule.Targets) != 1 ||
			rule.Targets[0].Arn != s.Function.FunctionArn || rule.Targets[0].Input != want.input {
			t.Errorf("%s: %+v", name, rule)
		}
		for suffix, want := range map[string]bool{"": true, "2": false} {
			allowed, err := allows(s.Policy, call{
				Service: "events.amazonaws.com", Action: "lambda:InvokeFunction", Resource: s.Function.FunctionArn,
				Keys: map[string][]string{"AWS:SourceArn": {rule.Arn + suffix}},
			})
			if err != nil || allowed != want {
				t.Errorf("%s%s: allowed %v, error %v", rule.Arn, suffix, allowed, err)
			}
		}
	}
	if len(s.Rules) != 2 {
		t.Errorf("rules %v", s.Rules)
	}
	variables := s.Function.Environment.Variables
	for name, want := range map[string]string{
		"FOLLOW": "true", "FOLLOW_ALARM_AFTER": "2h", "MAX_REQUEST_AGE": "", "DIRECT_CALLS": "sync", "STOP_DELETIONS": "false", "TICK_BUS": defaultBus,
	} {
		if got, set := variables[name]; !set || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

const defaultBus = "arn:aws:events:" + region + ":" + account + ":event-bus/default"

// The role allows what the ledger and the sinks need, and nothing beside that.
func TestRoleAllowsNoMore(t *testing.T) {
	s, err := deploy(t, "role")
	if err != nil {
		t.Fatal(err)
	}
	table, outcomes := s.Table.TableArn, s.Outputs["OutcomeBusArn"]
	check := func(c call, want bool) {
		t.Helper()
		if allowed, err := allows(s.Role, c); err != nil || allowed != want {
			t.Errorf("%s: allowed %v, error %v", c, allowed, err)
		}
	}
	for action, resources := range map[string]map[string]bool{
		"dynamodb:GetItem":    {table: true, table + "2": false, table + "/index/due": false},
		"dynamodb:PutItem":    {table: true, table + "2": false},
		"dynamodb:Query":      {table + "/index/due": true, table: false, table + "/index/other": false},
		"dynamodb:Scan":       {table: false, table + "/index/due": false},
		"dynamodb:UpdateItem": {table: false},
		"dynamodb:DeleteItem": {table: false},
	} {
		for resource, want := range resources {
			check(call{Action: action, Resource: resource}, want)
		}
	}
	const tick = "dds.backup.agenda.tick.v1"
	put := func(bus, source string, want bool, types ...string) {
		t.Helper()
		check(call{Action: "events:PutEvents", Resource: bus, Keys: map[string][]string{"events:source": {source}, "events:detail-type": types}}, want)
	}
	for _, status := range []deletion.Status{
		deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated, deletion.Abandoned, deletion.Completed, deletion.Failed,
	} {
		put(outcomes, "dds-backup-delete", true, deletion.EventType(status))
		put(outcomes, "dds-backup-delete", false, deletion.EventType(status), "dds.backup.deletion.requested.v1")
		put(outcomes, "another", false, deletion.EventType(status))
		put(defaultBus, "dds-backup-delete", false, deletion.EventType(status))
	}
	put(outcomes, "dds-backup-delete", false, tick)
	put(outcomes, "dds-backup-delete", false)
	put(defaultBus, "dds-backup-delete", true, tick)
	put(defaultBus, "another", false, tick)
	put(defaultBus+"2", "dds-backup-delete", false, tick)
}

// With a customer key, everything stored is encrypted with it, and the role may use it.
func TestKey(t *testing.T) {
	const key = "arn:aws:kms:eu-central-1:123456789012:key/0b6dd9e3-6d5a-4a5c-8f0c-6f1a1e6c7d11"
	s, err := deploy(t, "key", "KmsKeyArn="+key)
	if err != nil {
		t.Fatal(err)
	}
	for name, attributes := range s.Queues {
		if attributes["KmsMasterKeyId"] != key {
			t.Errorf("%s: %v", name, attributes)
		}
	}
	for service, want := range map[string]bool{"sqs": true, "dynamodb": true, "secretsmanager": true, "s3": false} {
		allowed, err := allows(s.Role, call{
			Action: "kms:Decrypt", Resource: key, Keys: map[string][]string{"kms:ViaService": {service + ".eu-central-1.amazonaws.com"}},
		})
		if err != nil || allowed != want {
			t.Errorf("through %s: allowed %v, error %v", service, allowed, err)
		}
	}
}

// moto's CloudFormation accepts these properties without effect, so they are checked in the expanded
// template. cfn-lint checks it against the specification of each resource.
func TestNotInMoto(t *testing.T) {
	s, err := deploy(t, "static")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ resource, property, want string }{
		{"Ledger", "TimeToLiveSpecification", `{"AttributeName":"expires_at","Enabled":true}`},
		{"Ledger", "PointInTimeRecoverySpecification", `{"PointInTimeRecoveryEnabled":true}`},
		{"Ledger", "DeletionProtectionEnabled", `true`},
		{"Function", "LoggingConfig", `{"ApplicationLogLevel":{"Ref":"LogLevel"},"LogFormat":"JSON","LogGroup":{"Ref":"FunctionLog"}}`},
		{"Function", "TracingConfig", `{"Mode":{"Fn::If":["Trace","Active","PassThrough"]}}`},
		{"FunctionEventInvokeConfig", "DestinationConfig", `{"OnFailure":{"Destination":{"Fn::GetAtt":["UndeliveredQueue","Arn"]}}}`},
	} {
		got, err := json.Marshal(s.Template.Resources[test.resource].Properties[test.property])
		if err != nil || string(got) != test.want {
			t.Errorf("%s of %s: %s, want %s", test.property, test.resource, got, test.want)
		}
	}
	// The dead-letter queue builds the ARN of its source queue, which must be the right one.
	allowed, _ := json.Marshal(s.Template.Resources["DeadLetterQueue"].Properties["RedriveAllowPolicy"])
	name := strings.TrimPrefix(s.Queues["RequestQueue"]["QueueArn"], "arn:aws:sqs:eu-central-1:123456789012:static")
	if !strings.Contains(string(allowed), `:${AWS::AccountId}:${AWS::StackName}`+name+`"`) {
		t.Errorf("%s does not name %s", allowed, name)
	}
}

// The packaged template is the same template. deploy/terraform-aws names the zip in it.
func TestPackagedTemplate(t *testing.T) {
	run := func(script string, arguments ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), os.Getenv("MOTO_PYTHON"), append([]string{"../../tools/stack/" + script}, arguments...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	file := filepath.Join(t.TempDir(), "template.json")
	text := run("package.py")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(run("expand.py", file), run("expand.py", "../../template.yaml")) {
		t.Error("the packaged template expands to another one")
	}
	if n := bytes.Count(text, []byte(`"CodeUri": "CODE"`)); n != 1 || len(text) > 460_800 {
		t.Errorf("%d places for the zip in %d bytes; CloudFormation takes 460,800", n, len(text))
	}
}

// metrics are the program's own metrics with their sets of dimensions beside function_name.
// [world.checkMetrics] compares them with what the program writes, and [checkMetric] with what the
// template names.
var metrics = map[string][]string{
	"Accepted": {"", "source"}, "Unconfirmed": {"", "source"}, "NotFound": {"", "source"}, "Rejected": {"", "source"}, "Simulated": {"", "source"},
	"Retried": {"", "source"}, "Replayed": {"", "source"}, "DDSErrors": {"", "class"}, "DDSThrottles": {""}, "DDSLatency": {""},
	"PublishFailures": {""}, "LedgerFailures": {""}, "ColdStarts": {""},
	"Ticks": {""}, "Completed": {""}, "Failed": {""}, "Closed": {""}, "FollowOverdue": {""}, "Abandoned": {"", "source"}, "Parked": {"", "source"},
}

// awsMetrics are the metrics of AWS that the template uses, with their dimensions.
var awsMetrics = map[string]string{
	"AWS/SQS ApproximateNumberOfMessagesVisible":    "QueueName",
	"AWS/SQS ApproximateNumberOfMessagesNotVisible": "QueueName",
	"AWS/SQS ApproximateAgeOfOldestMessage":         "QueueName",
	"AWS/Lambda Invocations":                        "FunctionName",
	"AWS/Lambda AsyncEventsDropped":                 "FunctionName",
	"AWS/Lambda DestinationDeliveryFailures":        "FunctionName",
	"AWS/Lambda Errors":                             "FunctionName",
	"AWS/Lambda Throttles":                          "FunctionName",
	"AWS/Lambda Duration":                           "FunctionName",
	"AWS/Lambda ConcurrentExecutions":               "FunctionName",
	"AWS/DynamoDB ThrottledRequests":                "TableName Operation",
	"AWS/DynamoDB SystemErrors":                     "TableName Operation",
	"AWS/ApiGateway Count":                          "ApiId",
	"AWS/ApiGateway 4xx":                            "ApiId",
	"AWS/ApiGateway 5xx":                            "ApiId",
}

// checkMetric checks that a metric exists. Its dimensions are names and values in turn.
func checkMetric(t *testing.T, s *stack, namespace, name string, dimensions ...string) {
	t.Helper()
	var names []string
	for i := 0; i+1 < len(dimensions); i += 2 {
		names = append(names, dimensions[i])
		if value := dimensions[i+1]; strings.Contains(value, "${") || value == "" {
			t.Errorf("%s %s: %s is %q", namespace, name, dimensions[i], value)
		}
	}
	if namespace != "dds-backup-delete" {
		if want, ok := awsMetrics[namespace+" "+name]; !ok || strings.Join(names, " ") != want {
			t.Errorf("%s has no metric %s with %v", namespace, name, names)
		}
		return
	}
	sets, ok := metrics[name]
	if !ok || len(names) == 0 || names[0] != "function_name" || !slices.Contains(sets, strings.Join(names[1:], " ")) {
		t.Errorf("the program has no metric %s with %v", name, names)
	}
	if len(dimensions) > 1 && dimensions[1] != s.Function.FunctionName {
		t.Errorf("%s: of function %s, want %s", name, dimensions[1], s.Function.FunctionName)
	}
	if len(names) > 1 && names[1] == "class" &&
		!slices.Contains([]string{"invalid", "not_found", "forbidden", "unauthenticated", "conflict", "unknown", "throttled", "unavailable"}, dimensions[3]) {
		t.Errorf("%s: no class %s", name, dimensions[3])
	}
}

// checkMetrics checks that the template may name every metric in the function's log.
func (w *world) checkMetrics() {
	w.t.Helper()
	w.must(w.function.Kill()) // its output is complete only after its end
	seen := 0
	for line := range strings.Lines(w.function.Stdout()) {
		var emf struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name string }
				}
			} `json:"_aws"`
			FunctionName string `json:"function_name"`
		}
		w.must(json.Unmarshal([]byte(line), &emf))
		for _, directive := range emf.AWS.CloudWatchMetrics {
			if directive.Namespace != "dds-backup-delete" || emf.FunctionName != w.stack.Function.FunctionName {
				w.t.Errorf("metrics %s", line)
			}
			for _, metric := range directive.Metrics {
				for _, dimensions := range directive.Dimensions {
					seen++
					if sets, ok := metrics[metric.Name]; !ok || dimensions[0] != "function_name" || !slices.Contains(sets, strings.Join(dimensions[1:], " ")) {
						w.t.Errorf("the template knows no metric %s with %v", metric.Name, dimensions)
					}
				}
			}
		}
	}
	if seen == 0 {
		w.t.Error("no metrics in the log")
	}
}

func TestAlarms(t *testing.T) {
	s, err := deploy(t, "alarms", "AlarmEmail=dba@example.com")
	if err != nil {
		t.Fatal(err)
	}
	topic := s.Outputs["AlarmTopicArn"]
	for name, alarm := range s.Alarms {
		var dimensions []string
		for _, d := range alarm.Dimensions {
			dimensions = append(dimensions, d.Name, d.Value)
		}
		checkMetric(t, s, alarm.Namespace, alarm.MetricName, dimensions...)
		if !slices.Equal(alarm.AlarmActions, []string{topic}) || !slices.Equal(alarm.OKActions, []string{topic}) {
			t.Errorf("%s: actions %v and %v, want %s", name, alarm.AlarmActions, alarm.OKActions, topic)
		}
	}
	for _, metric := range []string{"AsyncEventsDropped", "DestinationDeliveryFailures", "Failed", "FollowOverdue", "Abandoned", "Ticks"} {
		watched := false
		for _, alarm := range s.Alarms {
			watched = watched || alarm.MetricName == metric
		}
		if !watched {
			t.Errorf("no alarm watches %s", metric)
		}
	}
	// No tick means no metric, so only this alarm takes a missing one for a fault.
	for name, alarm := range s.Alarms {
		missing, sign := "notBreaching", "GreaterThanThreshold"
		if name == "AgendaStalledAlarm" {
			missing, sign = "breaching", "LessThanThreshold"
		}
		if alarm.TreatMissingData != missing || alarm.ComparisonOperator != sign {
			t.Errorf("%s: %+v", name, alarm)
		}
	}
	if stalled := s.Alarms["AgendaStalledAlarm"]; stalled.Period*stalled.EvaluationPeriods != 1800 || stalled.Threshold != 1 {
		t.Errorf("%+v", stalled)
	}
	if len(s.Alarms) != 16 || s.Resources["AlarmMail"] == "" {
		t.Errorf("%d alarms, mail %q", len(s.Alarms), s.Resources["AlarmMail"])
	}
	const existing = "arn:aws:sns:eu-central-1:123456789012:on-call"
	if s, err = deploy(t, "on-call", "AlarmTopicArn="+existing); err != nil {
		t.Fatal(err)
	}
	for name, alarm := range s.Alarms {
		if !slices.Equal(alarm.AlarmActions, []string{existing}) {
			t.Errorf("%s: actions %v", name, alarm.AlarmActions)
		}
	}
	if s.Resources["AlarmTopic"] != "" {
		t.Error("a second topic was made")
	}
}

func TestDashboard(t *testing.T) {
	s, err := deploy(t, "dashboard")
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		PeriodOverride string
		Widgets        []struct {
			Type                string
			X, Y, Width, Height int
			Properties          widget
		}
	}
	if err := json.Unmarshal([]byte(s.Dashboards[0]), &body); err != nil {
		t.Fatalf("%v in %s", err, s.Dashboards[0])
	}
	if body.PeriodOverride != "inherit" { // or "per 5 minutes" would be wrong for a longer time range
		t.Errorf("periodOverride %q", body.PeriodOverride)
	}
	taken := make(map[[2]int]string)
	for _, w := range body.Widgets {
		title := w.Properties.Title
		if title == "" || w.X < 0 || w.X+w.Width > 24 || w.Width < 1 || w.Height < 1 {
			t.Errorf("widget %q at %d, %d wide", title, w.X, w.Width)
		}
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%q lies on %q", title, other)
				}
				taken[[2]int{x, y}] = title
			}
		}
		switch w.Type {
		case "metric":
			if len(w.Properties.Metrics) == 0 {
				t.Errorf("%q has no metrics", title)
			}
			w.Properties.checkScale(t)
			for _, metric := range spelledOut(w.Properties.Metrics) {
				checkMetric(t, s, metric[0], metric[1], metric[2:]...)
			}
		case "alarm":
			for _, arn := range w.Properties.Alarms {
				if !slices.ContainsFunc(slices.Collect(func(yield func(string) bool) {
					for _, alarm := range s.Alarms {
						if !yield(alarm.AlarmArn) {
							return
						}
					}
				}), func(a string) bool { return a == arn }) {
					t.Errorf("no alarm %s", arn)
				}
			}
			if len(w.Properties.Alarms) != len(s.Alarms) {
				t.Errorf("%d of %d alarms are shown", len(w.Properties.Alarms), len(s.Alarms))
			}
		case "log":
			if !strings.HasPrefix(w.Properties.Query, "SOURCE '"+s.Outputs["FunctionLogGroup"]+"' |") {
				t.Errorf("query %s", w.Properties.Query)
			}
		default:
			t.Errorf("%q is a widget of type %s", title, w.Type)
		}
	}
}

// widget are the properties of a widget of the dashboard.
type widget struct {
	Title, Query, View, Stat string
	Alarms                   []string
	Metrics                  [][]any
	Period                   int
	SetPeriodToTimeRange     bool
	YAxis                    map[string]struct {
		Min   *float64
		Label string
	}
}

// gauges are the metrics that are not counts of what happened, with the unit of their axis.
var gauges = map[string]string{
	"DDSLatency": "ms", "Duration": "ms", "ApproximateAgeOfOldestMessage": "s", "ConcurrentExecutions": "invocations",
	"ApproximateNumberOfMessagesVisible": "messages", "ApproximateNumberOfMessagesNotVisible": "messages",
}

// checkScale checks that a widget shows one unit on one axis, which begins at zero and says what it counts.
func (w *widget) checkScale(t *testing.T) {
	t.Helper()
	if w.View == "singleValue" {
		if w.Stat != "Sum" || !w.SetPeriodToTimeRange {
			t.Errorf("%q is not a sum over the time shown", w.Title)
		}
		return
	}
	left := w.YAxis["left"]
	if w.View != "timeSeries" || left.Min == nil || *left.Min != 0 || len(w.YAxis) != 1 {
		t.Errorf("%q is a %s with axes %v", w.Title, w.View, w.YAxis)
	}
	for i, metric := range spelledOut(w.Metrics) {
		name, period, stat := metric[1], w.Period, w.Stat
		options, _ := w.Metrics[i][len(w.Metrics[i])-1].(map[string]any)
		if own, ok := options["stat"].(string); ok {
			stat = own
		}
		if expression, ok := options["expression"].(string); ok && strings.HasSuffix(expression, ", 'Sum', 300)") {
			period, stat = 300, "Sum"
		}
		unit, gauge := gauges[name]
		if !gauge {
			unit = "per 5 minutes"
		}
		if left.Label != unit || period != 300 || gauge == (stat == "Sum") || stat == "" || options["yAxis"] != nil {
			t.Errorf("%q: %s of %s for each %d s on an axis of %q, expected %q", w.Title, stat, name, period, left.Label, unit)
		}
	}
}

// spelledOut returns the metrics of a widget as namespace, name and dimensions. It expands the short
// forms "." and "..." and searches.
func spelledOut(rows [][]any) [][]string {
	var all [][]string
	var last []string
	for _, row := range rows {
		var metric []string
		for i, part := range row {
			switch part := part.(type) {
			case map[string]any:
				if expression, ok := part["expression"].(string); ok {
					metric = searched(expression)
				}
			case string:
				switch part {
				case ".":
					metric = append(metric, last[i])
				case "...":
					named := 0
					for _, rest := range row[i+1:] {
						if _, ok := rest.(string); ok {
							named++
						}
					}
					metric = append(metric, last[:len(last)-named]...)
				default:
					metric = append(metric, part)
				}
			}
		}
		last = metric
		all = append(all, metric)
	}
	return all
}

// searched returns the metric that a search expression of the dashboard finds.
func searched(expression string) []string {
	var namespace, first, second, name, function, statistic string
	var period int
	plain := strings.NewReplacer(`"`, "", ",", " ", "{", "", "}", " ", "MetricName=", "", "SEARCH(", "", ")", "", "'", "").Replace(expression)
	if _, err := fmt.Sscan(plain, &namespace, &first, &second, &name, &function, &statistic, &period); err != nil {
		return []string{expression, err.Error()}
	}
	return []string{namespace, name, first, function, second, "any"}
}
