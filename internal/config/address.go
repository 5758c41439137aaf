package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

// region and domain are parts of a host name, so they are held to their form. A region that is in
// no list is allowed, since new ones, and clouds of other brands, must work.
var (
	region = form{expression(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`), 1, 63}
	domain = form{expression(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`), 1, 202}
)

// checkAddress finds the regions and the address of DDS in each, and that of IAM.
func (c *Config) checkAddress() []error {
	faults := c.checkRegion()
	if c.Cloud != "" && !domain.matches(c.Cloud) {
		faults = append(faults, fmt.Errorf("HW_CLOUD: %s is not the domain of a cloud; expected a domain without https://, for example myhuaweicloud.com", quote(c.Cloud)))
	}
	if len(faults) == 0 {
		faults = c.checkEndpoints()
	}
	if len(faults) == 0 {
		faults = c.checkIAM()
		c.checkPublished()
	}
	return faults
}

// checkRegion finds the default region.
func (c *Config) checkRegion() []error {
	from := c.regionVariable()
	c.Region = from.value
	switch {
	case c.Region == "" && c.Endpoint == "":
		return []error{errors.New("DDS_REGION: not set, nor is DDS_ENDPOINT; expected a region, for example cn-north-4")}
	case c.Region != "" && !region.matches(c.Region):
		return []error{fmt.Errorf("%s: %s is not a region; expected for example cn-north-4", from.name, quote(c.Region))}
	}
	return nil
}

func (c *Config) regionVariable() variable {
	return firstSet(variable{"DDS_REGION", c.DDSRegion}, variable{"HW_REGION_NAME", c.HWRegion}, variable{"OS_REGION_NAME", c.OSRegion})
}

// checkEndpoints finds the address of DDS in the default region and in the allowed ones. Keys
// must not go to another cloud than the one that DDS_ENDPOINT belongs to.
func (c *Config) checkEndpoints() []error {
	told := c.Cloud != "" || c.Endpoint == "" // which cloud it is
	if c.Endpoint != "" {
		if err := checkEndpoint("DDS_ENDPOINT", c.Endpoint, "https://dds.cn-north-4.myhuaweicloud.com"); err != nil {
			return []error{err}
		}
		inRegion, ofCloud := regionOf(c.Endpoint)
		c.Region = cmp.Or(c.Region, inRegion)
		if told = told || ofCloud != ""; ofCloud != "myhuaweicloud.com" && ofCloud != "myhuaweicloud.eu" {
			c.Cloud = cmp.Or(c.Cloud, ofCloud) // those two are one cloud, whose domain follows the region
		}
	}
	if !told && (len(c.Regions) > 0 || (c.Region != "" && c.needsIAM())) {
		return []error{errors.New("HW_CLOUD: not set, and DDS_ENDPOINT does not name the cloud; expected its domain, for example myhuaweicloud.com")}
	}
	var faults []error
	c.Endpoints = make(map[string]string, 1+len(c.Regions))
	for _, r := range append([]string{c.Region}, c.Regions...) {
		if r != c.Region && !region.matches(r) {
			faults = append(faults, fmt.Errorf("ALLOWED_REGIONS: %s is not a region; "+
				"expected regions with commas between them, for example cn-north-4,eu-west-101", quote(r)))
			continue
		}
		endpoint, err := c.endpointOf(r)
		if err != nil {
			faults = append(faults, err)
		}
		c.Endpoints[r] = endpoint
	}
	return faults
}

// endpointOf returns the address of DDS in a region: set outright, or built.
func (c *Config) endpointOf(r string) (string, error) {
	if r == c.Region && c.Endpoint != "" {
		return c.Endpoint, nil
	}
	// The official SDK's name for it; several addresses may stand there, of which we take the first.
	name := "HUAWEICLOUD_SDK_REGION_DDS_" + strings.ToUpper(strings.ReplaceAll(r, "-", "_"))
	first, _, _ := strings.Cut(os.Getenv(name), ",")
	if first = strings.TrimSpace(first); first != "" {
		if err := checkEndpoint(name, first, "https://dds.cn-north-4.myhuaweicloud.com"); err != nil {
			return "", err
		}
		return first, nil
	}
	return "https://dds." + r + "." + c.domainOf(r), nil
}

// domainOf is the cloud's domain for a region. The European cloud, regions eu-west-101 and its
// like, has its own; eu-west-0 belongs to the other.
func (c *Config) domainOf(r string) string {
	if c.Cloud == "" && strings.HasPrefix(r, "eu-west-1") {
		return "myhuaweicloud.eu"
	}
	return cmp.Or(c.Cloud, "myhuaweicloud.com")
}

// checkIAM finds the address of IAM, which is asked only for a project id that is not set.
func (c *Config) checkIAM() []error {
	from := c.iamVariable()
	if from.value == "" {
		c.IAMEndpoint = "https://iam." + c.Region + "." + c.domainOf(c.Region)
		return nil
	}
	// The variables of terraform and OpenStack end in the version.
	c.IAMEndpoint = strings.TrimSuffix(strings.TrimSuffix(from.value, "/"), "/v3")
	if err := checkEndpoint(from.name, c.IAMEndpoint, "https://iam.cn-north-4.myhuaweicloud.com"); err != nil {
		return []error{err}
	}
	return nil
}

// addressFault says why an address cannot be one of DDS or IAM; empty where it can. Plain HTTP is
// for this machine only: a security token would cross the network for all to read.
func addressFault(value string) string {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "":
		return "is not an address without user, path and query"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return ""
	default:
		return "is not encrypted (http:// is for 127.0.0.1 only)"
	}
}

// checkEndpoint checks the address of DDS or IAM that a variable sets.
func checkEndpoint(name, value, example string) error {
	if fault := addressFault(value); fault != "" {
		return fmt.Errorf("%s: %s %s; expected an https:// address, for example %s", name, quote(value), fault, example)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// regionOf reads region and domain out of an address as https://dds.<region>.<domain>; both
// are empty where it is another.
func regionOf(endpoint string) (inRegion, ofCloud string) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", ""
	}
	labels := strings.SplitN(u.Hostname(), ".", 3)
	if len(labels) == 3 && labels[0] == "dds" && region.matches(labels[1]) && strings.Contains(labels[2], ".") {
		return labels[1], labels[2]
	}
	return "", ""
}

// needsIAM reports whether the project is to be looked up at an address that is to be built.
func (c *Config) needsIAM() bool {
	return c.projectVariable().value == "" && c.iamVariable().value == ""
}

func (c *Config) iamVariable() variable {
	return firstSet(variable{"HUAWEICLOUD_SDK_IAM_ENDPOINT", c.SDKIAMEndpoint}, variable{"HW_AUTH_URL", c.HWAuthURL}, variable{"OS_AUTH_URL", c.OSAuthURL})
}
