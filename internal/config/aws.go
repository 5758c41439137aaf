package config

import (
	"cmp"
	"crypto/x509"

	"dds-backup-delete/internal/secret"
)

// AWS is what calls to AWS services need.
type AWS struct {
	// AccessKeyID, SecretAccessKey and SessionToken sign the calls. They may be empty outside Lambda,
	// where they can come from a profile.
	AccessKeyID, SecretAccessKey, SessionToken secret.String
	// EventBridge, SNS, SQS, DynamoDB and SecretsManager are the addresses of the services; empty for AWS's own.
	EventBridge, SNS, SQS, DynamoDB, SecretsManager string
	// Roots are the certificate authorities to trust; nil for the system's.
	Roots *x509.CertPool
}

// HasKeys reports whether the environment has the keys that calls are signed with.
func (a *AWS) HasKeys() bool { return !a.AccessKeyID.IsZero() && !a.SecretAccessKey.IsZero() }

func (p *parser) aws() AWS {
	p.roots("SSL_CERT_FILE", p.SSLCertFile) // crypto/x509 reads it itself
	return AWS{
		AccessKeyID: secretOf("AWS_ACCESS_KEY_ID"), SecretAccessKey: secretOf("AWS_SECRET_ACCESS_KEY"), SessionToken: secretOf("AWS_SESSION_TOKEN"),
		EventBridge:    cmp.Or(p.EventBridgeEndpoint, p.AWSEndpoint),
		SNS:            cmp.Or(p.SNSEndpoint, p.AWSEndpoint),
		SQS:            cmp.Or(p.SQSEndpoint, p.AWSEndpoint),
		DynamoDB:       cmp.Or(p.DynamoDBEndpoint, p.AWSEndpoint),
		SecretsManager: cmp.Or(p.SecretsManagerEndpoint, p.AWSEndpoint),
		Roots:          p.roots("AWS_CA_BUNDLE", p.AWSCABundle),
	}
}

// needAWSKeys says that a variable needs the keys that Lambda sets. Elsewhere they may come from a
// profile or from single sign-on, which the environment does not show.
func (p *parser) needAWSKeys(variable string) {
	if InLambda() && (lookup("AWS_ACCESS_KEY_ID") == "" || lookup("AWS_SECRET_ACCESS_KEY") == "") {
		p.fault("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; %s needs them, expected the keys that Lambda sets", variable)
	}
}
