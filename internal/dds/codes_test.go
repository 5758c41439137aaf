package dds

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// published is the whole code table of the DDS API reference, by HTTP status.
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_error_code.html
var published = map[int]string{
	400: `200001 200004 200010 200024 200025 200029 200041 200047 200048 200049 200050 200052 200053 200054 200057
200059 200060 200068 200072 200075 200077 200091 200092 200095 200302 200303 200304 200306 200311 200434 200451 200462
200470 200501 200502 200503 200506 200507 200700 200701 200702 200816 200817 200818 200823 200824 200826 200827 200828
200998 201006 201020 201201 201202 201204 201214 201319 201501 201502 212003 212006 212008 212013 212017 212019 212028
212030 212031 212032 216026 238007 239011 239012 239014 239015 239016 239017 239018 239019 239020 239021 239022 239029
239031 239032 239033 280001 280015 280016 280066 280067 280068 280110 280122 280123 280124 280127 280200 280214 280215
280216 280234 280235 280236 280239 280241 280242 280244 280247 280248 280249 280266 280267 280271 280277 280280 280284
280292 280311 280314 280327 280342 280343 280347 280361 280365 280404 280407 280408 280409 280414 280416 280421 280434
280437 280438 280439 280440 280441 280445 280446 280469 280482 280483 280484 290000 301071 301072 301073 301074 301075
301076 301077`,
	401: `280056 280064`,
	403: `200011 200018 200019 200028 200076 200604 201000 201014 201015 201028 216030 280019 280032 280042 280063 280406 280433`,
	404: `200002 200013 200042 212001`,
	429: `280443`,
	500: `201509 280005`,
}

// named are the published codes that a deletion is known to get.
var named = map[deletion.Class]string{
	deletion.ClassNotFound:        "201214 201502 201501 280110 200002 201028 280016",
	deletion.ClassInvalid:         "280124 200001 280001 290000 201006 200095 200004",
	deletion.ClassConflict:        "201204 201319 200019 200076 201000 201014 201015 200011 200018 200047 201202 280343 280042 200054",
	deletion.ClassUnavailable:     "200998 280005 201509 280064",
	deletion.ClassThrottled:       "280443",
	deletion.ClassUnauthenticated: "280056",
	deletion.ClassForbidden:       "280015 200010 280032 280063 200604 280019 280408",
}

func TestEveryPublishedCodeHasItsClass(t *testing.T) {
	want := make(map[string]deletion.Class)
	for class, codes := range named {
		for _, code := range strings.Fields(codes) {
			want[code] = class
		}
	}
	count := 0
	for status, codes := range published {
		for _, code := range strings.Fields(codes) {
			count++
			class, ok := want[code]
			if !ok { // a code of another call makes nothing final
				class = deletion.ClassUnknown
			}
			delete(want, code)
			if got := classOf(status, "DBS."+code); got != class {
				t.Errorf("HTTP %d DBS.%s is %s, want %s", status, code, got, class)
			}
		}
	}
	if count != 179 {
		t.Errorf("%d codes, want the 179 of the page", count)
	}
	if len(want) != 0 {
		t.Errorf("codes that the page does not have: %v", want)
	}
	// In no table, but seen by users of the providers; and two whose status was different in 2020.
	for class, codes := range map[deletion.Class]string{
		deletion.ClassConflict:    "00010009 239037 200611 200080 200463 201206 212033 280011 280816 01010337 01280030",
		deletion.ClassUnavailable: "280064",
		deletion.ClassForbidden:   "200604",
	} {
		for _, code := range strings.Fields(codes) {
			for _, status := range []int{400, 403, 500} {
				if got := classOf(status, "DBS."+code); got != class {
					t.Errorf("HTTP %d DBS.%s is %s, want %s", status, code, got, class)
				}
			}
		}
	}
}

