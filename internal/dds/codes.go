package dds

import (
	"net/http"
	"strconv"
	"strings"
)

// classOf returns the class of an answer that is not a success. A code in the tables decides. Of any
// other answer the status decides, and it never gives a final class: a code that no table explains
// may stand for something that passes by itself, and an answer without a code comes from something
// in front of DDS (a proxy, a WAF, a wrong host), which knows nothing of backups.
func classOf(status int, code string) Class {
	if class, known := classOfCode[code]; known {
		return class
	}
	if suffix, ok := gatewayCode(code); ok {
		if class, known := classOfGatewayCode[suffix]; known {
			return class
		}
		if suffix == "0201" && malformed(status) {
			return Invalid
		}
	}
	switch {
	case status == http.StatusUnauthorized:
		return Unauthenticated
	case status == http.StatusTooManyRequests:
		return Throttled
	case status < 300 || status >= 500 || status == http.StatusRequestTimeout:
		return Unavailable
	case code != "" && code != strconv.Itoa(status): // IAM repeats the status as its code
		return Unknown
	case status == http.StatusConflict:
		return Conflict
	default:
		return Forbidden
	}
}

// gatewayCode returns the part of a code of the API gateway that says what happened: 0301 of
// APIGW.0301, APIG.0301 or APIC.0301.
func gatewayCode(code string) (suffix string, ok bool) {
	prefix, suffix, ok := strings.Cut(code, ".")
	return suffix, ok && strings.HasPrefix(prefix, "API")
}

// malformed reports whether the gateway's code 0201 with that status refuses the form of the request.
// With 5xx the same code says that the backend is down.
func malformed(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, 494: // header too large
		return true
	default:
		return false
	}
}

// refusesKey reports whether an error says that the key itself was refused, which counts towards the
// lock that Huawei Cloud puts on a key. Only the gateway's 0301 and IAM's own 401 do. DDS looks at a
// request after its signature was accepted, and a 401 without a code comes from something in front.
func refusesKey(e *Error) bool {
	suffix, ok := gatewayCode(e.Code)
	return ok && suffix == "0301" || e.StatusCode == http.StatusUnauthorized && (e.Code == "401" || strings.HasPrefix(e.Code, "IAM."))
}

