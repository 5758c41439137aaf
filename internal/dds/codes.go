package dds

import (
	"net/http"
	"strings"
)

// classOf decides the class of an answer that is not a success: the code, where it is known;
// else the status. An answer without any code is not DDS's own (a proxy, a wrong host, a
// WAF), so nothing in it is a verdict on the backup.
func classOf(status int, code string) Class {
	if class, known := classOfCode[code]; known {
		return class
	}
	if prefix, suffix, ok := strings.Cut(code, "."); ok && strings.HasPrefix(prefix, "API") {
		if class, known := classOfGatewayCode[suffix]; known {
			return class
		}
	}
	switch status {
	case http.StatusUnauthorized:
		return Unauthenticated
	case http.StatusForbidden:
		return Forbidden
	case http.StatusRequestTimeout:
		return Unavailable
	case http.StatusConflict:
		return Conflict
	case http.StatusTooManyRequests:
		return Throttled
	}
	switch {
	case status < 300 || status >= 500:
		return Unavailable
	case !strings.HasPrefix(code, "DBS.") && !malformed(status, code):
		return Forbidden
	case status == http.StatusNotFound:
		return NotFound
	default:
		return Invalid
	}
}

// malformed reports whether the gateway refused the form of the request. What else it says
// of a 4xx is no verdict on a backup, which it does not know.
func malformed(status int, code string) bool {
	return strings.HasPrefix(code, "API") && strings.HasSuffix(code, ".0201") && status != http.StatusNotFound
}

// classOfCode is the class of each DDS code that a deletion can meet. The published table has
// 179 codes; those not named here belong to other calls, and their status decides.
//
// Evidence: "table" is the code table of the DDS API reference
// (https://support.huaweicloud.com/intl/en-us/api-dds/dds_error_code.html), "terraform" is
// what terraform-provider-huaweicloud does with the code, "inferred" is our reading.
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
	"DBS.280124": Invalid, // backup id malformed; table
	"DBS.200001": Invalid, // parameter wrong; table
	"DBS.280001": Invalid, // parameter wrong; table
	"DBS.290000": Invalid, // parameter wrong; table
	"DBS.201006": Invalid, // parameter wrong; table
	"DBS.200095": Invalid, // parameter wrong; table
	"DBS.200004": Invalid, // operation not legal, perhaps an automated backup; inferred
	"DBS.280343": Invalid, // operation not supported, perhaps an automated backup; inferred
	"DBS.280042": Invalid, // operation not supported, a 403; inferred

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
	"DBS.200998":   Unavailable, // busy, try later, a 400; table
	"DBS.280443":   Throttled,   // too many calls of one tenant; table
	"DBS.280005":   Unavailable, // server failure; table
	"DBS.201509":   Unavailable, // OBS out of reach; table

	// Not allowed, or set up wrongly: a person must mend it, and the queue must not drain meanwhile.
	"DBS.280056": Unauthenticated, // token bad; table
	"DBS.280064": Unauthenticated, // permission check failed, a 401 (in 2020 a 500); table
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
	"0307": Unauthenticated, // token to be renewed, or of another region
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
