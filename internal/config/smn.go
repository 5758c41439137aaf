package config

import (
	"fmt"
	"slices"
	"strings"

	"dds-backup-delete/internal/spelling"
)

// SMNTopic is a topic of Huawei Cloud Simple Message Notification.
type SMNTopic struct{ Region, ProjectID, Name string }

// String returns the URN of the topic; empty for the zero value.
func (t SMNTopic) String() string {
	if t == (SMNTopic{}) {
		return ""
	}
	return "urn:smn:" + t.Region + ":" + t.ProjectID + ":" + t.Name
}

const (
	formOfURN  = "urn:smn:<region>:<project_id>:<name>"
	exampleURN = "urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:outcomes"
	smnExample = "https://smn.cn-north-4.myhuaweicloud.com"
)

// parseSMNTopic reads the URN of a topic. The problem says what is wrong with it; empty if nothing is.
//
// https://support.huaweicloud.com/intl/en-us/smn_faq/smn_faq_0005.html
func parseSMNTopic(urn string) (topic SMNTopic, problem string) {
	parts := strings.Split(urn, ":")
	if parts[0] != "urn" || len(parts) != 5 {
		return SMNTopic{}, "is not the URN of a topic; expected " + formOfURN
	}
	t := SMNTopic{parts[2], parts[3], parts[4]}
	switch {
	case parts[1] != "smn":
		return SMNTopic{}, fmt.Sprintf("is of the service %s; expected a topic of SMN, %s", quote(parts[1]), formOfURN)
	case !isRegion(t.Region):
		return SMNTopic{}, fmt.Sprintf("has the region %s, which is none; expected for example cn-north-4", quote(t.Region))
	case !isProjectID(t.ProjectID):
		return SMNTopic{}, fmt.Sprintf("has the project id %s, which is none; expected 32 hexadecimal digits, for example 0549b4a43100d4f32f51c01c2fe4acdb", quote(t.ProjectID))
	case t.Name == "" || len(t.Name) > 255 || strings.Trim(t.Name[:1], "-_") == "" || !spelling.Only(t.Name, spelling.Letters+spelling.Digits+"-_"):
		return SMNTopic{}, fmt.Sprintf("has the topic name %s, which is none; expected 1 to 255 letters, digits, hyphens and underscores "+
			"that begin with a letter or digit, for example outcomes", quote(t.Name))
	}
	return t, ""
}

// smnTopic returns the topic that OUTCOME_SINK names, and the address of SMN in its region. In the program's own region, a
// topic of an unknown project is a mistake. Another region always has another project.
func (p *parser) smnTopic() (topic SMNTopic, endpoint string) {
	topic, problem := parseSMNTopic(p.OutcomeSink)
	if problem != "" {
		p.fault("OUTCOME_SINK: %s %s", quote(p.OutcomeSink), problem)
		return SMNTopic{}, ""
	}
	_, project := firstSet(projectNames)
	known := append([]string{project, lookup(functionGraphProject)}, p.Projects...)
	if topic.Region == p.region && project != "" && !slices.Contains(known, topic.ProjectID) {
		p.fault("OUTCOME_SINK: %s is a topic of another project; expected one of HUAWEICLOUD_SDK_PROJECT_ID or ALLOWED_PROJECTS, for example %s", quote(p.OutcomeSink), exampleURN)
	}
	switch {
	case p.SMNEndpoint != "":
		p.isEndpoint("SMN_ENDPOINT", p.SMNEndpoint, smnExample)
		return topic, p.SMNEndpoint
	case !p.cloudIsKnown:
		p.fault("SMN_ENDPOINT: not set, nor is HW_CLOUD, and DDS_ENDPOINT does not name the cloud; expected the address of SMN, for example %s", smnExample)
	}
	return topic, "https://smn." + topic.Region + "." + p.domainOf(topic.Region)
}
