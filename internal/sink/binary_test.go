package sink

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
)

func TestBinaryMode(t *testing.T) {
	for name, tc := range map[string]struct {
		event deletion.Event
		want  http.Header
	}{
		"percent-encoded": {
			deletion.Event{ID: "a b", Source: "ü%", Type: "t", TraceParent: "00-1-2-01"},
			http.Header{"Ce-Id": {"a%20b"}, "Ce-Source": {"%C3%BC%25"}, "Ce-Type": {"t"}, "Ce-Traceparent": {"00-1-2-01"}},
		},
		"who asked": {
			deletion.Event{ID: "1", Source: "s", Type: "t", AuthType: "user", AuthID: "arn:aws:iam::123456789012:user/dba"},
			http.Header{"Ce-Id": {"1"}, "Ce-Source": {"s"}, "Ce-Type": {"t"}, "Ce-Authtype": {"user"}, "Ce-Authid": {"arn:aws:iam::123456789012:user/dba"}},
		},
		"who asked, as the sender claims": {
			deletion.Event{ID: "1", Source: "s", Type: "t", AuthType: "app_user", AuthID: `Jürgen "DBA" 100%`, AuthClaimed: true},
			http.Header{
				"Ce-Id": {"1"}, "Ce-Source": {"s"}, "Ce-Type": {"t"},
				"Ce-Authtype": {"app_user"}, "Ce-Authid": {"J%C3%BCrgen%20%22DBA%22%20100%25"}, "Ce-Authclaimed": {"true"},
			},
		},
		"a type alone": {
			deletion.Event{ID: "1", Source: "s", Type: "t", AuthType: "unknown"},
			http.Header{"Ce-Id": {"1"}, "Ce-Source": {"s"}, "Ce-Type": {"t"}, "Ce-Authtype": {"unknown"}},
		},
	} {
		tc.want["Ce-Specversion"], tc.want["Content-Type"] = []string{"1.0"}, []string{"application/json"}
		if diff := cmp.Diff(tc.want, binaryHeader(&tc.event)); diff != "" {
			t.Errorf("%s: headers (-want +got):\n%s", name, diff)
		}
	}
}
