package dds

// Class is what an error means for the request that met it. It alone decides what happens
// next; the HTTP status does not, since DDS answers 153 of its 179 codes with 400.
type Class string

// The classes of a DDS error.
const (
	// Invalid will never succeed unchanged.
	Invalid Class = "invalid"
	// NotFound means that the backup is not there: deleted before, or never in this project and region.
	NotFound Class = "not_found"
	// Forbidden means missing permissions, a suspended account or a wrong configuration: a person must fix it.
	Forbidden Class = "forbidden"
	// Unauthenticated means that the credentials were refused. Trying again blindly locks the key.
	Unauthenticated Class = "unauthenticated"
	// Conflict means that the backup or its instance is busy: a restore, another operation.
	Conflict Class = "conflict"
	// Throttled means too many calls.
	Throttled Class = "throttled"
	// Unknown means a code that no table explains: it is never final, and a person looks.
	Unknown Class = "unknown"
	// Unavailable means no verdict: network, 5xx, a busy service, no time left.
	Unavailable Class = "unavailable"
)
