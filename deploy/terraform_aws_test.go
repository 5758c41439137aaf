package deploy

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// packaged are templates as file() reads them: what `sam package` and tools/stack/package.py write, and files that are no
// packaged template.
var packaged = map[string]string{
	"sam.yaml":      "Resources:\n  Function:\n    Properties:\n      CodeUri: s3://other/0123456789abcdef\n      Handler: bootstrap\n",
	"release.json":  "{\n \"Function\": {\n  \"CodeUri\": \"CODE\",\n  \"Handler\": \"bootstrap\"\n }\n}\n",
	"template.yaml": "      CodeUri: dist/arm64/\n  FunctionErrors:\n    Properties:\n      <<: *alarm\n",
	"other.yaml":    "Resources: {}\n",
}

var requiredOnAWS = map[string]cty.Value{
	"aws_region": cty.StringVal("eu-central-1"), "bucket": cty.StringVal("releases"), "package": cty.StringVal("function.zip"),
	"template": cty.StringVal("sam.yaml"), "project_id": cty.StringVal("0549b4a43100d4f32f51c01c2fe4acdb"), "dds_region": cty.StringVal("cn-north-4"),
	"secret_arn": cty.StringVal("arn:aws:secretsmanager:eu-central-1:123456789012:secret:dds-backup-delete-AbCdEf"), "dry_run": cty.True,
}

func onAWS(more map[string]cty.Value) map[string]cty.Value {
	all := maps.Clone(requiredOnAWS)
	maps.Copy(all, more)
	return all
}

// templateParameters returns the parameters of template.yaml, and whether each has a default.
func templateParameters(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\nParameters:\n")
	section, _, _ = strings.Cut(section, "\nRules:\n")
	parameters := map[string]bool{}
	var last string
	for line := range strings.Lines(section) {
		if m := regexp.MustCompile(`^  (\w+):`).FindStringSubmatch(line); m != nil {
			last = m[1]
			parameters[last] = false
		}
		if strings.HasPrefix(line, "    Default:") {
			parameters[last] = true
		}
	}
	if len(parameters) < 40 {
		t.Fatalf("%d parameters", len(parameters))
	}
	return parameters
}

// ofAWS returns what is wrong with the module of AWS, by its documentation and by the parameters of the template.
func ofAWS(d *documentation, files map[string]string, parameters map[string]bool) []string {
	others := cty.MapVal(map[string]cty.Value{"Monitoring": cty.StringVal("false"), "MemorySize": cty.StringVal("256")})
	inputs := []map[string]cty.Value{requiredOnAWS, onAWS(map[string]cty.Value{
		"template": cty.StringVal("release.json"), "parameters": others, "aws_region": cty.StringVal("cn-north-1"),
	})}
	return generalFaults(d, files, inputs,
		func(note func(string, ...any), _ *module, made map[string][]instance, _, inputs map[string]cty.Value) {
			stack, code, template := made["aws_cloudformation_stack.this"][0], made["aws_s3_object.code"][0], made["aws_s3_object.template"][0]
			given := stack["parameters"].(cty.Value).AsValueMap()
			for name, value := range given {
				if _, ok := parameters[name]; !ok || value.Type() != cty.String {
					note("%s: %#v is no parameter of the template, or no text", name, value)
				}
			}
			for name, hasDefault := range parameters {
				if _, ok := given[name]; !ok && !hasDefault {
					note("%s: required by the template, and not given", name)
				}
			}
			if _, more := inputs["parameters"]; more && given["MemorySize"] != cty.StringVal("256") {
				note("MemorySize is %#v", given["MemorySize"])
			}
			if given["DryRun"] != cty.StringVal("true") {
				note("DryRun is %#v", given["DryRun"])
			}
			if got := stack["capabilities"].(cty.Value); got.LengthInt() != 2 {
				note("the capabilities are %#v", got)
			}
			want := "https://releases.s3.eu-central-1.amazonaws.com/" + template.text("key")
			if inputs["aws_region"] == cty.StringVal("cn-north-1") {
				want = "https://releases.s3.cn-north-1.amazonaws.com.cn/" + template.text("key")
			}
			if stack.text("template_url") != want {
				note("the template is at %s; expected %s", stack.text("template_url"), want)
			}
			address := `"s3://releases/` + code.text("key") + `"`
			if text := template.text("content"); !strings.Contains(text, address) || !strings.Contains(text, "bootstrap") || strings.Contains(text, "other") {
				note("the template is %s; expected the code at %s", text, address)
			}
		})
}