func TestEveryGatewayCodeHasItsClass(t *testing.T) {
	for _, tc := range []struct {
		class  deletion.Class
		status int
		codes  string
	}{
		{deletion.ClassForbidden, 404, "0101"},
		{deletion.ClassUnavailable, 500, "0103 0104 0105 0106 0201 0601 0605 0606 0608 0609 0611 0612 0705"},
		{deletion.ClassUnavailable, 400, "0103 0104 0105 0106"},
		{deletion.ClassInvalid, 400, "0201"},
		{deletion.ClassInvalid, 413, "0201"},
		{deletion.ClassInvalid, 414, "0201"},
		{deletion.ClassInvalid, 494, "0201"},
		{deletion.ClassUnavailable, 502, "0201 0610"},
		{deletion.ClassUnavailable, 504, "0201"},
		{deletion.ClassForbidden, 400, "0204"},
		{deletion.ClassUnauthenticated, 401, "0301 0307"},
		{deletion.ClassForbidden, 403, "0302 0306 0310 0401 0402 0404 0802"},
		{deletion.ClassThrottled, 429, "0308"},
		{deletion.ClassForbidden, 405, "0501 0502"},
		{deletion.ClassUnavailable, 503, "0613"},
	} {
		for _, code := range strings.Fields(tc.codes) {
			for _, prefix := range []string{"APIGW.", "APIG.", "APIC."} {
				if got := classOf(tc.status, prefix+code); got != tc.class {
					t.Errorf("HTTP %d %s%s is %s, want %s", tc.status, prefix, code, got, tc.class)
				}
			}
		}
	}
}

func TestUnknownCodes(t *testing.T) {
	for _, tc := range []struct {
		status int
		code   string
		want   deletion.Class
	}{
		{400, "DBS.999999", deletion.ClassUnknown},
		{401, "DBS.999999", deletion.ClassUnauthenticated},
		{403, "DBS.999999", deletion.ClassUnknown},
		{404, "DBS.999999", deletion.ClassUnknown},
		{408, "DBS.999999", deletion.ClassUnavailable},
		{409, "DBS.999999", deletion.ClassUnknown},
		{422, "DBS.999999", deletion.ClassUnknown},
		{429, "DBS.999999", deletion.ClassThrottled},
		{500, "DBS.999999", deletion.ClassUnavailable},
		{503, "APIGW.9999", deletion.ClassUnavailable},
		{400, "APIGW.9999", deletion.ClassUnknown},
		{404, "APIGW.9999", deletion.ClassUnknown},
		{405, "APIG.9999", deletion.ClassUnknown},
		{404, "APIGW.0201", deletion.ClassUnknown},
		// Not DDS's own answer, so no verdict on a backup.
		{400, "", deletion.ClassForbidden},
		{404, "", deletion.ClassForbidden},
		{404, "NoSuchKey", deletion.ClassUnknown},
		{400, "RDS.0001", deletion.ClassUnknown},
		{400, "dbs.201214", deletion.ClassUnknown},
		{404, "DBS.", deletion.ClassUnknown},
		{302, "", deletion.ClassForbidden},
		{401, "401", deletion.ClassUnauthenticated},
		{401, "", deletion.ClassUnauthenticated},
		{403, "403", deletion.ClassForbidden},
		{404, "404", deletion.ClassForbidden},
		{409, "", deletion.ClassConflict},
		{429, "", deletion.ClassThrottled},
		{502, "", deletion.ClassUnavailable},
		{204, "", deletion.ClassUnavailable},
	} {
		if got := classOf(tc.status, tc.code); got != tc.want {
			t.Errorf("HTTP %d %q is %s, want %s", tc.status, tc.code, got, tc.want)
		}
	}
}

