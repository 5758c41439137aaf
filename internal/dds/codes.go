package dds

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// classOf returns the class of an answer that is not a success. A code in the tables decides.
// Otherwise the status decides, and the class is never final: an unknown code may stand for something
// temporary, and an answer without a code comes from something in front of DDS (a proxy, a WAF, a
// wrong host) that knows nothing about backups.
func classOf(status int, code string) deletion.Class {
	class := classOfCode(code)
	if number, ok := gatewayCode(code); ok {
		class = classOfGatewayCode(number, status)
	}
	switch {
	case class != "":
		return class
	case status == http.StatusUnauthorized:
		return deletion.ClassUnauthenticated
	case status == http.StatusTooManyRequests:
		return deletion.ClassThrottled
	case status < 300 || status >= 500 || status == http.StatusRequestTimeout:
		return deletion.ClassUnavailable
	case code != "" && code != strconv.Itoa(status): // IAM repeats the status as its code
		return deletion.ClassUnknown
	case status == http.StatusConflict:
		return deletion.ClassConflict
	default:
		return deletion.ClassForbidden
	}
}

// gatewayCode returns the number in a code of the API gateway, for example 0301 of APIGW.0301,
// APIG.0301 or APIC.0301.
func gatewayCode(code string) (number string, ok bool) {
	prefix, number, ok := strings.Cut(code, ".")
	return number, ok && strings.HasPrefix(prefix, "API")
}

// refusesKey reports whether an error says that the key itself was refused, which counts towards the
// lock that Huawei Cloud puts on a key. Only the gateway's 0301 and IAM's own 401 do. DDS sees a
// request after its signature was accepted, and a 401 without a code comes from something in front.
func refusesKey(e *deletion.Error) bool {
	number, ok := gatewayCode(e.Code)
	return ok && number == "0301" || e.HTTPStatus == http.StatusUnauthorized && (e.Code == "401" || strings.HasPrefix(e.Code, "IAM."))
}

// namePermission adds the permission that a call needs to the message of its error, if the caller lacks it.
func namePermission(e *deletion.Error, what, permission string) {
	number, _ := gatewayCode(e.Code)
	bare := e.HTTPStatus == http.StatusForbidden && (e.Code == "" || e.Code == "403")
	if bare || number == "0302" || slices.Contains([]string{"DBS.280015", "DBS.280032", "DBS.280063"}, e.Code) {
		e.Message = what + " needs the permission " + permission + ": " + e.Message
	}
}

// codeAmbiguous is the code with two meanings: the Chinese page says that the backup is not there, the
// English one that its state forbids the operation. The client asks the backup list.
const codeAmbiguous = "DBS.201204"

