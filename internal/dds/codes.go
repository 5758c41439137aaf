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
	if class, known := classOfCode[code]; known {
		return class
	}
	if suffix, ok := gatewayCode(code); ok {
		if class, known := classOfGatewayCode[suffix]; known {
			return class
		}
		if suffix == "0201" && malformed(status) {
			return deletion.ClassInvalid
		}
	}
	switch {
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
func gatewayCode(code string) (suffix string, ok bool) {
	prefix, suffix, ok := strings.Cut(code, ".")
	return suffix, ok && strings.HasPrefix(prefix, "API")
}

// malformed reports whether the gateway's code 0201 with that status means a malformed request. With
// 5xx the same code means that the backend is down.
func malformed(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, 494: // header too large
		return true
	default:
		return false
	}
}

// refusesKey reports whether an error says that the key itself was refused, which counts towards the
// lock that Huawei Cloud puts on a key. Only the gateway's 0301 and IAM's own 401 do. DDS sees a
// request after its signature was accepted, and a 401 without a code comes from something in front.
func refusesKey(e *deletion.Error) bool {
	suffix, ok := gatewayCode(e.Code)
	return ok && suffix == "0301" || e.HTTPStatus == http.StatusUnauthorized && (e.Code == "401" || strings.HasPrefix(e.Code, "IAM."))
}

// classOfCode has the class of each DDS code that a deletion can get. Only a code in this table makes
// an answer final. The published table has 179 codes; the others belong to other calls, so they are
// unknown for a deletion.
//
// Evidence: "table" is the code table of the DDS API reference
// (https://support.huaweicloud.com/intl/en-us/api-dds/dds_error_code.html), "terraform" is
// what terraform-provider-huaweicloud does with the code, "siblings" is the retry list of the RDS
// resources in the providers of Huawei Cloud and Open Telekom Cloud, "inferred" is our interpretation.
var classOfCode = map[string]deletion.Class{
	// Gone. A wrong project or region looks the same, so it is never called deleted.
	"DBS.201214": deletion.ClassNotFound, // backup not there, or not of this instance; terraform: already deleted
	"DBS.201502": deletion.ClassNotFound, // instance not there, or not the tenant's; terraform: already deleted
	"DBS.201501": deletion.ClassNotFound, // instance not there; table
	"DBS.280110": deletion.ClassNotFound, // instance not there; table
	"DBS.200002": deletion.ClassNotFound, // resource not there, a 404; table
	"DBS.201028": deletion.ClassNotFound, // resource not there, a 403; table
	"DBS.280016": deletion.ClassNotFound, // resource not there; table

	// Ambiguous: the Chinese page says not there, the English one that its state forbids it.
	// The client asks the backup list; this class holds if it cannot be asked.
	codeAmbiguous: deletion.ClassConflict,

	// Wrong in itself.
	"DBS.280124": deletion.ClassInvalid, // "invalid backup": the id does not meet the requirements; table
	"DBS.200001": deletion.ClassInvalid, // parameter wrong; table
	"DBS.280001": deletion.ClassInvalid, // parameter wrong; table
	"DBS.290000": deletion.ClassInvalid, // parameter wrong; table
	"DBS.201006": deletion.ClassInvalid, // parameter wrong; table
	"DBS.200095": deletion.ClassInvalid, // parameter wrong; table
	"DBS.200004": deletion.ClassInvalid, // operation not legal, perhaps an automated backup; inferred

	// Another time.
	"DBS.201319":   deletion.ClassConflict,    // a restore is using the backup; table: wait
	"DBS.200019":   deletion.ClassConflict,    // another operation is running, a 403; terraform: wait and repeat
	"DBS.200076":   deletion.ClassConflict,    // another operation is running, a 403; terraform: wait and repeat
	"DBS.201000":   deletion.ClassConflict,    // another operation is running, a 403; terraform: wait and repeat
	"DBS.201014":   deletion.ClassConflict,    // instance unhealthy, a 403; terraform: wait and repeat
	"DBS.201015":   deletion.ClassConflict,    // instance unhealthy, a 403; terraform: wait and repeat
	"DBS.00010009": deletion.ClassConflict,    // instance state not right; in no table; terraform: wait and repeat
	"DBS.200011":   deletion.ClassConflict,    // instance state forbids, a 403; table
	"DBS.200018":   deletion.ClassConflict,    // instance state forbids, a 403; table
	"DBS.200047":   deletion.ClassConflict,    // instance state forbids; table
	"DBS.201202":   deletion.ClassConflict,    // instance state forbids; table
	"DBS.280042":   deletion.ClassConflict,    // "invalid request", a 403, whose remedy is to check the instance's state; table
	"DBS.280343":   deletion.ClassConflict,    // the instance's state forbids; siblings: wait and repeat
	"DBS.239037":   deletion.ClassConflict,    // another operation is running; in no table; terraform: wait and repeat
	"DBS.200054":   deletion.ClassConflict,    // "backup in use" in the RDS sample, where the table speaks of specifications; siblings
	"DBS.200611":   deletion.ClassConflict,    // siblings: wait and repeat
	"DBS.200080":   deletion.ClassConflict,    // siblings: wait and repeat
	"DBS.200463":   deletion.ClassConflict,    // siblings: wait and repeat
	"DBS.201206":   deletion.ClassConflict,    // siblings: wait and repeat
	"DBS.212033":   deletion.ClassConflict,    // siblings: wait and repeat
	"DBS.280011":   deletion.ClassConflict,    // siblings: wait and repeat
	"DBS.280816":   deletion.ClassConflict,    // siblings: wait and repeat
	"DBS.01010337": deletion.ClassConflict,    // siblings: wait and repeat
	"DBS.01280030": deletion.ClassConflict,    // siblings: wait and repeat
	"DBS.200998":   deletion.ClassUnavailable, // busy, try later, a 400; table
	"DBS.280443":   deletion.ClassThrottled,   // "maximum number of connections reached", a 429: call less often; table
	"DBS.280005":   deletion.ClassUnavailable, // server failure; table
	"DBS.201509":   deletion.ClassUnavailable, // OBS out of reach; table
	"DBS.280064":   deletion.ClassUnavailable, // the check of the permissions failed, a 401 (in 2020 a 500), after the signature was accepted; table

	// Not allowed, or set up wrongly: a person must fix it, and the queue must not drain meanwhile.
	"DBS.280056": deletion.ClassUnauthenticated, // token bad, no fault of an access key; table
	"DBS.280015": deletion.ClassForbidden,       // permission denied, a 400; table
	"DBS.200010": deletion.ClassForbidden,       // tenant does not match the instance, a 400; table
	"DBS.280032": deletion.ClassForbidden,       // the user lacks the action; table
	"DBS.280063": deletion.ClassForbidden,       // the user lacks the action it names; table
	"DBS.200604": deletion.ClassForbidden,       // instance of somebody else; table
	"DBS.280019": deletion.ClassForbidden,       // suspended for arrears; table
	"DBS.280408": deletion.ClassForbidden,       // project id bad, a 400: configuration; table
}

