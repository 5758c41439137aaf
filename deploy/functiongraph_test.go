// Package deploy holds the Terraform modules of this folder against what is known: the documentation of the
// providers, which cannot be had here, the configuration of the program, the decoder of its events, and the template of
// AWS. The modules were never applied.
package deploy

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/event"
)

// documentation is an extract of the documentation of a provider, in testdata.
type documentation struct {
	Provider      struct{ Source, Version string }
	Configuration page
	Resources     map[string]page
	EventData     struct {
		Triggers map[string]map[string]any
	} `json:"event_data"`
	Metrics struct {
		Namespace, Dimension string
		Names                []string
	}
}

// page is what the documentation of a resource says. An argument is a text, or a map of arguments for a nested block.
type page struct {
	Arguments            map[string]any
	Attributes, Requires []string
}

func documented(t *testing.T, module string) *documentation {
	t.Helper()
	d := new(documentation)
	text, err := os.ReadFile("testdata/" + module + ".json")
	if err == nil {
		err = json.Unmarshal(text, d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sources(t *testing.T, module string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(module + "/*.tf")
	if err != nil || len(names) < 3 {
		t.Fatalf("%v, error %v", names, err)
	}
	files := map[string]string{}
	for _, name := range append(names, module+"/README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(text)
	}
	return files
}

// required are the variables without a default.
var required = map[string]cty.Value{
	"region": cty.StringVal("cn-north-4"), "vpc_id": cty.StringVal("vpc"), "subnet_id": cty.StringVal("subnet"),
	"ledger": cty.StringVal("rediss://192.168.0.10:6379/0"), "ledger_password": cty.StringVal(""),
}

// with returns the required variables and others.
func with(more map[string]cty.Value) map[string]cty.Value {
	all := maps.Clone(required)
	maps.Copy(all, more)
	return all
}

const ownTopic = "urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:own-"

// everything switches all options on.
func everything() map[string]cty.Value {
	subscriptions := cty.TupleVal([]cty.Value{
		cty.ObjectVal(map[string]cty.Value{"protocol": cty.StringVal("email"), "endpoint": cty.StringVal("dba@example.com")}),
		cty.ObjectVal(map[string]cty.Value{"protocol": cty.StringVal("https"), "endpoint": cty.StringVal("https://example.com/outcomes")}),
	})
	return with(map[string]cty.Value{
		"project_name": cty.StringVal("cn-north-4_backups"), "apig_instance_id": cty.StringVal("gateway"), "http_base_path": cty.StringVal("/dds"),
		"kafka": cty.ObjectVal(map[string]cty.Value{
			"instance_id": cty.StringVal("kafka"), "topic_ids": cty.TupleVal([]cty.Value{cty.StringVal("requests")}), "user": cty.StringVal("function"),
		}),
		"kafka_password": cty.StringVal("kafka-password"), "timeout": cty.NumberIntVal(120),
		"ledger": cty.StringVal("rediss://ledger@192.168.0.10"), "ledger_password": cty.StringVal("ledger-password"),
		"request_topic_urn": cty.StringVal(ownTopic + "requests"), "outcome_topic_urn": cty.StringVal(ownTopic + "outcomes"),
		"outcome_subscriptions": subscriptions, "alarm_subscriptions": subscriptions,
	})
}

func TestTerraform(t *testing.T) {
	for _, fault := range faults(documented(t, "functiongraph"), sources(t, "functiongraph"), configuration(t)) {
		t.Error(fault)
	}
}

// Each check notices what it is for.
func TestTheChecksNotice(t *testing.T) {
	d, vars := documented(t, "functiongraph"), configuration(t)
	for _, mutant := range []struct{ file, old, new, want string }{
		{"main.tf", "memory_size           = var.memory_size\n", "", "memory_size: required"},
		{"main.tf", "  network_id = var.subnet_id", "  subnet_id  = var.subnet_id", "subnet_id: not documented"},
		{"main.tf", "  metric {", "  metrics {", "metrics: not documented"},
		{"main.tf", "    comparison_operator = \">=\"", "    comparison_operator = \"=>\"", "comparison_operator: \"=>\""},
		{"main.tf", "    period              = 300", "    period              = 60", "period: \"60\""},
		{"main.tf", "    metric_name         = each.value.metric\n", "", "metric_name: required"},
		{"main.tf", "\"maxDuration\"", "\"max_duration\"", "max_duration is not a metric"},
		{"main.tf", "\"package-functionname\"", "\"function\"", "the dimension"},
		{"main.tf", "type         = \"TIMER\"", "type         = \"TIME\"", "type: \"TIME\""},
		{"main.tf", "    schedule      =", "    interval      =", "interval: not documented"},
		{"main.tf", "    topic_ids      = var.kafka.topic_ids", "    topic_ids      = \"a\"", "topic_ids"},
		{"main.tf", "huaweicloud_lts_group.this.group_name", "huaweicloud_lts_group.this.name", "Unsupported attribute"},
		{"main.tf", "var.stop_deletions", "var.stop", "Unsupported attribute"},
		{"main.tf", "    FOLLOW             = tostring(var.follow)", "    FOLOW              = tostring(var.follow)", "FOLOW is not a variable"},
		{"main.tf", "tostring(var.dry_run)", "var.dry_run", "DRY_RUN: not a string"},
		{"main.tf", "dds.backup.agenda.tick.v1", "dds.backup.agenda.tick.v2", "not the tick"},
		{"main.tf", "      \"vpc:vpcs:get\",\n", "", "the agency may"},
		{"main.tf", "\"dds:backup:delete\"", "\"dds:backup:*\"", "the agency may"},
		{"main.tf", "REQUEST_SOURCES    = local.request_topic", "REQUEST_SOURCES    = \"\"", "REQUEST_SOURCES"},
		{"main.tf", "OUTCOME_SINK       = local.outcome_topic", "OUTCOME_SINK       = huaweicloud_smn_topic.alarms.topic_urn", "OUTCOME_SINK"},
		{"main.tf", ">= 1.78.5, < 2.0.0", ">= 1.70.0", "the version"},
		{"main.tf", "  type        = \"XA\" # ", "  type = \"XA\" # ", "not formatted"},
		{"variables.tf", "  description = \"Seconds that an invocation may take.\"\n", "", "variable timeout: no description"},
		{"variables.tf", "variable \"timeout\" {", "variable \"unused\" {\n  description = \"\"\n  type        = string\n}\n\nvariable \"timeout\" {", "unused: not used"},
		{"variables.tf", "  sensitive   = true\n", "", "not sensitive"},
		{"outputs.tf", "huaweicloud_fgs_function.this.urn", "huaweicloud_fgs_function.that.urn", "Unsupported attribute"},
		{"README.md", "`max_instances`", "", "README.md: max_instances"},
	} {
		files := sources(t, "functiongraph")
		if !strings.Contains(files[mutant.file], mutant.old) {
			t.Errorf("%s has no %q", mutant.file, mutant.old)
			continue
		}
		files[mutant.file] = strings.ReplaceAll(files[mutant.file], mutant.old, mutant.new)
		if all := strings.Join(faults(d, files, vars), "\n"); !strings.Contains(all, mutant.want) {
			t.Errorf("%q for %q: want %q, got %q", mutant.new, mutant.old, mutant.want, all)
		}
	}
}

// What would fail late, or open too much, is refused.
func TestBadInputsAreRefused(t *testing.T) {
	d := documented(t, "functiongraph")
	m, err := readModule(terraformFiles(sources(t, "functiongraph")))
	if err != nil {
		t.Fatal(err)
	}
	text, number := cty.StringVal, cty.NumberIntVal
	for _, c := range []struct {
		more map[string]cty.Value
		want string // empty if it is fine
	}{
		{nil, ""},
		{map[string]cty.Value{"region": text("cn_north")}, "name of a region"},
		{map[string]cty.Value{"cloud": text("https://myhuaweicloud.com")}, "must be a domain"},
		{map[string]cty.Value{"name": text("a b")}, "3 to 40 letters"},
		{map[string]cty.Value{"ledger": text("memory")}, "must be rediss://"},
		{map[string]cty.Value{"ledger": text("")}, "must be rediss://"},
		{map[string]cty.Value{"ledger": text("rediss://ledger:password@192.168.0.10")}, "without a password"},
		{map[string]cty.Value{"ledger": text("redis://valkey.example.com/3?prefix=backups")}, ""},
		{map[string]cty.Value{"ledger": text("rediss://ledger@192.168.0.10")}, "must be that user's password"},
		{map[string]cty.Value{"follow_alarm_after": text("4m")}, "5m to 168h"},
		{map[string]cty.Value{"max_request_age": text("2 days")}, "a duration"},
		{map[string]cty.Value{"dds_rate": text("fast")}, "a number"},
		{map[string]cty.Value{"request_topic_urn": text("requests")}, "URN of a topic"},
		{map[string]cty.Value{"outcome_topic_urn": text("arn:aws:sns:eu-central-1:123456789012:outcomes")}, "URN of a topic"},
		{map[string]cty.Value{"request_topic_urn": text(ownTopic + "a"), "outcome_topic_urn": text(ownTopic + "a")}, "outcomes would come in as requests"},
		{map[string]cty.Value{"request_topic_urn": text(ownTopic + "a"), "outcome_topic_urn": text(ownTopic + "b")}, ""},
		{map[string]cty.Value{"require_manual": cty.False}, "follow needs require_manual"},
		{map[string]cty.Value{"require_manual": cty.False, "follow": cty.False}, ""},
		{map[string]cty.Value{"request_type": text("a type")}, "printable"},
		{map[string]cty.Value{"tick_minutes": number(7)}, "tick_minutes must be"},
		{map[string]cty.Value{"apig_auth": text("NONE")}, "IAM or APP"},
		{map[string]cty.Value{"http_base_path": text("/v3/p")}, "none of the API's own"},
		{map[string]cty.Value{"http_base_path": text("/a/../b")}, "none of the API's own"},
		{map[string]cty.Value{"kafka": cty.ObjectVal(map[string]cty.Value{"instance_id": text("k"), "topic_ids": cty.EmptyTupleVal})}, "one topic or more"},
		{map[string]cty.Value{"outcome_subscriptions": cty.TupleVal([]cty.Value{
			cty.ObjectVal(map[string]cty.Value{"protocol": text("http"), "endpoint": text("http://example.com")}),
		})}, "email or https"},
		{map[string]cty.Value{"alarm_subscriptions": cty.TupleVal([]cty.Value{
			cty.ObjectVal(map[string]cty.Value{"protocol": text("fax"), "endpoint": text("1")}),
		})}, "email or https"},
		{map[string]cty.Value{"memory_size": number(100)}, "memory_size must be"},
		{map[string]cty.Value{"timeout": number(3)}, "10 to 900"},
		{map[string]cty.Value{"max_instances": number(-1)}, "0 to 1000"},
		{map[string]cty.Value{"async_retries": number(4)}, "0 to 3"},
		{map[string]cty.Value{"async_max_age": number(90000)}, "60 to 86400"},
		{map[string]cty.Value{"log_retention_days": number(0)}, "1 to 365"},
	} {
		_, _, err := m.plan(d, with(c.more))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: error %v, want %q", c.more, err, c.want)
		}
	}
	for name := range required {
		inputs := maps.Clone(required)
		delete(inputs, name)
		if _, _, err := m.plan(d, inputs); err == nil || !strings.Contains(err.Error(), "variable "+name+": required") {
			t.Errorf("without %s: error %v", name, err)
		}
	}
}

// The program starts with the environment that the module gives it.
func TestTheConfigurationIsTaken(t *testing.T) {
	tls := httptest.NewTLSServer(nil)
	defer tls.Close()
	authority := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AddCert(tls.Certificate())
	full := everything()
	full["ledger_ca"] = cty.StringVal(authority)
	m, err := readModule(terraformFiles(sources(t, "functiongraph")))
	if err != nil {
		t.Fatal(err)
	}
	for name, inputs := range map[string]map[string]cty.Value{"defaults": required, "everything": full} {
		t.Run(name, func(t *testing.T) {
			made, _, err := m.plan(documented(t, "functiongraph"), inputs)
			if err != nil {
				t.Fatal(err)
			}
			function := made["huaweicloud_fgs_function.this"][0]
			for _, argument := range []string{"user_data", "encrypted_user_data"} {
				environment, err := function.object(argument)
				if err != nil {
					t.Fatal(err)
				}
				for name, value := range environment {
					t.Setenv(name, fmt.Sprint(value))
				}
			}
			t.Setenv("RUNTIME_API_ADDR", "127.0.0.1:9002")
			t.Setenv("RUNTIME_PROJECT_ID", "0549b4a43100d4f32f51c01c2fe4acdb")
			t.Setenv("RUNTIME_TIMEOUT", "30")
			c, err := config.Load()
			if err != nil {
				t.Fatal(err)
			}
			if !c.RequireManual || !c.Follow || c.DryRun || c.StopDeletions || !c.Ledger.Durable || c.Region != "cn-north-4" || c.FunctionGraph == nil ||
				name == "everything" && !c.Ledger.Server.Roots.Equal(authorities) {
				t.Errorf("%+v", c)
			}
		})
	}
}

// A region of the European cloud has another domain, without a setting.
func TestTheDomainFollowsTheRegion(t *testing.T) {
	m, err := readModule(terraformFiles(sources(t, "functiongraph")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ region, cloud, want string }{
		{"cn-north-4", "", "myhuaweicloud.com"},
		{"eu-west-0", "", "myhuaweicloud.com"},
		{"eu-west-101", "", "myhuaweicloud.eu"},
		{"eu-west-101", "example.com", "example.com"},
	} {
		inputs := map[string]cty.Value{"region": cty.StringVal(c.region)}
		if c.cloud != "" {
			inputs["cloud"] = cty.StringVal(c.cloud)
		}
		made, _, err := m.plan(documented(t, "functiongraph"), with(inputs))
		if err != nil {
			t.Fatal(err)
		}
		environment, err := made["huaweicloud_fgs_function.this"][0].object("user_data")
		if err != nil || environment["HW_CLOUD"] != c.want {
			t.Errorf("%+v: HW_CLOUD %v, error %v", c, environment["HW_CLOUD"], err)
		}
	}
}

// configuration returns the variables that docs/configuration.md has. A test there holds it against the program.
func configuration(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[A-Z_`, ]+) \\|").FindAllStringSubmatch(string(text), -1) {
		for _, name := range regexp.MustCompile("[A-Z_]+").FindAllString(row[1], -1) {
			names[name] = true
		}
	}
	if len(names) < 40 {
		t.Fatalf("docs/configuration.md has %d variables", len(names))
	}
	return names
}

func terraformFiles(files map[string]string) map[string]string {
	only := maps.Clone(files)
	delete(only, "README.md")
	return only
}

// faults returns what is wrong with the module.
func faults(d *documentation, files map[string]string, variables map[string]bool) []string {
	return generalFaults(d, files, []map[string]cty.Value{required, everything()},
		func(note func(string, ...any), m *module, made map[string][]instance, outputs, inputs map[string]cty.Value) {
			for name, v := range outputs {
				if v.Type() != cty.String && !v.IsNull() {
					note("output %s: not a string", name)
				}
			}
			checkTriggers(note, d, made, m)
			checkMetrics(note, d, made["huaweicloud_ces_alarmrule.this"])
			checkFunction(note, made, variables, inputs)
		})
}

// generalFaults returns what is wrong with a module by the documentation of its provider, and by a check of each plan.
func generalFaults(
	d *documentation, files map[string]string, inputs []map[string]cty.Value,
	check func(note func(string, ...any), m *module, made map[string][]instance, outputs, inputs map[string]cty.Value),
) []string {
	var all []string
	note := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for name, text := range terraformFiles(files) {
		if string(hclwrite.Format([]byte(text))) != text {
			note("%s: not formatted as terraform fmt does", name)
		}
	}
	m, err := readModule(terraformFiles(files))
	if err != nil {
		return append(all, err.Error())
	}
	m.declarations(note, d, files["README.md"])
	checkNames(note, "provider", m.provider.Body, d.Configuration.Arguments, nil)
	for name, b := range m.resources {
		page := d.Resources[b.Labels[0]]
		checkNames(note, name, b.Body, page.Arguments, append(page.Requires, "lifecycle", "count", "for_each", "depends_on"))
	}
	for _, inputs := range inputs {
		made, outputs, err := m.plan(d, inputs)
		if err != nil {
			note("%v", err)
			continue
		}
		for name, all := range made {
			for _, i := range all {
				checkValues(note, name, i, d.Resources[m.resources[name].Labels[0]].Arguments)
			}
		}
		check(note, m, made, outputs, inputs)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// declarations checks variables, outputs and locals, and the version of the provider.
func (m *module) declarations(note func(string, ...any), d *documentation, readme string) {
	used := map[string]bool{}
	for _, body := range m.bodies {
		for _, b := range body.Blocks {
			_ = hclsyntax.VisitAll(b, func(node hclsyntax.Node) hcl.Diagnostics {
				if e, ok := node.(*hclsyntax.ScopeTraversalExpr); ok && len(e.Traversal) > 1 {
					if attribute, ok := e.Traversal[1].(hcl.TraverseAttr); ok {
						name := e.Traversal.RootName() + "." + attribute.Name
						used[name] = used[name] || b.Type != "variable" // its own validation is no use
					}
				}
				return nil
			})
		}
	}
	for kind, blocks := range map[string]map[string]*hclsyntax.Block{"variable": m.variables, "output": m.outputs} {
		for name, b := range blocks {
			if b.Body.Attributes["description"] == nil {
				note("%s %s: no description", kind, name)
			}
			if !strings.Contains(readme, "`"+name+"`") {
				note("README.md: %s %s is missing", name, kind)
			}
		}
	}
	for name, b := range m.variables {
		if !used["var."+name] {
			note("variable %s: not used", name)
		}
		if b.Body.Attributes["type"] == nil {
			note("variable %s: no type", name)
		}
		if strings.HasSuffix(name, "password") && b.Body.Attributes["sensitive"] == nil {
			note("variable %s: not sensitive", name)
		}
	}
	for name := range m.locals {
		if !used["local."+name] {
			note("local %s: not used", name)
		}
	}
	settings, err := evaluate(nil, m.settings.Body)
	if err != nil {
		note("terraform: %v", err)
	}
	for _, providers := range blocks(settings, "required_providers") {
		for name, provider := range providers {
			wanted, ok := provider.(cty.Value)
			if !ok || name != filepath.Base(d.Provider.Source) {
				note("the provider %s", name)
				continue
			}
			source, version := wanted.GetAttr("source").AsString(), wanted.GetAttr("version").AsString()
			if source != d.Provider.Source || !strings.HasPrefix(version, ">= "+d.Provider.Version+", < ") {
				note("the version of %s is %s, and the documentation is that of %s", source, version, d.Provider.Version)
			}
		}
	}
}

// checkNames holds the names of arguments and blocks against the documented ones. The others are Terraform's own, or
// blocks that are required.
func checkNames(note func(string, ...any), where string, body *hclsyntax.Body, arguments map[string]any, others []string) {
	has := map[string]bool{}
	for name := range body.Attributes {
		has[name] = true
		if _, ok := arguments[name].(string); !ok && !slices.Contains(others, name) {
			note("%s: %s: not documented as an argument", where, name)
		}
	}
	for _, b := range body.Blocks {
		has[b.Type] = true
		block, ok := arguments[b.Type].(map[string]any)
		switch {
		case ok:
			checkNames(note, where+"."+b.Type, b.Body, block, nil)
		case b.Type != "lifecycle":
			note("%s: %s: not documented as a block", where, b.Type)
		}
	}
	for name, a := range arguments {
		text, _ := a.(string)
		if (strings.HasPrefix(text, "required ") || slices.Contains(others, name)) && !has[name] {
			note("%s: %s: required", where, name)
		}
	}
}

// checkValues holds values against the documented types, values and ranges.
func checkValues(note func(string, ...any), where string, i instance, arguments map[string]any) {
	for name, v := range i {
		switch v := v.(type) {
		case []instance:
			for _, block := range v {
				arguments, _ := arguments[name].(map[string]any)
				checkValues(note, where+"."+name, block, arguments)
			}
		case cty.Value:
			argument, _ := arguments[name].(string)
			checkValue(note, where+": "+name, v, argument)
		}
	}
}

func checkValue(note func(string, ...any), where string, v cty.Value, argument string) {
	parts := strings.Fields(argument)
	if len(parts) < 2 || v.IsNull() {
		return // not documented, which checkNames says; or left out
	}
	var fits bool
	var text string
	switch kind := v.Type(); parts[1] {
	case "String":
		if fits = kind == cty.String; fits {
			text = v.AsString()
		}
	case "Int", "Float":
		if fits = kind == cty.Number && (parts[1] == "Float" || v.AsBigFloat().IsInt()); fits {
			text = v.AsBigFloat().Text('f', -1)
		}
	case "Bool":
		fits = kind == cty.Bool
	case "List":
		fits = kind.IsTupleType() || kind.IsListType() || kind.IsSetType()
	case "Map":
		fits = kind.IsObjectType() || kind.IsMapType()
	}
	if !fits {
		note("%s: %#v; expected %s", where, v, argument)
	}
	if len(parts) < 3 || !fits {
		return
	}
	if from, to, isRange := strings.Cut(parts[2], ".."); isRange {
		low, high := number(from), number(to)
		n, _ := new(big.Float).SetString(text)
		if fits = n.Cmp(low) >= 0 && n.Cmp(high) <= 0; !fits {
			note("%s: %q; expected %s", where, text, argument)
		}
	} else if !slices.Contains(strings.Split(parts[2], "|"), text) {
		note("%s: %q; expected %s", where, text, argument)
	}
}

func number(text string) *big.Float {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return new(big.Float).SetInt64(n)
}

// checkTriggers holds the event data against the documented one, and gives the tick to the program's own decoder.
func checkTriggers(note func(string, ...any), d *documentation, made map[string][]instance, m *module) {
	for name, all := range made {
		if m.resources[name].Labels[0] != "huaweicloud_fgs_function_trigger" {
			continue
		}
		for _, i := range all {
			data, err := i.object("event_data")
			if err != nil {
				note("%s: event_data: %v", name, err)
				continue
			}
			checkEventData(note, name, data, d.EventData.Triggers[i.text("type")])
			if i.text("type") != "TIMER" {
				continue
			}
			fired, _ := json.Marshal(map[string]any{
				"version": "v1.0", "time": "2026-11-24T05:00:00+08:00", "trigger_type": "TIMER", "trigger_name": data["name"], "user_event": data["user_event"],
			})
			if batch, err := new(event.Decoder).Decode(fired, event.Invocation{ID: "1"}); err != nil || !batch.Tick || len(batch.Requests) > 0 {
				note("%s: %s is not the tick: %+v, error %v", name, fired, batch, err)
			}
		}
	}
}

func checkEventData(note func(string, ...any), where string, data, arguments map[string]any) {
	for name, v := range data {
		switch argument := arguments[name].(type) {
		case string:
			switch v := v.(type) {
			case string:
				checkValue(note, where+": "+name, cty.StringVal(v), argument)
			case json.Number:
				n, _ := new(big.Float).SetString(v.String())
				checkValue(note, where+": "+name, cty.NumberVal(n), argument)
			case bool:
				checkValue(note, where+": "+name, cty.BoolVal(v), argument)
			case []any:
				checkValue(note, where+": "+name, cty.EmptyTupleVal, argument)
			}
		case map[string]any:
			inner, _ := v.(map[string]any)
			checkEventData(note, where+"."+name, inner, argument)
		default:
			note("%s: %s: not documented", where, name)
		}
	}
	for name, a := range arguments {
		text, _ := a.(string)
		if _, has := data[name]; strings.HasPrefix(text, "required ") && !has {
			note("%s: %s: required", where, name)
		}
	}
}

// checkMetrics holds the alarms against the metrics that FunctionGraph has.
func checkMetrics(note func(string, ...any), d *documentation, alarms []instance) {
	if len(alarms) == 0 {
		note("there is no alarm")
	}
	for _, alarm := range alarms {
		for _, condition := range blocks(alarm, "condition") {
			if name := condition.text("metric_name"); !slices.Contains(d.Metrics.Names, name) {
				note("%s is not a metric", name)
			}
		}
		for _, metric := range blocks(alarm, "metric") {
			if metric.text("namespace") != d.Metrics.Namespace {
				note("the namespace of metrics is %s", metric.text("namespace"))
			}
		}
		for _, resource := range blocks(alarm, "resources") {
			for _, dimension := range blocks(resource, "dimensions") {
				if dimension.text("name") != d.Metrics.Dimension || dimension.text("value") != "default-dds-backup-delete" {
					note("the dimension of metrics is %s %s", dimension.text("name"), dimension.text("value"))
				}
			}
		}
	}
}

func blocks(i instance, name string) []instance {
	all, _ := i[name].([]instance)
	return all
}

// actions are all that the agency may do. Another action needs a reason, and a line here.
var actions = []string{
	"dds:backup:delete", "dds:backup:list", "dds:task:getDetail", "smn:topic:publish",
	"vpc:ports:create", "vpc:ports:delete", "vpc:ports:get", "vpc:subnets:get", "vpc:vpcs:get",
}

// checkFunction checks what the function gets: its environment and its permissions.
func checkFunction(note func(string, ...any), made map[string][]instance, variables map[string]bool, inputs map[string]cty.Value) {
	function := made["huaweicloud_fgs_function.this"][0]
	characters := 0
	environment := map[string]any{}
	for _, argument := range []string{"user_data", "encrypted_user_data"} {
		data, err := function.object(argument)
		if err != nil {
			note("%s: %v", argument, err)
		}
		for name, value := range data {
			text, ok := value.(string)
			if !ok {
				note("%s: not a string", name)
			}
			if !variables[name] {
				note("%s is not a variable of the program", name)
			}
			if secret := name == "LEDGER_PASSWORD"; secret != (argument == "encrypted_user_data") {
				note("%s is in %s", name, argument)
			}
			characters += len(name) + len(text)
			environment[name] = text
		}
	}
	if characters > 4096 || len(environment) > 20 { // FunctionGraph's limits
		note("%d variables of %d characters", len(environment), characters)
	}
	requests, outcomes := made["huaweicloud_fgs_function_trigger.requests"][0], "urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:outcomes"
	if own, ok := inputs["outcome_topic_urn"]; ok {
		outcomes = own.AsString()
	}
	if data, _ := requests.object("event_data"); environment["REQUEST_SOURCES"] != data["topic_urn"] {
		note("REQUEST_SOURCES is %v, and the trigger has %v", environment["REQUEST_SOURCES"], data["topic_urn"])
	}
	if environment["OUTCOME_SINK"] != outcomes {
		note("OUTCOME_SINK is %v; expected %s", environment["OUTCOME_SINK"], outcomes)
	}

	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(made["huaweicloud_identity_role.this"][0].text("policy")), &policy); err != nil || len(policy.Statement) != 1 {
		note("policy: %+v, error %v", policy, err)
		return
	}
	want := slices.Clone(actions)
	if _, ok := inputs["kafka"]; ok {
		want = append(want, "dms:instance:get")
	}
	if got := policy.Statement[0].Action; !slices.Equal(got, want) {
		note("the agency may %v; expected %v", got, want)
	}
}
