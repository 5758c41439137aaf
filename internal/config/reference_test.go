package config_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/config"
)

//go:generate go test -run ^TestConfigurationPage$ -update .

var update = flag.Bool("update", false, "write the tables of docs/configuration.md")

// row is a row of docs/configuration.md: a variable, or several that belong together.
type row struct {
	names string // with spaces between
	// otherwise follows the default that the code has: what holds without the variable, or who else sets it.
	otherwise string
	example   string
	meaning   string
}

// reference is docs/configuration.md without what the code knows itself: defaults and aliases. It is
// Markdown, by the heading of each table. It is in a test so that no binary carries it.
var reference = []struct {
	table string
	rows  []row
}{
	{"Credentials of Huawei Cloud", []row{
		{"HUAWEICLOUD_SDK_AK HUAWEICLOUD_SDK_SK", "required, unless a token or a secret is set, or FunctionGraph brings keys", "HPUAEXAMPLE",
			"access key and secret key of a Huawei Cloud user"},
		{"HUAWEICLOUD_SDK_SECURITY_TOKEN", "", "gQpjbi1ub3J0aC00…",
			"the security token of a temporary key pair"},
		{"HW_AUTH_TOKEN", "", "MIIEXAMPLE",
			"an IAM token instead of a key pair; it expires after 24 hours"},
		{"HUAWEICLOUD_SECRET_ARN", "", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:huaweicloud-AbCdEf",
			"the ARN of an AWS Secrets Manager secret instead: a JSON object whose members are the variables above or their aliases. It is read at start and again when DDS refuses the key, so a rotated or corrected key needs no redeployment. While it cannot be read, requests are returned to their source, and each invocation tries again. The role needs the permission `secretsmanager:GetSecretValue`"},
	}},
	{"Project, region and addresses", []row{
		{"HUAWEICLOUD_SDK_PROJECT_ID", "looked up in IAM at start by the region's name; while IAM does not answer, requests are returned to their source", "0549b4a43100d4f32f51c01c2fe4acdb",
			"the default project of requests"},
		{"ALLOWED_PROJECTS", "no others", "0549b4a43100d4f32f51c01c2fe4acdb",
			"other projects that a request may name"},
		{"DDS_REGION", "required, or `DDS_ENDPOINT`; without a region, the project id is required", "cn-north-4",
			"the default region of DDS. A region that is not in the published list is logged as a warning"},
		{"ALLOWED_REGIONS", "no others", "eu-west-101,ap-southeast-1",
			"other regions that a request may name. Such a request must name its project too"},
		{"HW_CLOUD", "`myhuaweicloud.com`, and `myhuaweicloud.eu` for `eu-west-1…`", "otc.t-systems.com",
			"the domain of the cloud; addresses are `https://dds.<region>.<domain>`, and the same with `iam` and `smn`"},
		{"DDS_ENDPOINT", "from region and cloud", "https://dds.cn-north-4.myhuaweicloud.com",
			"the address of DDS in the default region, before the next variable"},
		{"HUAWEICLOUD_SDK_REGION_DDS_<REGION>", "from region and cloud", "https://dds.ap-southeast-1.myhuaweicloud.com",
			"the address of DDS in a region, in the name of which `-` becomes `_`, as in the official SDK"},
		{"HUAWEICLOUD_SDK_IAM_ENDPOINT", "from region and cloud", "https://iam.cn-north-4.myhuaweicloud.com",
			"the address of IAM"},
	}},
	{"Deletions", []row{
		{"REQUIRE_MANUAL", "", "true",
			"`true`: look up each backup first and delete only a finished manual one. The template and `cmd/local -real` set it"},
		{"DRY_RUN", "", "true",
			"`true`: check each request, with `REQUIRE_MANUAL` look its backup up, and publish; delete nothing and leave the ledger alone. Outcomes are `dds.backup.deletion.simulated.v1`"},
		{"STOP_DELETIONS", "", "true",
			"`true`: send no DELETE. Every request is returned to its source or kept in the ledger; backups whose deletion was started are still checked, and known outcomes are still replayed. See [the stop switch](runbook.md#stop-everything)"},
		{"DDS_CONCURRENCY", "", "8",
			"the number of deletions at once in each process, 1 to 1000"},
		{"CONNECTIONS_AT_START", "the template sets `BatchSize`", "10",
			"the number of connections opened to DDS and to the ledger while the function starts on demand, 1 to 1000; more than `DDS_CONCURRENCY` counts as that. A sink on AWS gets one for every ten, a topic of SMN up to ten, an `https://` address none. Set it to the size of a batch to keep handshakes out of the first invocation; see [The start](decisions/0007-start.md)"},
		{"DDS_RATE", "the limit of DDS, once it throttles", "0.66",
			"the maximum number of calls per second of each process (each execution environment of a function), 0 to 10000; 0 for no limit except that of DDS"},
	}},
	{"Requests", []row{
		{"REQUEST_TYPE", "", "com.example.backup.expired",
			"the type of the events on a bus or topic, and of the CloudEvents, that are requests"},
		{"REQUEST_SOURCES", "none; the template sets its queue", "arn:aws:sqs:eu-central-1:123456789012:requests",
			"the ARNs, and the URNs of SMN topics, that requests come from; the sink must not be one of them"},
		{"MAX_REQUEST_AGE", "no limit", "36h",
			"the age from which a request is `rejected` (rule `expired`), 1m to 8784h; `0` for no limit. The age counts from the oldest time in the payload, and from the source's own time if the payload has none. A request can also set `expires_at` itself. A message that was moved back from a dead-letter queue is new to SQS: see the [runbook](runbook.md#dead-letters)"},
		{"QUEUE_MAX_RECEIVES", "`0`; the template sets the number of its queue", "10",
			"how often the request queue delivers a message before it moves it to its dead-letter queue, up to 1000: its `maxReceiveCount`. With it, the last receive ends in an outcome or in an `abandoned` event. `0` if it is not known: such a message is only in the dead-letter queue"},
		{"DIRECT_CALLS", "", "async",
			"`async` says that direct calls are asynchronous invocations (`InvocationType: Event`): a request that must wait is kept by the ledger, and the call succeeds. Leave it `sync` if any caller reads the result, because such a caller would take the success for a verdict. Needs a ledger that lasts"},
		{"HTTP_BASE_PATH", "", "/dds",
			"a [prefix](sources.md#http) of the paths of HTTP requests"},
	}},
	{"Outcomes", []row{
		{"OUTCOME_SINK", "in Lambda and FunctionGraph required, or `ALLOW_STDOUT`", "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes",
			"the ARN of an EventBridge bus, an SNS topic or an SQS queue (standard or FIFO), the URN of an [SMN topic](outcomes.md#smn), an `https://` address that accepts CloudEvents, or `stdout`"},
		{"SMN_ENDPOINT", "`https://smn.<region>.<domain>`, where the domain is as for DDS", "https://smn.cn-north-4.myhuaweicloud.com",
			"the address of SMN in the region of the topic. Set it, or `HW_CLOUD`, if `DDS_ENDPOINT` does not name the cloud"},
		{"OUTCOME_SOURCE", "", "backups.example.com",
			"the `source` of events on a bus"},
		{"OUTCOME_HTTP_MODE", "", "binary",
			"the mode of CloudEvents over HTTP: `structured` or `binary`"},
		{"OUTCOME_HTTP_TOKEN", "", "0123456789abcdef",
			"a bearer token for the address"},
		{"OUTCOME_HTTP_SECRET", "", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
			"the secret to [sign](outcomes.md#http) requests to the address with"},
		{"ALLOW_STDOUT", "", "true",
			"`true` allows the sink `stdout` in Lambda and FunctionGraph, where outcomes are then only in the log"},
		{"LEDGER", "the template creates a table", "dynamodb://dds-backup-delete",
			"where outcomes are remembered: `dynamodb://<table>`; [`redis://[<user>[:<password>]@]<host>[:<port>][/<database>][?prefix=<prefix>]`](#a-ledger-in-valkey-or-redis), or `rediss://…` for TLS; or `memory`, which is lost in a crash and not shared with other processes"},
		{"LEDGER_PASSWORD", "", "0123456789abcdef",
			"the password of the user in `LEDGER`, so that it is in no text that is shown or pasted; without a user there, that of the default user. Not both here and in `LEDGER`"},
		{"LEDGER_ALLOW_VOLATILE", "", "true",
			"`true` accepts a server that forgets: one without persistence, or one that evicts keys. It is then a warning at start. In FunctionGraph it also allows `LEDGER=memory`: what an instance knows is lost with it, and most triggers do not deliver again"},
		{"FOLLOW", "the template sets `true`", "true",
			"`true`: follow each deletion to its end, and publish `completed` or `failed`. Needs `REQUIRE_MANUAL`, a `LEDGER` that lasts, and [permissions](permissions.md). A deletion that began while it was `true` is followed to its end even if it is switched off"},
		{"FOLLOW_ALARM_AFTER", "", "4h",
			"how long a deletion may take before it is counted as overdue (metric `FollowOverdue`), 5m to 168h"},
		{"TICK_BUS", "none; the template sets the account's default bus", "arn:aws:events:eu-central-1:123456789012:event-bus/default",
			"the ARN of an EventBridge bus on which a tick that ends with work due asks for the next tick at once. A rule there must invoke the function. Without it, the schedule alone drives the agenda"},
		{"METRICS", "`emf` in Lambda, `none` elsewhere", "none",
			"`emf` writes metrics to the log in CloudWatch's embedded metric format; `none` writes none"},
	}},
	{"Network", []row{
		{"HTTPS_PROXY HTTP_PROXY https_proxy http_proxy", "", "http://proxy.example.com:3128",
			"the proxy for calls; calls to loopback addresses never use it"},
		{"NO_PROXY no_proxy", "", "169.254.169.254,.example.com",
			"the hosts that bypass the proxy"},
		{"AWS_CA_BUNDLE", "", "/var/task/ca.pem",
			"a PEM file of the certificate authorities for AWS calls instead of the system's, as in every AWS SDK. Calls to DDS, IAM and an HTTP sink do not use it"},
		{"SSL_CERT_FILE", "", "/var/task/ca.pem",
			"a PEM file of the certificate authorities for all other calls, and for AWS calls if `AWS_CA_BUNDLE` is not set"},
	}},
	{"AWS", []row{
		{"AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN", "", "ASIAEXAMPLE",
			"the keys that AWS calls are signed with"},
		{"AWS_REGION", "", "eu-central-1",
			"the region of the ledger's table"},
		{"AWS_LAMBDA_FUNCTION_NAME", "", "dds-backup-delete",
			"the dimension of metrics"},
		{"AWS_LAMBDA_RUNTIME_API", "", "127.0.0.1:9001",
			"if set, the program runs in Lambda"},
		{"AWS_LAMBDA_LOG_FORMAT", "", "JSON",
			"with `JSON`, log lines are JSON; otherwise text"},
		{"AWS_LAMBDA_LOG_LEVEL", "none, which means `INFO`", "INFO",
			"the lowest level of log lines: `DEBUG`, `INFO`, `WARN` or `ERROR`"},
		{"AWS_LAMBDA_INITIALIZATION_TYPE", "", "on-demand",
			"if it is `on-demand`, connections are opened at start"},
		{"AWS_ENDPOINT_URL", "AWS's own", "http://127.0.0.1:4566",
			"the address of all AWS services, as in every AWS SDK"},
		{"AWS_ENDPOINT_URL_EVENTBRIDGE AWS_ENDPOINT_URL_SNS AWS_ENDPOINT_URL_SQS AWS_ENDPOINT_URL_DYNAMODB AWS_ENDPOINT_URL_SECRETS_MANAGER", "`AWS_ENDPOINT_URL`", "http://127.0.0.1:4566",
			"the address of one AWS service"},
	}},
	{"FunctionGraph", []row{
		{"RUNTIME_API_ADDR", "", "127.0.0.1:9002",
			"the runtime API: the program is a custom runtime. Without it, the program is an HTTP server"},
		{"RUNTIME_FUNC_NAME", "", "dds-backup-delete",
			"the name of the function"},
		{"RUNTIME_PROJECT_ID", "", "0549b4a43100d4f32f51c01c2fe4acdb",
			"the project of the function, and the default project of requests"},
		{"RUNTIME_TIMEOUT", "", "60",
			"the timeout of the function in seconds, 1 to 259200. It counts from the receipt of an invocation; a synchronous one has 90 s at most, because then the gateway gives up"},
		{"RUNTIME_MEMORY", "", "128",
			"the memory of an instance in MB. From half of it on, the garbage collector works harder, unless `GOMEMLIMIT` is set"},
		{"RUNTIME_CPU", "", "300",
			"the share of an instance in thousandths of a CPU. The program uses as many threads, rounded up"},
		{"FUNCTION_TYPE", "", "http",
			"`event`: each trigger's event is an invocation; as a container image, `POST /invoke` on all addresses of the instance. `http`: an HTTP function, whose calls are those of the [HTTP API](sources.md#http), on 127.0.0.1"},
		{"FUNCTION_PORT", "", "18000",
			"the port of the HTTP server, which FunctionGraph expects at 8000; another one is for tests"},
	}},
}

