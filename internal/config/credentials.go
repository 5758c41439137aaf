package config

import (
	"encoding/json"
	"errors"
	"fmt"

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
			return dds.Credentials{}, fmt.Errorf("%s: not set; want the secret key that belongs to %s", f.secretKeyName, f.accessKeyName)
		case !f.secretKey.IsZero():
			return dds.Credentials{}, fmt.Errorf("%s: not set; want the access key that belongs to %s", f.accessKeyName, f.secretKeyName)
		case !f.securityToken.IsZero():
			return dds.Credentials{}, fmt.Errorf("%s, %s: not set; want the key pair that belongs to %s",
				f.accessKeyName, f.secretKeyName, f.securityTokenName)
		}
	}
	for _, token := range []secret.String{c.HWAuthToken, c.OSAuthToken} {
		if !token.IsZero() {
			return dds.Credentials{Token: token}, nil
		}
	}
	return dds.Credentials{}, errors.New("HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK: not set; " +
		"want the access key pair of a Huawei Cloud user, or HW_AUTH_TOKEN, or HUAWEICLOUD_SECRET_ARN")
}

var secretARN = expression(`^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:[/_+=.@\-A-Za-z0-9]+$`)

// checkCredentials finds the credentials, unless they are in a secret.
func (c *Config) checkCredentials() []error {
	if c.SecretARN != "" {
		if !secretARN().MatchString(c.SecretARN) {
			return []error{fmt.Errorf("HUAWEICLOUD_SECRET_ARN: %s; want an ARN as arn:aws:secretsmanager:<region>:<account>:secret:<name>",
				shape(c.SecretARN))}
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
// of the environment variables. The error repeats nothing of it.
func ParseSecret(text string) (dds.Credentials, error) {
	var names map[string]any
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return dds.Credentials{}, errors.New("HUAWEICLOUD_SECRET_ARN: the secret is no JSON object with the names of the variables")
	}
	get := func(name string) secret.String {
		value, _ := names[name].(string)
		return secret.New(value)
	}
	c := Config{
		AccessKey: get("HUAWEICLOUD_SDK_AK"), SecretKey: get("HUAWEICLOUD_SDK_SK"), SecurityToken: get("HUAWEICLOUD_SDK_SECURITY_TOKEN"),
		HWAccessKey: get("HW_ACCESS_KEY"), HWSecretKey: get("HW_SECRET_KEY"), HWSecurityToken: get("HW_SECURITY_TOKEN"),
		OSAccessKey: get("OS_ACCESS_KEY"), OSSecretKey: get("OS_SECRET_KEY"), OSSecurityToken: get("OS_SECURITY_TOKEN"),
		HWAuthToken: get("HW_AUTH_TOKEN"), OSAuthToken: get("OS_AUTH_TOKEN"),
	}
	credentials, err := c.credentials()
	if err != nil {
		return dds.Credentials{}, fmt.Errorf("HUAWEICLOUD_SECRET_ARN: in the secret: %w", err)
	}
	return credentials, nil
}
