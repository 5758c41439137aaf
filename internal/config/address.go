package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"dds-backup-delete/internal/spelling"
)

// isHostPart reports whether a text consists of small letters, digits and, except at its ends, others.
// A region that is in no list is allowed, because new regions, and clouds of other brands, must work.
func isHostPart(s string, longest int, others string) bool {
	return s != "" && len(s) <= longest && spelling.Only(s, spelling.Lower+spelling.Digits+others) && strings.Trim(s, others) == s
}

func isRegion(s string) bool { return isHostPart(s, 63, "-") }

// addresses finds the regions, the address of DDS in each, and the address of IAM.
func (p *parser) addresses() {
	var name string
	name, p.region = firstSet(regionNames)
	switch {
	case p.region == "" && p.Endpoint == "":
		p.fault("DDS_REGION: not set, nor is DDS_ENDPOINT; expected a region, for example cn-north-4")
	case p.region != "" && !isRegion(p.region):
		p.fault("%s: %s is not a region; expected for example cn-north-4", name, quote(p.region))
	}
	if p.Cloud != "" && !isHostPart(p.Cloud, 202, "-.") {
		p.fault("HW_CLOUD: %s is not the domain of a cloud; expected a domain without https://, for example myhuaweicloud.com", quote(p.Cloud))
	}
	p.cloud()
	p.findEndpoints()
	p.iamEndpoint = p.iam()
	p.warnUnpublished(cmp.Or(name, "DDS_ENDPOINT"))
}

// cloud finds the domain of the cloud, and the default region if only DDS_ENDPOINT names it. Keys must
// not be sent to another cloud than the one that DDS_ENDPOINT belongs to.
func (p *parser) cloud() {
	if p.Endpoint != "" && !p.isEndpoint("DDS_ENDPOINT", p.Endpoint, ddsExample) {
		p.cloudIsKnown = true // one fault is enough
		return
	}
	inRegion, ofCloud := regionOf(p.Endpoint)
	p.region = cmp.Or(p.region, inRegion)
	p.cloudIsKnown = p.Endpoint == "" || p.Cloud != "" || ofCloud != ""
	if ofCloud != "myhuaweicloud.com" && ofCloud != "myhuaweicloud.eu" {
		p.Cloud = cmp.Or(p.Cloud, ofCloud) // those two are one cloud, whose domain follows the region
	}
	_, project := firstSet(projectNames)
	_, iam := firstSet(iamNames)
	if !p.cloudIsKnown && (len(p.Regions) > 0 || (p.region != "" && project == "" && iam == "")) {
		p.fault("HW_CLOUD: not set, and DDS_ENDPOINT does not name the cloud; expected its domain, for example myhuaweicloud.com")
	}
}

// findEndpoints finds the address of DDS in the default region and in the allowed ones.
func (p *parser) findEndpoints() {
	p.endpoints = make(map[string]string, 1+len(p.Regions))
	if p.endpoints[p.region] = p.Endpoint; p.Endpoint == "" {
		p.endpoints[p.region] = p.endpointOf(p.region)
	}
	for _, r := range p.Regions {
		switch {
		case r == p.region: // as above
		case !isRegion(r):
			p.fault("ALLOWED_REGIONS: %s is not a region; expected regions with commas between them, for example cn-north-4,eu-west-101", quote(r))
		default:
			p.endpoints[r] = p.endpointOf(r)
		}
	}
}

const ddsExample = "https://dds.cn-north-4.myhuaweicloud.com"

// endpointOf returns the address of DDS in a region: the one that the official SDK's variable sets, or
// built. That variable may contain several addresses, of which the first counts.
func (p *parser) endpointOf(region string) string {
	name := regionEndpoint + strings.ToUpper(strings.ReplaceAll(region, "-", "_"))
	first, _, _ := strings.Cut(os.Getenv(name), ",")
	if first = strings.TrimSpace(first); first == "" {
		return "https://dds." + region + "." + p.domainOf(region)
	}
	p.isEndpoint(name, first, ddsExample)
	return first
}

const regionEndpoint = "HUAWEICLOUD_SDK_REGION_DDS_"

// domainOf is the cloud's domain for a region. The European cloud, regions eu-west-101 and its
// like, has its own; eu-west-0 belongs to the other.
func (p *parser) domainOf(region string) string {
	if p.Cloud == "" && strings.HasPrefix(region, "eu-west-1") {
		return "myhuaweicloud.eu"
	}
	return cmp.Or(p.Cloud, "myhuaweicloud.com")
}

// iam finds the address of IAM, which is asked only for a project id that is not set.
func (p *parser) iam() string {
	name, address := firstSet(iamNames)
	if address == "" {
		return "https://iam." + p.region + "." + p.domainOf(p.region)
	}
	// The variables of terraform and OpenStack end with the version.
	address = strings.TrimSuffix(strings.TrimSuffix(address, "/"), "/v3")
	p.isEndpoint(name, address, "https://iam.cn-north-4.myhuaweicloud.com")
	return address
}

// isEndpoint checks an address of DDS, IAM or SMN. Plain HTTP is for this machine only, because otherwise a
// security token would cross the network for all to read.
func (p *parser) isEndpoint(name, value, example string) bool {
	var problem string
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "":
		problem = "is not an address without user, path and query"
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		problem = "is not encrypted (http:// is for 127.0.0.1 only)"
	default:
		return true
	}
	p.fault("%s: %s %s; expected an https:// address, for example %s", name, quote(value), problem, example)
	return false
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// regionOf returns the region and the domain of an address of the form https://dds.<region>.<domain>;
// both are empty for any other address.
func regionOf(endpoint string) (inRegion, ofCloud string) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", ""
	}
	labels := strings.SplitN(u.Hostname(), ".", 3)
	if len(labels) == 3 && labels[0] == "dds" && isRegion(labels[1]) && strings.Contains(labels[2], ".") {
		return labels[1], labels[2]
	}
	return "", ""
}

// published are the regions of DDS that Huawei Cloud's SDKs know. There are others: new ones, and
// those of other clouds.
// https://github.com/huaweicloud/huaweicloud-sdk-go-v3/blob/master/services/dds/v3/region/region.go
var published = strings.Fields(`
	ae-ad-1 af-north-1 af-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5
	cn-east-2 cn-east-3 cn-east-4 cn-east-5 cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-11 cn-north-12
	cn-south-1 cn-south-2 cn-south-4 cn-southwest-2 cn-southwest-3 eu-west-0 eu-west-101 la-north-2 la-south-2
	me-east-1 my-kualalumpur-1 na-mexico-1 ru-moscow-1 ru-northwest-2 sa-brazil-1 tr-west-1`)

// warnUnpublished warns of regions of Huawei Cloud that are in no published list: the default
// region, which comes from the named variable, and the allowed ones. They are not faults, because lists age.
func (p *parser) warnUnpublished(name string) {
	for i, r := range append([]string{p.region}, p.Regions...) {
		if i > 0 {
			name = "ALLOWED_REGIONS"
		}
		if slices.Contains(published, r) || !strings.Contains(p.endpoints[r], ".myhuaweicloud.") {
			continue
		}
		expected := "expected for example cn-north-4"
		nearest := slices.MinFunc(published, func(a, b string) int { return cmp.Compare(spelling.Distance(r, a), spelling.Distance(r, b)) })
		if spelling.Distance(r, nearest) < 3 {
			expected = "did you mean " + nearest + "?"
		}
		p.warnings = append(p.warnings, fmt.Sprintf("%s: %s is not a published region of Huawei Cloud; %s", name, quote(r), expected))
	}
}
