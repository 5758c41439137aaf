package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/secret"
)

// Credentials are those of Huawei Cloud, or where they are.
type Credentials struct {
	// Keys are a key pair or a token; zero if they are in a secret, or come with each invocation.
	Keys dds.Credentials
	// Secret names a secret in AWS Secrets Manager; zero if there is none.
	Secret arn.ARN
}

func (p *parser) credentials() Credentials {
	_, set := firstSet(credentialNames())
	if p.SecretARN == "" && set == "" && InFunctionGraph() {
		return Credentials{}
	}
	if p.SecretARN == "" {
		keys, err := findKeys(secretOf)
		if err != nil {
			p.faults = append(p.faults, err)
		}
		return Credentials{Keys: keys}
	}
	name, ok := arn.Parse(p.SecretARN)
	if !ok || name.Service != "secretsmanager" {
		p.fault("HUAWEICLOUD_SECRET_ARN: %s is not the ARN of a secret; "+
			"expected arn:aws:secretsmanager:<region>:<account>:secret:<name>", quote(p.SecretARN))
		return Credentials{}
	}
	p.needAWSKeys("HUAWEICLOUD_SECRET_ARN")
	return Credentials{Secret: name}
}

// findKeys returns the credentials of the first family that has any, and otherwise a token. A family
// that is half set is an error, because the next one would be another user's key.
func findKeys(get func(name string) secret.String) (dds.Credentials, error) {
	for _, names := range families {
		keys := dds.Credentials{AccessKey: get(names[0]), SecretKey: get(names[1]), SecurityToken: get(names[2])}
		missing := slices.DeleteFunc(slices.Clone(names[:2]), func(name string) bool { return !get(name).IsZero() })
		switch {
		case len(missing) == 0:
			return keys, nil
		case keys != (dds.Credentials{}):
			return dds.Credentials{}, fmt.Errorf("%s: not set; expected %s, %s and, for a temporary pair, %s together",
				strings.Join(missing, ", "), names[0], names[1], names[2])
		}
	}
	for _, name := range tokenNames {
		if token := get(name); !token.IsZero() {
			return dds.Credentials{Token: token}, nil
		}
	}
	return dds.Credentials{}, errors.New("HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK: not set; " +
		"expected the access key pair of a Huawei Cloud user, or HW_AUTH_TOKEN, or HUAWEICLOUD_SECRET_ARN")
}

// ParseSecret reads credentials from the text of a secret: a JSON object whose names are those
// of the environment variables. Its other members are ignored. The error contains nothing of the text.
func ParseSecret(text string) (dds.Credentials, error) {
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil || members == nil {
		return dds.Credentials{}, errors.New("HUAWEICLOUD_SECRET_ARN: the secret is not a JSON object; " +
			`expected the variables and their values, for example {"HUAWEICLOUD_SDK_AK": "…", "HUAWEICLOUD_SDK_SK": "…"}`)
	}
	values := make(map[string]secret.String)
	var faults []error
	for _, name := range credentialNames() {
		member, exists := members[name]
		if !exists {
			continue
		}
		plain, isText := member.(string)
		err := checkSecret(name, plain)
		if !isText {
			err = fmt.Errorf("%s: is not a JSON string", name)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("HUAWEICLOUD_SECRET_ARN: in the secret: %w", err))
		}
		values[name] = secret.New(plain)
	}
	if len(faults) > 0 {
		return dds.Credentials{}, errors.Join(faults...)
	}
	keys, err := findKeys(func(name string) secret.String { return values[name] })
	if err != nil {
		return dds.Credentials{}, fmt.Errorf("HUAWEICLOUD_SECRET_ARN: in the secret: %w", err)
	}
	return keys, nil
}
