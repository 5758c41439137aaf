package measure

const connectionsAtStart = "CONNECTIONS_AT_START"

// template are the variables that template.yaml sets for this project with its defaults. What a
// row varies, LEDGER, REQUIRE_MANUAL and FOLLOW, is in [Setting], and may follow in the environment; the
// key pair comes from variables, since to read the secret is one more call at the start for
// everybody. A test holds it against template.yaml.
var template = []string{
	"REQUEST_SOURCES=" + queue,
	"REQUEST_TYPE=dds.backup.deletion.requested.v1",
	"HW_CLOUD=", "DRY_RUN=false", "ALLOWED_PROJECTS=", "ALLOWED_REGIONS=", "DDS_RATE=", "HTTP_BASE_PATH=",
	"STOP_DELETIONS=false", "MAX_REQUEST_AGE=", "QUEUE_MAX_RECEIVES=10", "DIRECT_CALLS=sync", "FOLLOW_ALARM_AFTER=2h",
	"TICK_BUS=arn:aws:events:eu-central-1:123456789012:event-bus/default", // nothing is due, so no tick is asked for
	connectionsAtStart + "=10", // as many as BatchSize
	"DDS_CONCURRENCY=32", "OUTCOME_HTTP_MODE=structured", "OUTCOME_HTTP_TOKEN=", "OUTCOME_HTTP_SECRET=",
}