func TestTerraformOfAWS(t *testing.T) {
	for _, fault := range ofAWS(documented(t, "terraform-aws"), sources(t, "terraform-aws"), templateParameters(t)) {
		t.Error(fault)
	}
}

// The variable "parameters" takes each parameter of the template that has no variable of its own, and no other name.
func TestTheModuleOfAWSHasTheParametersOfTheTemplate(t *testing.T) {
	_, list, _ := strings.Cut(sources(t, "terraform-aws")["variables.tf"], "!contains([")
	list, _, _ = strings.Cut(list, "]")
	got := regexp.MustCompile(`\w+`).FindAllString(list, -1)
	var want []string
	for name := range templateParameters(t) {
		if !slices.Contains([]string{"HuaweiCloudSecretArn", "HuaweiCloudProjectId", "DdsRegion", "DryRun"}, name) {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("deploy/terraform-aws/variables.tf has\n%v\nand template.yaml has\n%v", got, want)
	}
}

func TestBadInputsOfAWSAreRefused(t *testing.T) {
	m, err := readModule(terraformFiles(sources(t, "terraform-aws")))
	if err != nil {
		t.Fatal(err)
	}
	text := cty.StringVal
	for _, c := range []struct {
		name  string
		value cty.Value
		want  string // empty if it is fine
	}{
		{"name", text("backups"), ""},
		{"name", text("-"), "1 to 66 letters"},
		{"aws_region", text("cn-north-4x"), "a region of AWS"},
		{"aws_region", text("us-gov-west-1"), ""},
		{"secret_arn", text("arn:aws:secretsmanager:eu-central-1:123456789012:secret:key"), "the whole ARN"},
		{"parameters", cty.MapVal(map[string]cty.Value{"DryRun": text("false")}), "a variable of its own"},
		{"parameters", cty.MapVal(map[string]cty.Value{"dds_rate": text("1")}), "no parameter of the template"},
		{"template", text("template.yaml"), "YAML merges"},
		{"template", text("other.yaml"), "no CodeUri"},
	} {
		_, _, err := m.plan(documented(t, "terraform-aws"), onAWS(map[string]cty.Value{c.name: c.value}))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s = %#v: error %v, want %q", c.name, c.value, err, c.want)
		}
	}
}

// Each check of the module of AWS notices what it is for.
func TestTheChecksOfAWSNotice(t *testing.T) {
	d, parameters := documented(t, "terraform-aws"), templateParameters(t)
	for _, mutant := range []struct{ file, old, new, want string }{
		{"main.tf", "    DdsRegion            = var.dds_region\n", "", "DdsRegion: required"},
		{"main.tf", "HuaweiCloudProjectId =", "HuaweiCloudProject   =", "HuaweiCloudProject"},
		{"main.tf", "tostring(var.dry_run)", "\"false\"", "DryRun is"},
		{"main.tf", "merge(var.parameters, {", "merge({}, {", "MemorySize"},
		{"main.tf", "template_url = ", "template     = ", "template: not documented"},
		{"main.tf", ", \"CAPABILITY_AUTO_EXPAND\"", "", "the capabilities"},
		{"main.tf", "aws_s3_object.template.key", "aws_s3_object.code.key", "the template is at"},
		{"main.tf", "  content = local.template", "  content = file(var.template)", "expected the code"},
		{"README.md", "`dry_run`", "", "dry_run"},
	} {
		files := sources(t, "terraform-aws")
		files[mutant.file] = strings.ReplaceAll(files[mutant.file], mutant.old, mutant.new)
		if all := strings.Join(ofAWS(d, files, parameters), "\n"); !strings.Contains(all, mutant.want) {
			t.Errorf("%q for %q: want %q, got %q", mutant.new, mutant.old, mutant.want, all)
		}
	}
}