func TestErrorBodies(t *testing.T) {
	type fields struct{ code, message, requestID string }
	for name, tc := range map[string]struct {
		body string
		want fields
	}{
		"DDS":             {`{"error_code":"DBS.201214","error_msg":"gone"}`, fields{"DBS.201214", "gone", ""}},
		"gateway":         {`{"error_msg":"no","error_code":"APIGW.0301","request_id":"r1"}`, fields{"APIGW.0301", "no", "r1"}},
		"IAM":             {`{"error":{"message":"bad token","code":401,"title":"Unauthorized"}}`, fields{"401", "bad token", ""}},
		"ECS":             {`{"error":{"message":"m","code":"Ecs.0001","details":[{"message":"x","code":"y"}]}}`, fields{"Ecs.0001", "m", ""}},
		"old service":     {`{"externalMessage":"m","errCode":"DBS.200412"}`, fields{"DBS.200412", "m", ""}},
		"plain":           {`{"code":"C.1","message":"m"}`, fields{"C.1", "m", ""}},
		"IAM v5":          {`{"error_code":"PAP5.0001","error_msg":"denied","encoded_authorization_message":"xyz","details":[]}`, fields{"PAP5.0001", "denied", ""}},
		"odd members":     {`{"error_code":{"a":1},"error_msg":["m"],"code":true,"message":"m"}`, fields{"", "m", ""}},
		"error is a text": {`{"error":"boom","message":"m"}`, fields{"", "m", ""}},
		"HTML":            {`<html><title>502</title></html>`, fields{"", "Bad Gateway; 31 bytes of text/html", ""}},
		"a list":          {`[{"error_code":"DBS.201214"}]`, fields{"", "Bad Gateway; 29 bytes of text/html", ""}},
		"nothing":         {``, fields{"", "Bad Gateway", ""}},
		"cut off":         {`{"error_code":"DBS.20`, fields{"", "Bad Gateway; 21 bytes of text/html", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &response{status: 502, body: []byte(tc.body), header: map[string][]string{"Content-Type": {"text/html; charset=utf-8"}}}
			var got fields
			got.code, got.message, got.requestID = parseBody(r)
			if got != tc.want {
				t.Errorf("read %+v, want %+v", got, tc.want)
			}
		})
	}
	for _, name := range []string{"X-Request-Id", "X-Iam-Trace-Id"} {
		r := &response{status: 400, header: map[string][]string{name: {"from the header"}}, body: []byte(`{"request_id":"from the body"}`)}
		if _, _, id := parseBody(r); id != "from the header" {
			t.Errorf("%s: request id %q", name, id)
		}
	}
}

func TestWhatRefusesAKey(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   bool
	}{
		{401, `{"error_code":"APIGW.0301","error_msg":"verify aksk signature fail"}`, true},
		{401, `{"error_code":"APIG.0301"}`, true},
		{401, `{"error_code":"APIC.0301"}`, true},
		{401, `{"error":{"message":"refused","code":401,"title":"Unauthorized"}}`, true},
		{401, `{"error_code":"IAM.0001","error_msg":"refused"}`, true},
		{401, `{"error_code":"APIGW.0307"}`, false},
		{401, `{"error_code":"APIGW.0303"}`, false},
		{401, `{"error_code":"DBS.280056"}`, false},
		{401, `{"error_code":"DBS.280064"}`, false},
		{401, `{"error_code":"DBS.999999"}`, false},
		{401, `<html>log in</html>`, false},
		{401, ``, false},
		{403, `{"error":{"message":"refused","code":403,"title":"Forbidden"}}`, false},
		{500, `{"error_code":"DBS.0301"}`, false},
	} {
		if got := refusesKey(new(call).parseError(&response{status: tc.status, body: []byte(tc.body)}, time.Now())); got != tc.want {
			t.Errorf("HTTP %d %s: %v, want %v", tc.status, tc.body, got, tc.want)
		}
	}
}

