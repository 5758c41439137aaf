package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dds-backup-delete/internal/spelling"
)

// published are the regions of DDS that Huawei Cloud's SDKs know. There are others: new ones, and
// those of other clouds.
// https://github.com/huaweicloud/huaweicloud-sdk-go-v3/blob/master/services/dds/v3/region/region.go
var published = strings.Fields(`
	ae-ad-1 af-north-1 af-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5
	cn-east-2 cn-east-3 cn-east-4 cn-east-5 cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-11 cn-north-12
	cn-south-1 cn-south-2 cn-south-4 cn-southwest-2 cn-southwest-3 eu-west-0 eu-west-101 la-north-2 la-south-2
	me-east-1 my-kualalumpur-1 na-mexico-1 ru-moscow-1 ru-northwest-2 sa-brazil-1 tr-west-1`)

// unpublished returns warnings about regions of Huawei Cloud that are in no published list: the default
// region, which comes from the named variable, and the allowed ones. They are not faults, because lists age.
func unpublished(name string, c *Config) (warnings []string) {
	for i, r := range append([]string{c.Region}, c.Regions...) {
		if i > 0 {
			name = "ALLOWED_REGIONS"
		}
		if slices.Contains(published, r) || !strings.Contains(c.Endpoints[r], ".myhuaweicloud.") {
			continue
		}
		expected := "expected for example cn-north-4"
		nearest := slices.MinFunc(published, func(a, b string) int { return cmp.Compare(spelling.Distance(r, a), spelling.Distance(r, b)) })
		if spelling.Distance(r, nearest) < 3 {
			expected = "did you mean " + nearest + "?"
		}
		warnings = append(warnings, fmt.Sprintf("%s: %s is not a published region of Huawei Cloud; %s", name, quote(r), expected))
	}
	return warnings
}
