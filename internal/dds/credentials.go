package dds

import "dds-backup-delete/internal/secret"

// Credentials are what a call is authenticated with: a Huawei Cloud access key pair or, where
// there is none, an IAM token. Printed under any verb, and in slog, they show as REDACTED.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-0001.html
type Credentials struct {
	// AccessKey is the access key id (AK).
	AccessKey secret.String
	// SecretKey is the secret access key (SK).
	SecretKey secret.String
	// SecurityToken belongs to a temporary pair; empty for a permanent one.
	SecurityToken secret.String
	// Token is an IAM token, used where there is no pair. It lives 24 hours.
	Token secret.String
}