// The tables of docs/configuration.md are those of the code: `go generate ./internal/config` writes them.
func TestConfigurationPage(t *testing.T) {
	const file = "../../docs/configuration.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	defaults, missing := config.Variables(), config.Variables()
	for _, group := range reference {
		table := "| variable | meaning | default | example |\n|---|---|---|---|\n"
		for _, r := range group.rows {
			names := strings.Fields(r.names)
			for _, name := range names {
				if _, known := missing[name]; !known {
					t.Errorf("%s: the program does not read it, or it has two rows", name)
				}
				delete(missing, name)
			}
			table += "| " + quoted(names) + " | " + r.meaning + " | " + defaultOf(defaults[names[0]], r.otherwise) + " | `" + r.example + "` |\n"
		}
		page = replaceTable(t, page, group.table, table)
	}
	aliases := "| variable | terraform | OpenStack |\n|---|---|---|\n"
	for _, names := range config.Aliases() {
		var terraform, others []string
		for _, name := range names[1:] {
			delete(missing, name)
			if strings.HasPrefix(name, "HW_") {
				terraform = append(terraform, name)
			} else {
				others = append(others, name)
			}
		}
		aliases += "| " + quoted(names[:1]) + " | " + quoted(terraform) + " | " + strings.ReplaceAll(quoted(others), ", ", ", then ") + " |\n"
	}
	page = replaceTable(t, page, "Aliases", aliases)
	for name := range missing {
		t.Errorf("%s has no row in reference", name)
	}
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(page, "\n")); diff != "" {
		t.Errorf("docs/configuration.md (-page +code); run go generate ./internal/config\n%s", diff)
	}
}

// quoted returns names as Markdown.
func quoted(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}

// defaultOf returns what the page says of a default: the value that the code has, and the words beside it.
func defaultOf(value, otherwise string) string {
	if value == "" && otherwise == "" {
		return "none"
	}
	if value != "" {
		value = "`" + value + "`"
	}
	return strings.Join(slices.DeleteFunc([]string{value, otherwise}, func(s string) bool { return s == "" }), "; ")
}

// replaceTable replaces what is between the markers of a table.
func replaceTable(t *testing.T, page, name, table string) string {
	t.Helper()
	begin, end := "<!-- table: "+name+" -->\n\n", "\n<!-- end of table -->\n"
	before, rest, begun := strings.Cut(page, begin)
	_, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("docs/configuration.md has no table %q between markers", name)
	}
	return before + begin + table + end + after
}
