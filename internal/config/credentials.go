package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/secret"
)

// family is a set of variables that belong together: the official SDK's, terraform's, and
// the older ones of OpenStack. A pair is never mixed from two families.
type family struct {
	accessKeyName, secretKeyName, securityTokenName string
	accessKey, secretKey, securityToken             secret.String
}

func (c *Config) families() []family {
	return []family{
		{
			"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN",
			c.AccessKey, c.SecretKey, c.SecurityToken,
		},
		{"HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN", c.HWAccessKey, c.HWSecretKey, c.HWSecurityToken},
		{"OS_ACCESS_KEY", "OS_SECRET_KEY", "OS_SECURITY_TOKEN", c.OSAccessKey, c.OSSecretKey, c.OSSecurityToken},
	}
}

// credentials returns those of the first family that has any, a pair before a token. A family
// that is set by half is an error, since the next one would be somebody else's key.
func (c *Config) credentials() (dds.Credentials, error) {
	for _, f := range c.families() {
		switch {
		case !f.accessKey.IsZero() && !f.secretKey.IsZero():
			return dds.Credentials{AccessKey: f.accessKey, SecretKey: f.secretKey, SecurityToken: f.securityToken}, nil
		case !f.accessKey.IsZero():
			return dds.Credentials{}, fmt.Errorf("%s: not set; expected the secret key that belongs to %s", f.secretKeyName, f.accessKeyName)
		case !f.secretKey.IsZero():
			return dds.Credentials{}, fmt.Errorf("%s: not set; expected the access key that belongs to %s", f.accessKeyName, f.secretKeyName)
		case !f.securityToken.IsZero():
			return dds.Credentials{}, fmt.Errorf("%s, %s: not set; expected the key pair that belongs to %s",
				f.accessKeyName, f.secretKeyName, f.securityTokenName)
		}
	}
	for _, token := range []secret.String{c.HWAuthToken, c.OSAuthToken} {
		if !token.IsZero() {
			return dds.Credentials{Token: token}, nil
		}
	}
	return dds.Credentials{}, errors.New("HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK: not set; " +
		"expected the access key pair of a Huawei Cloud user, or HW_AUTH_TOKEN, or HUAWEICLOUD_SECRET_ARN")
}

var secretARN = expression(`^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:[/_+=.@\-A-Za-z0-9]+$`)

// checkCredentials finds the credentials, unless they are in a secret.
func (c *Config) checkCredentials() []error {
	if c.SecretARN != "" {
		if !secretARN().MatchString(c.SecretARN) {
			return []error{fmt.Errorf("HUAWEICLOUD_SECRET_ARN: %s is not the ARN of a secret; "+
				"expected arn:aws:secretsmanager:<region>:<account>:secret:<name>", quote(c.SecretARN))}
		}
		return c.checkAWSKeys("HUAWEICLOUD_SECRET_ARN")
	}
	var err error
	if c.Credentials, err = c.credentials(); err != nil {
		return []error{err}
	}
	return nil
}

// SecretRegion returns the AWS region of the secret that SecretARN names.
func (c *Config) SecretRegion() string { return group(secretARN(), c.SecretARN) }

// ParseSecret reads credentials from the text of a secret: a JSON object whose names are those
// of the environment variables. Its other members are ignored. The error repeats nothing of it.
func ParseSecret(text string) (dds.Credentials, error) {
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil || members == nil {
		return dds.Credentials{}, errors.New("HUAWEICLOUD_SECRET_ARN: the secret is not a JSON object; " +
			`expected the variables and their values, for example {"HUAWEICLOUD_SDK_AK": "…", "HUAWEICLOUD_SDK_SK": "…"}`)
	}
	var c Config
	var faults []error
	for name, value := range map[string]*secret.String{
		"HUAWEICLOUD_SDK_AK": &c.AccessKey, "HUAWEICLOUD_SDK_SK": &c.SecretKey, "HUAWEICLOUD_SDK_SECURITY_TOKEN": &c.SecurityToken,
		"HW_ACCESS_KEY": &c.HWAccessKey, "HW_SECRET_KEY": &c.HWSecretKey, "HW_SECURITY_TOKEN": &c.HWSecurityToken,
		"OS_ACCESS_KEY": &c.OSAccessKey, "OS_SECRET_KEY": &c.OSSecretKey, "OS_SECURITY_TOKEN": &c.OSSecurityToken,
		"HW_AUTH_TOKEN": &c.HWAuthToken, "OS_AUTH_TOKEN": &c.OSAuthToken,
	} {
		member, there := members[name]
		if !there {
			continue
		}
		plain, isText := member.(string)
		if !isText {
			faults = append(faults, fmt.Errorf("HUAWEICLOUD_SECRET_ARN: in the secret: %s: is not a JSON string", name))
			continue
		}
		if err := checkSecret(name, plain); err != nil {
			faults = append(faults, fmt.Errorf("HUAWEICLOUD_SECRET_ARN: in the secret: %w", err))
		}
		*value = secret.New(plain)
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return dds.Credentials{}, errors.Join(faults...)
	}
	credentials, err := c.credentials()
	if err != nil {
		return dds.Credentials{}, fmt.Errorf("HUAWEICLOUD_SECRET_ARN: in the secret: %w", err)
	}
	return credentials, nil
}
