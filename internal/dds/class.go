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
	// Forbidden means missing rights or a suspended account: a person must mend it.
	Forbidden Class = "forbidden"
	// Unauthenticated means that the credentials were refused. Trying again blindly locks the key.
	Unauthenticated Class = "unauthenticated"
	// Conflict means that the backup or its instance is busy: a restore, another operation.
	Conflict Class = "conflict"
	// Throttled means too many calls.
	Throttled Class = "throttled"
	// Unavailable means no verdict: network, 5xx, a busy service, no time left.
	Unavailable Class = "unavailable"
)

// classify decides the class of an answer that is not a success: the code first, where it
// is known, else the status.
func classify(status int, code string) Class {
	if class, known := classOfCode[code]; known {
		return class
	}
	switch {
	case status == 401:
		return Unauthenticated
	case status == 403:
		return Forbidden
	case status == 404:
		return NotFound
	case status == 409:
		return Conflict
	case status == 429:
		return Throttled
	case status >= 400 && status < 500 && status != 408:
		return Invalid
	default:
		return Unavailable
	}
}

// classOfCode names the class of the codes that a deletion meets.
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_error_code.html
var classOfCode = map[string]Class{
	"DBS.201214": NotFound,    // backup not there or not of this instance
	"DBS.201502": NotFound,    // instance not there or not the tenant's
	"DBS.201204": Conflict,    // state forbids; another edition of the page: not there
	"DBS.201319": Conflict,    // a restore is using the backup
	"DBS.200019": Conflict,    // another operation is running
	"DBS.200998": Unavailable, // busy, try later: sent as a 400
}
