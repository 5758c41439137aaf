package sink

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBinaryMode(t *testing.T) {
	header, data, err := binary([]byte(`{"specversion":"1.0","id":"a b","source":"ü%","datacontenttype":"application/json","traceparent":"00-1-2-01","data":{"a" :1}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Ce-Specversion": {"1.0"}, "Ce-Id": {"a%20b"}, "Ce-Source": {"%C3%BC%25"}, "Ce-Traceparent": {"00-1-2-01"}, "Content-Type": {"application/json"},
	}
	if diff := cmp.Diff(want, header); diff != "" || string(data) != `{"a" :1}` {
		t.Errorf("data %s, headers (-want +got):\n%s", data, diff)
	}
	for _, event := range []string{`[]`, `{"id":5}`, ``} {
		if _, _, err := binary([]byte(event)); err == nil {
			t.Errorf("%q was taken for an event", event)
		}
	}
}
