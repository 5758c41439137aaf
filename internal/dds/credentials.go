package dds

import "dds-backup-delete/internal/secret"

// Credentials are a Huawei Cloud access key pair. The zero value is no credentials.
// Printed under any verb, and in slog, the secret parts show as REDACTED.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-0001.html
type Credentials struct {
	// AccessKey is the access key id (AK).
	AccessKey secret.String
	// SecretKey is the secret access key (SK).
	SecretKey secret.String
	// SecurityToken belongs to a temporary pair; empty for a permanent one.
	SecurityToken secret.String
}
