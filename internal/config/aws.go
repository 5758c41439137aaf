package config

import "fmt"

// NeedsAWS reports whether an AWS service is called.
func (c *Config) NeedsAWS() bool {
	return c.SecretARN != "" || c.LedgerTable() != "" || c.Sink().Region != ""
}

// HasAWSKeys reports whether the environment has the keys that AWS calls are signed with.
func (c *Config) HasAWSKeys() bool {
	return !c.AWSAccessKeyID.IsZero() && !c.AWSSecretAccessKey.IsZero()
}

// checkAWSKeys says that the named variable needs the keys that Lambda sets. Elsewhere they may
// come from a profile or from single sign-on, which the environment does not show.
func (c *Config) checkAWSKeys(needed string) []error {
	if c.LambdaRuntimeAPI != "" && !c.HasAWSKeys() {
		return []error{fmt.Errorf("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; %s needs them, expected the keys that Lambda sets", needed)}
	}
	return nil
}