// classOfCode returns the class of a DDS code that a deletion can get, and "" for any other code. Only
// a code in this table makes an answer final. The published table has 179 codes; the others belong to
// other calls, so they are unknown for a deletion.
//
// A comment is about all codes of its row. Evidence: "table" is the code table of the DDS API reference
// (https://support.huaweicloud.com/intl/en-us/api-dds/dds_error_code.html), "terraform" is
// what terraform-provider-huaweicloud does with the code, "siblings" is the retry list of the RDS
// resources in the providers of Huawei Cloud and Open Telekom Cloud, "inferred" is our interpretation.
func classOfCode(code string) deletion.Class {
	switch code {
	// The backup is gone. A wrong project or region looks the same, so it is never called deleted.
	case "DBS.201214", // no such backup, or not of this instance; terraform: already deleted
		"DBS.201502", "DBS.201501", "DBS.280110", // no such instance, or not the tenant's; table; for the first, terraform: already deleted
		"DBS.200002", "DBS.201028", "DBS.280016": // no such resource, the second with a 403; table
		return deletion.ClassNotFound

	// The request is wrong in itself.
	case "DBS.280124", // "Invalid backup": the id does not meet the requirements; table
		"DBS.200001", "DBS.280001", "DBS.290000", "DBS.201006", // a parameter is wrong; table
		"DBS.200095", // the same
		"DBS.200004": // the operation is not legal, perhaps because the backup is automated; inferred
		return deletion.ClassInvalid

	// The state of the backup or its instance forbids it now.
	case codeAmbiguous, // only if the backup list cannot be asked; otherwise the list decides
		"DBS.201319",                             // A restore is using the backup; table: wait
		"DBS.200019", "DBS.200076", "DBS.201000", // another operation is running, a 403; terraform: wait and repeat
		"DBS.239037",               // Another operation is running; in no table; terraform: wait and repeat
		"DBS.201014", "DBS.201015", // the instance is unhealthy, a 403; terraform: wait and repeat
		"DBS.00010009",                                         // The instance's state is not right; in no table; terraform: wait and repeat
		"DBS.200011", "DBS.200018", "DBS.200047", "DBS.201202", // the instance's state forbids it, the first two with a 403; table
		"DBS.280042",                                           // "Invalid request", a 403, whose remedy is to check the instance's state; table
		"DBS.200054",                                           // "Backup in use" in the RDS sample, where the table speaks of specifications; siblings
		"DBS.280343", "DBS.200611", "DBS.200080", "DBS.200463", // siblings: wait and repeat; for the first, the instance's state forbids it
		"DBS.201206", "DBS.212033", "DBS.280011", "DBS.280816", // the same
		"DBS.01010337", "DBS.01280030": // the same
		return deletion.ClassConflict

	// DDS cannot do it now.
	case "DBS.200998", // busy, try later, a 400; table
		"DBS.280005", // a failure of the server; table
		"DBS.201509", // OBS is out of reach; table
		"DBS.280064": // the check of the permissions failed, a 401 (in 2020 a 500), after the signature was accepted; table
		return deletion.ClassUnavailable

	// "Maximum number of connections reached", a 429: call less often; table.
	case "DBS.280443":
		return deletion.ClassThrottled

	// The token is bad, which is no fault of an access key; table.
	case "DBS.280056":
		return deletion.ClassUnauthenticated

	// Not allowed, or set up wrongly: a person must fix it, and the queue must not drain meanwhile.
	case "DBS.280015", // permission denied, a 400; table
		"DBS.200010",               // The tenant does not match the instance, a 400; table
		"DBS.280032", "DBS.280063", // the user lacks the permission for the action; table
		"DBS.200604", // the instance is another tenant's; table
		"DBS.280019", // suspended for arrears; table
		"DBS.280408": // the project id is bad, a 400: configuration; table
		return deletion.ClassForbidden

	default:
		return ""
	}
}

// classOfGatewayCode returns the class of a code of the API gateway in front of DDS, and "" for a code
// in no table.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html
func classOfGatewayCode(number string, status int) deletion.Class {
	switch number {
	// A person must fix it.
	case "0101", // no such API: a wrong host or path, configuration
		"0204",         // The TLS version is refused: configuration
		"0302",         // Access is refused
		"0306", "0310", // the project is not usable
		"0401", "0402", "0404", // the address is refused
		"0501", "0502", // the quota is spent, or the app frozen, a 405
		"0802": // the region is forbidden
		return deletion.ClassForbidden

	case "0301", // a bad signature, or an unknown or locked key: never repeat blindly
		"0307": // the token must be renewed, or is of another region; no fault of an access key
		return deletion.ClassUnauthenticated

	// The text names limit and window.
	case "0308":
		return deletion.ClassThrottled

	case "0103", "0610", // no backend, or none within reach
		"0104", "0105", "0106", // a fault of the orchestration
		"0601", "0605", "0606", "0608", // a fault inside
		"0609", "0611", "0612", "0705", // the same
		"0613": // IAM is out of reach for the moment
		return deletion.ClassUnavailable

	// A malformed request or, with a 5xx, a backend that is down: the status decides. 494: a header is too large.
	case "0201":
		switch status {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, 494:
			return deletion.ClassInvalid
		}
	}
	return ""
}
