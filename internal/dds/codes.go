package dds

import (
	"net/http"
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

// codeAmbiguous is the code with two meanings: the Chinese page says that the backup is not there, the
// English one that its state forbids the operation. The client asks the backup list.
const codeAmbiguous = "DBS.201204"

// classOfCode returns the class of a DDS code that a deletion can get, and "" for any other code. Only
// a code in this table makes an answer final. The published table has 179 codes; the others belong to
// other calls, so they are unknown for a deletion.
//
// Evidence: "table" is the code table of the DDS API reference
// (https://support.huaweicloud.com/intl/en-us/api-dds/dds_error_code.html), "terraform" is
// what terraform-provider-huaweicloud does with the code, "siblings" is the retry list of the RDS
// resources in the providers of Huawei Cloud and Open Telekom Cloud, "inferred" is our interpretation.
func classOfCode(code string) deletion.Class {
	switch code {
	// Gone. A wrong project or region looks the same, so it is never called deleted.
	case "DBS.201214", // backup not there, or not of this instance; terraform: already deleted
		"DBS.201502",               // instance not there, or not the tenant's; terraform: already deleted
		"DBS.201501", "DBS.280110", // instance not there; table
		"DBS.200002", "DBS.201028", "DBS.280016": // resource not there, the second with a 403; table
		return deletion.ClassNotFound

	// Wrong in itself.
	case "DBS.280124", // "invalid backup": the id does not meet the requirements; table
		"DBS.200001", "DBS.280001", "DBS.290000", "DBS.201006", "DBS.200095", // parameter wrong; table
		"DBS.200004": // operation not legal, perhaps an automated backup; inferred
		return deletion.ClassInvalid

	// Another time.
	case codeAmbiguous, // the class that holds if the backup list cannot be asked
		"DBS.201319",                             // a restore is using the backup; table: wait
		"DBS.200019", "DBS.200076", "DBS.201000", // another operation is running, a 403; terraform: wait and repeat
		"DBS.201014", "DBS.201015", // instance unhealthy, a 403; terraform: wait and repeat
		"DBS.00010009",             // instance state not right; in no table; terraform: wait and repeat
		"DBS.200011", "DBS.200018", // instance state forbids, a 403; table
		"DBS.200047", "DBS.201202", // instance state forbids; table
		"DBS.280042",                                                                       // "invalid request", a 403, whose remedy is to check the instance's state; table
		"DBS.280343",                                                                       // instance state forbids; siblings: wait and repeat
		"DBS.239037",                                                                       // another operation is running; in no table; terraform: wait and repeat
		"DBS.200054",                                                                       // "backup in use" in the RDS sample, where the table speaks of specifications; siblings
		"DBS.200611", "DBS.200080", "DBS.200463", "DBS.201206", "DBS.212033", "DBS.280011", // siblings: wait and repeat
		"DBS.280816", "DBS.01010337", "DBS.01280030": // siblings: wait and repeat
		return deletion.ClassConflict

	case "DBS.200998", // busy, try later, a 400; table
		"DBS.280005", // server failure; table
		"DBS.201509", // OBS out of reach; table
		"DBS.280064": // the check of the permissions failed, a 401 (in 2020 a 500), after the signature was accepted; table
		return deletion.ClassUnavailable

	case "DBS.280443": // "maximum number of connections reached", a 429: call less often; table
		return deletion.ClassThrottled

	// Not allowed, or set up wrongly: a person must fix it, and the queue must not drain meanwhile.
	case "DBS.280056": // token bad, no fault of an access key; table
		return deletion.ClassUnauthenticated

	case "DBS.280015", // permission denied, a 400; table
		"DBS.200010",               // tenant does not match the instance, a 400; table
		"DBS.280032", "DBS.280063", // the user lacks the action; table
		"DBS.200604", // instance of another tenant; table
		"DBS.280019", // suspended for arrears; table
		"DBS.280408": // project id bad, a 400: configuration; table
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
	case "0101", // no such API: wrong host or path, configuration
		"0204",         // TLS version refused: configuration
		"0302",         // access refused
		"0306", "0310", // project not usable
		"0401", "0402", "0404", // address refused
		"0501", // quota spent, a 405
		"0502", // app frozen, a 405
		"0802": // region forbidden
		return deletion.ClassForbidden

	case "0301", // bad signature, unknown or locked key: never repeat blindly
		"0307": // token to be renewed, or of another region; no fault of an access key
		return deletion.ClassUnauthenticated

	case "0308": // with limit and window in its text
		return deletion.ClassThrottled

	case "0103", "0610", // no backend, or none within reach
		"0104", "0105", "0106", // orchestration fault
		"0601", "0605", "0606", "0608", "0609", "0611", "0612", "0705", // internal
		"0613": // IAM out of reach for the moment
		return deletion.ClassUnavailable

	case "0201": // a malformed request or, with a 5xx, a backend that is down: the status decides
		switch status {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, 494: // header too large
			return deletion.ClassInvalid
		}
	}
	return ""
}
