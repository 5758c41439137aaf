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
		value := field.Tag.Get("default")
		if field.Type.Kind() == reflect.Bool && value == "" {
			value = "false"
		}
		all[field.Tag.Get("envconfig")] = value
	}
	all["REQUEST_TYPE"] = event.RequestType
	return all
}

// Aliases returns the names of each variable that has several. The first one that is set counts.
func Aliases() (all [][]string) {
	for i := range families[0] {
		var names []string
		for _, family := range families {
			names = append(names, family[i])
		}
		all = append(all, names)
	}
	return append(all, tokenNames, projectNames, regionNames, iamNames)
}
