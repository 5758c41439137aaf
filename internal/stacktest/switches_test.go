package stacktest_test

import (
	"encoding/json"
	"testing"
)

// A stack that an operator stopped stays stopped after any deployment, because the template does not set the runbook's switches.
func TestStopSurvivesADeployment(t *testing.T) {
	const name = "stopped"
	first, err := deploy(t, name, "Monitoring=false")
	if err != nil {
		t.Fatal(err)
	}
	// An update with new code and with other settings of the mapping and of the function.
	second, err := deploy(t, name, "Monitoring=false", "BatchSize=5", "LogLevel=DEBUG", "DdsRate=2")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*stack{first, second} {
		if len(s.Mappings) != 1 || s.Mappings[0].State != "Disabled" || s.Concurrency == nil || *s.Concurrency != 0 {
			t.Errorf("%s: mappings %+v, reserved concurrency %v; want both stopped", s.Stack, s.Mappings, s.Concurrency)
		}
		for name, rule := range s.Rules {
			if rule.State != "DISABLED" {
				t.Errorf("%s: rule %s is %s", s.Stack, name, rule.State)
			}
		}
	}
	if second.Stack != "UPDATE_COMPLETE" || second.Mappings[0].UUID != first.Mappings[0].UUID || second.Mappings[0].BatchSize != 5 ||
		second.Function.Environment.Variables["DDS_RATE"] != "2" {
		t.Errorf("the second deployment changed nothing: %+v, %v", second.Mappings, second.Function.Environment.Variables)
	}
	for resource, property := range map[string]string{
		"FunctionRequests": "Enabled", "Function": "ReservedConcurrentExecutions", "TickSchedule": "State", "NextTickRule": "State",
	} {
		if value, set := second.Template.Resources[resource].Properties[property]; set {
			t.Errorf("the template sets %s of %s to %v", property, resource, value)
		}
	}
}

// Each deployment sets DryRun to the value in the saved file. A deployment without the parameter keeps its value.
func TestDryRunSurvivesADeployment(t *testing.T) {
	const name = "dry"
	for _, saved := range [][]string{{"DryRun=true"}, {"DryRun=true", "LogLevel=DEBUG"}, {"LogLevel=INFO"}} {
		s, err := deploy(t, name, append(saved, "Monitoring=false")...)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Function.Environment.Variables["DRY_RUN"]; got != "true" {
			t.Errorf("after a deployment with %v DRY_RUN is %q", saved, got)
		}
	}
}

// Only Lambda in this account can assume the role.
func TestRoleTrustsThisAccountOnly(t *testing.T) {
	s, err := deploy(t, "trust")
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]bool{account: true, "210987654321": false} {
		for i := range s.Trust {
			s.Trust[i].Resource = texts{"role"} // a trust policy has no resource
		}
		allowed, err := allows(s.Trust, call{
			Service: "lambda.amazonaws.com", Action: "sts:AssumeRole", Resource: "role", Keys: map[string][]string{"aws:SourceAccount": {from}},
		})
		if err != nil || allowed != want {
			trust, _ := json.Marshal(s.Trust)
			t.Errorf("for account %s: allowed %v, error %v; %s", from, allowed, err, trust)
		}
	}
}
