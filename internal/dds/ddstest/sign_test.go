package ddstest

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// The first two signatures are those of the official SDK's tests.
func TestSign(t *testing.T) {
	const (
		project = "0549b4a43100d4f32f51c01c2fe4acdb"
		backup  = "/v3/" + project + "/backups/8d9586c40b33449a815518d4635a2cd9br02"
	)
	for name, tc := range map[string]struct {
		method, target, body string
		header               map[string]string
		signed, want         string
	}{
		"query": {
			method: "GET", target: "/path?limit=1", header: map[string]string{"name_with_underscore": "x"},
			signed: "x-sdk-date", want: "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624",
		},
		"body": {
			method: "POST", target: "/path?key=value", body: `{"Name":"test","Id":1}` + "\n", header: map[string]string{"Content-Type": "application/json"},
			signed: "x-sdk-date", want: "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59",
		},
		"deletion": {
			method: "DELETE", target: backup,
			signed: "x-sdk-date", want: "8b2de0f7fef934d9d287dc05d5676c3482cfeeae0592aceece0c7f4c81a52406",
		},
		"host and project": {
			method: "DELETE", target: backup, header: map[string]string{"X-Project-Id": project},
			signed: "host;x-project-id;x-sdk-date", want: "480994f986c81b920a4d18e49eebbaa7388be54fa3fe5a90018bd7f0638e7aa6",
		},
		"security token": {
			method: "DELETE", target: backup, header: map[string]string{"X-Project-Id": project, "X-Security-Token": " TOKEN "},
			signed: "host;x-project-id;x-sdk-date;x-security-token", want: "0a9c0942843bfab08e7e7754e33bdde792ff032c974d91595985e7ed4a4593d3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &request{Request: httptest.NewRequestWithContext(t.Context(), tc.method, tc.target, strings.NewReader(tc.body))}
			r.Host = "dds.cn-north-1.myhuaweicloud.com"
			r.Header.Set("X-Sdk-Date", "20060102T150405Z")
			for name, value := range tc.header {
				r.Header.Set(name, value)
			}
			if refusal := r.read(); refusal != nil {
				t.Fatal(refusal.message)
			}
			hash, ok := bodyHash(r)
			if got := sign(r, hash, strings.Split(tc.signed, ";"), "SecretKey"); got != tc.want || !ok {
				t.Errorf("signature %s, want %s", got, tc.want)
			}
		})
	}
}

func TestCanonicalForms(t *testing.T) {
	if got, want := encode("一 (&=?!#%.*)-_~"), "%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29-_~"; got != want {
		t.Errorf("encoded %s, want %s", got, want)
	}
	query := map[string][]string{"b": {"2", "1"}, "a": {""}, "c d": {"e f"}}
	if got, want := canonicalQuery(query), "a=&b=1&b=2&c%20d=e%20f"; got != want {
		t.Errorf("query %s, want %s", got, want)
	}
	for path, want := range map[string]string{"/": "/", "/a b": "/a%20b/", "/a/": "/a/"} {
		if got := canonicalPath(path); got != want {
			t.Errorf("path %s: %s, want %s", path, got, want)
		}
	}
}