// codeAmbiguous is the code with two meanings.
const codeAmbiguous = "DBS.201204"

// classOfGatewayCode has the class of the codes of the API gateway in front of DDS, which come as
// APIGW.0301, APIG.0301 or APIC.0301. 0201 is missing because it means a malformed request (4xx) or
// a backend that is down (5xx): the status decides.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html
var classOfGatewayCode = map[string]deletion.Class{
	"0101": deletion.ClassForbidden,       // no such API: wrong host or path, configuration
	"0103": deletion.ClassUnavailable,     // no backend
	"0104": deletion.ClassUnavailable,     // orchestration fault
	"0105": deletion.ClassUnavailable,     // orchestration fault
	"0106": deletion.ClassUnavailable,     // orchestration fault
	"0204": deletion.ClassForbidden,       // TLS version refused: configuration
	"0301": deletion.ClassUnauthenticated, // bad signature, unknown or locked key: never repeat blindly
	"0302": deletion.ClassForbidden,       // access refused
	"0306": deletion.ClassForbidden,       // project not usable
	"0307": deletion.ClassUnauthenticated, // token to be renewed, or of another region; no fault of an access key
	"0308": deletion.ClassThrottled,       // with limit and window in its text
	"0310": deletion.ClassForbidden,       // project not usable
	"0401": deletion.ClassForbidden,       // address refused
	"0402": deletion.ClassForbidden,       // address refused
	"0404": deletion.ClassForbidden,       // address refused
	"0501": deletion.ClassForbidden,       // quota spent, a 405
	"0502": deletion.ClassForbidden,       // app frozen, a 405
	"0601": deletion.ClassUnavailable,     // internal
	"0605": deletion.ClassUnavailable,     // internal
	"0606": deletion.ClassUnavailable,     // internal
	"0608": deletion.ClassUnavailable,     // internal
	"0609": deletion.ClassUnavailable,     // internal
	"0610": deletion.ClassUnavailable,     // no backend within reach
	"0611": deletion.ClassUnavailable,     // internal
	"0612": deletion.ClassUnavailable,     // internal
	"0613": deletion.ClassUnavailable,     // IAM out of reach for the moment
	"0705": deletion.ClassUnavailable,     // internal
	"0802": deletion.ClassForbidden,       // region forbidden
}
