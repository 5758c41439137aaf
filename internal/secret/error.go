package secret

// RedactError returns err with a text in which every secret is replaced, as [Redact] does it; nil
// for nil. It is for errors whose text comes from outside. Unwrap returns err.
func RedactError(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{err}
}

type redactedError struct{ err error }

// Error implements error.
func (e *redactedError) Error() string { return Redact(e.err.Error()) }

// Unwrap returns the error whose text is redacted.
func (e *redactedError) Unwrap() error { return e.err }