// classOfCode is the class of each DDS code that a deletion can meet. Only a code in this table makes
// an answer final. The published table has 179 codes; those not named here belong to other calls, so
// for a deletion they mean as little as a code in no table.
//
// Evidence: "table" is the code table of the DDS API reference
// (https://support.huaweicloud.com/intl/en-us/api-dds/dds_error_code.html), "terraform" is
// what terraform-provider-huaweicloud does with the code, "siblings" is the retry list of the RDS
// resources in the providers of Huawei Cloud and Open Telekom Cloud, "inferred" is our reading.
var classOfCode = map[string]Class{
	// Gone. A wrong project or region looks just the same, so it is never called deleted.
	"DBS.201214": NotFound, // backup not there, or not of this instance; terraform: already deleted
	"DBS.201502": NotFound, // instance not there, or not the tenant's; terraform: already deleted
	"DBS.201501": NotFound, // instance not there; table
	"DBS.280110": NotFound, // instance not there; table
	"DBS.200002": NotFound, // resource not there, a 404; table
	"DBS.201028": NotFound, // resource not there, a 403; table
	"DBS.280016": NotFound, // resource not there; table

	// Ambiguous: the Chinese page says not there, the English one that its state forbids.
	// The client asks the backup list; this class stands where it cannot be asked.
	codeAmbiguous: Conflict,

	// Wrong in itself.
	"DBS.280124": Invalid, // "invalid backup": the id does not meet the requirements; table
	"DBS.200001": Invalid, // parameter wrong; table
	"DBS.280001": Invalid, // parameter wrong; table
	"DBS.290000": Invalid, // parameter wrong; table
	"DBS.201006": Invalid, // parameter wrong; table
	"DBS.200095": Invalid, // parameter wrong; table
	"DBS.200004": Invalid, // operation not legal, perhaps an automated backup; inferred

	// Another time.
	"DBS.201319":   Conflict,    // a restore is using the backup; table: wait
	"DBS.200019":   Conflict,    // another operation is running, a 403; terraform: wait and repeat
	"DBS.200076":   Conflict,    // another operation is running, a 403; terraform: wait and repeat
	"DBS.201000":   Conflict,    // another operation is running, a 403; terraform: wait and repeat
	"DBS.201014":   Conflict,    // instance unhealthy, a 403; terraform: wait and repeat
	"DBS.201015":   Conflict,    // instance unhealthy, a 403; terraform: wait and repeat
	"DBS.00010009": Conflict,    // instance state not right; in no table; terraform: wait and repeat
	"DBS.200011":   Conflict,    // instance state forbids, a 403; table
	"DBS.200018":   Conflict,    // instance state forbids, a 403; table
	"DBS.200047":   Conflict,    // instance state forbids; table
	"DBS.201202":   Conflict,    // instance state forbids; table
	"DBS.280042":   Conflict,    // "invalid request", a 403, whose remedy is to check the instance's state; table
	"DBS.280343":   Conflict,    // the instance's state forbids; siblings: wait and repeat
	"DBS.239037":   Conflict,    // another operation is running; in no table; terraform: wait and repeat
	"DBS.200054":   Conflict,    // "backup in use" in the RDS sample, where the table speaks of specifications; siblings
	"DBS.200611":   Conflict,    // siblings: wait and repeat
	"DBS.200080":   Conflict,    // siblings: wait and repeat
	"DBS.200463":   Conflict,    // siblings: wait and repeat
	"DBS.201206":   Conflict,    // siblings: wait and repeat
	"DBS.212033":   Conflict,    // siblings: wait and repeat
	"DBS.280011":   Conflict,    // siblings: wait and repeat
	"DBS.280816":   Conflict,    // siblings: wait and repeat
	"DBS.01010337": Conflict,    // siblings: wait and repeat
	"DBS.01280030": Conflict,    // siblings: wait and repeat
	"DBS.200998":   Unavailable, // busy, try later, a 400; table
	"DBS.280443":   Throttled,   // "maximum number of connections reached", a 429: call less often; table
	"DBS.280005":   Unavailable, // server failure; table
	"DBS.201509":   Unavailable, // OBS out of reach; table
	"DBS.280064":   Unavailable, // the check of the permissions failed, a 401 (in 2020 a 500), after the signature was accepted; table

	// Not allowed, or set up wrongly: a person must fix it, and the queue must not drain meanwhile.
	"DBS.280056": Unauthenticated, // token bad, no fault of an access key; table
	"DBS.280015": Forbidden,       // permission denied, a 400; table
	"DBS.200010": Forbidden,       // tenant does not match the instance, a 400; table
	"DBS.280032": Forbidden,       // the user lacks the action; table
	"DBS.280063": Forbidden,       // the user lacks the action it names; table
	"DBS.200604": Forbidden,       // instance of somebody else; table
	"DBS.280019": Forbidden,       // suspended for arrears; table
	"DBS.280408": Forbidden,       // project id bad, a 400: configuration; table
}

// codeAmbiguous is the code that stands for two things.
const codeAmbiguous = "DBS.201204"

// classOfGatewayCode is the class of the codes of the API gateway in front of DDS, which come
// as APIGW.0301, APIG.0301 or APIC.0301. 0201 is left out, since it is used for malformed
// requests (4xx) and for a backend that is down (5xx): the status decides.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html
var classOfGatewayCode = map[string]Class{
	"0101": Forbidden,       // no such API: wrong host or path, configuration
	"0103": Unavailable,     // no backend
	"0104": Unavailable,     // orchestration fault
	"0105": Unavailable,     // orchestration fault
	"0106": Unavailable,     // orchestration fault
	"0204": Forbidden,       // TLS version refused: configuration
	"0301": Unauthenticated, // bad signature, unknown or locked key: never repeat blindly
	"0302": Forbidden,       // access refused
	"0306": Forbidden,       // project not usable
	"0307": Unauthenticated, // token to be renewed, or of another region; no fault of an access key
	"0308": Throttled,       // with limit and window in its text
	"0310": Forbidden,       // project not usable
	"0401": Forbidden,       // address refused
	"0402": Forbidden,       // address refused
	"0404": Forbidden,       // address refused
	"0501": Forbidden,       // quota spent, a 405
	"0502": Forbidden,       // app frozen, a 405
	"0601": Unavailable,     // internal
	"0605": Unavailable,     // internal
	"0606": Unavailable,     // internal
	"0608": Unavailable,     // internal
	"0609": Unavailable,     // internal
	"0610": Unavailable,     // no backend within reach
	"0611": Unavailable,     // internal
	"0612": Unavailable,     // internal
	"0613": Unavailable,     // IAM out of reach for the moment
	"0705": Unavailable,     // internal
	"0802": Forbidden,       // region forbidden
}
