package config

import (
	"reflect"

	"dds-backup-delete/internal/event"
)

// Variables returns every variable that the program reads, with its default; empty if it has none.
func Variables() map[string]string {
	all := map[string]string{regionEndpoint + "<REGION>": "", runtimeAPI: "", functionGraphAPI: "", functionGraphName: "", "NO_PROXY": "", "no_proxy": "", // net/http reads these two
		"AWS_LAMBDA_LOG_FORMAT": "", "AWS_LAMBDA_LOG_LEVEL": ""}
	for _, names := range [][]string{credentialNames(), otherSecrets, projectNames, regionNames, iamNames, proxyNames} {
		for _, name := range names {
			all[name] = ""
		}
	}
	for field := range reflect.TypeFor[environment]().Fields() {
		all[field.Tag.Get("envconfig")] = field.Tag.Get("default")
	}
	all["REQUEST_TYPE"] = event.RequestType
	return all
}