// Repeated requests: with the separators of the known gateways, in JSON, and in similar words.
func TestRepeatedRequestIsCut(t *testing.T) {
	for _, said := range []string{
		"verify aksk signature fail, canonicalRequest:DELETE|/v3/p/backups/b/||host:h|x-security-token:unknown-canary||host|e3b0",
		"verify aksk signature fail, canonical_request: DELETE unknown-canary",
		"verify aksk signature fail, Canonical Request unknown-canary",
		"verify aksk signature fail, canonical-headers=unknown-canary",
		`verify aksk signature fail, {\"canonicalRequest\":\"unknown-canary`,
		"verify aksk signature fail, stringToSign: unknown-canary",
		"verify aksk signature fail, string to sign unknown-canary",
		"verify aksk signature fail: Authorization: Basic unknown-canary",
		"verify aksk signature fail: SDK-HMAC-SHA256 Access=unknown-canary",
		"verify aksk signature fail: X-Security-Token=unknown-canary",
		"verify aksk signature fail, signature: unknown-canary",
		strings.Repeat("verify aksk signature fail, ", 15) + strings.Repeat("x", 80) + "canonicalRequest:unknown-canary",
	} {
		got := printable(said)
		if strings.Contains(got, "unknown-canary") || !strings.HasPrefix(got, "verify aksk signature fail") || !strings.HasSuffix(got, "…") {
			t.Errorf("%q became %q", said, got)
		}
	}
	for _, said := range []string{
		"x-auth-token not found", "the Authorization header is malformed", "the security token is missing or invalid",
		"calc ak sk signature fail:signature expired", "The backup file does not exist or does not belong to the instance.",
	} {
		if got := printable(said); got != said {
			t.Errorf("%q became %q", said, got)
		}
	}
	if got := printable("proxy http://user:unknown-canary@proxy.example:3128 refused"); got != "proxy http://REDACTED@proxy.example:3128 refused" {
		t.Errorf("address: %q", got)
	}
}

func FuzzParseError(f *testing.F) {
	const canary = "fuzz+canary/secret=0123456789"
	secret.New(canary)
	for _, body := range []string{
		`{"error_code":"DBS.201214","error_msg":"gone"}`, `{"error":{"error":{"code":1}}}`, `<html>`, `null`, `[`,
		`{"error_code":"` + canary + `","error_msg":"` + canary + `"}`, `{"code":"APIGW.0301","message":"canonicalRequest:` + canary + `","request_id":"` + canary + `"}`,
	} {
		f.Add(400, "text/html", "5", []byte(body))
	}
	f.Add(267, "", "", []byte(nil)) // a status that net/http has no text for
	f.Add(400, "", "", []byte(`{"message":" \u0001"}`))
	f.Fuzz(func(t *testing.T, status int, contentType, wait string, body []byte) {
		e := new(call).parseError(&response{status: status, body: body, header: map[string][]string{
			"Content-Type": {contentType}, "Retry-After": {wait},
		}}, time.Unix(0, 0))
		if e.Class == "" || len(e.Code) > 2*maxMessage || len(e.Message) > 2*maxMessage || e.RetryAfter < 0 {
			t.Errorf("%+v", e)
		}
		for _, r := range e.Code + e.Message + e.DDSRequestID {
			if r < ' ' {
				t.Errorf("a control character %s in %+v", strconv.QuoteRune(r), e)
			}
		}
		text := fmt.Sprint(e)
		if strings.TrimSpace(text) == "" {
			t.Error("no text")
		}
		if strings.Contains(text+e.DDSRequestID, canary) {
			t.Errorf("the secret is in %q", text)
		}
	})
}

// The text of a throttled answer reports the limit, with or without a Retry-After header.
func TestTheReportedLimit(t *testing.T) {
	for body, want := range map[string]rateLimit{
		`{"error_code":"APIGW.0308","error_msg":"policy user over ratelimit,limit:200,time:5 minute"}`: {200, 5 * time.Minute},
		`{"error_code":"DBS.280443","error_msg":"slow down"}`:                                          {},
	} {
		for _, header := range []http.Header{nil, {"Retry-After": {"7"}}} {
			c := new(call)
			if _ = c.parseError(&response{status: 429, header: header, body: []byte(body)}, time.Now()); c.last.limit != want {
				t.Errorf("%s: limit %+v, want %+v", body, c.last.limit, want)
			}
		}
	}
}
