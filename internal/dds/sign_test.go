package dds

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"dds-backup-delete/internal/secret"
)

// The first two vectors are from the tests of the official SDK, the others were computed with an
// independent script.
func TestSignVectors(t *testing.T) {
	const (
		deletePath = "/v3/0549b4a43100d4f32f51c01c2fe4acdb/backups/8d9586c40b33449a815518d4635a2cd9br02"
		project    = "0549b4a43100d4f32f51c01c2fe4acdb"
	)
	dateOnly := []string{"X-Sdk-Date"}
	for _, tc := range []struct {
		name, method, url, body string
		header                  map[string]string
		sign                    []string
		signed, signature       string
	}{
		{
			name: "GET with a query", method: http.MethodGet, url: "https://example.huaweicloud.com/path?limit=1",
			header: map[string]string{"Header_With_Underscore": "x"}, sign: dateOnly,
			signed: "x-sdk-date", signature: "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624",
		},
		{
			name: "POST with a body", method: http.MethodPost, url: "https://example.huaweicloud.com/path?key=value",
			body:   "{\"Name\":\"test\",\"Id\":1}\n",
			header: map[string]string{"Content-Type": "application/json"}, sign: dateOnly,
			signed: "x-sdk-date", signature: "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59",
		},
		{
			name: "DELETE, the date alone", method: http.MethodDelete, url: "https://example.huaweicloud.com" + deletePath,
			sign:   dateOnly,
			signed: "x-sdk-date", signature: "8b2de0f7fef934d9d287dc05d5676c3482cfeeae0592aceece0c7f4c81a52406",
		},
		{
			name: "DELETE as we send it", method: http.MethodDelete, url: "https://dds.cn-north-1.myhuaweicloud.com" + deletePath,
			header: map[string]string{"X-Project-Id": project}, sign: signedHeaders,
			signed: "host;x-project-id;x-sdk-date", signature: "480994f986c81b920a4d18e49eebbaa7388be54fa3fe5a90018bd7f0638e7aa6",
		},
		{
			name: "DELETE with a temporary key", method: http.MethodDelete, url: "https://dds.cn-north-1.myhuaweicloud.com" + deletePath,
			header: map[string]string{"X-Project-Id": project, "X-Security-Token": "TOKEN"}, sign: signedHeaders,
			signed:    "host;x-project-id;x-sdk-date;x-security-token",
			signature: "0a9c0942843bfab08e7e7754e33bdde792ff032c974d91595985e7ed4a4593d3",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tc.method, tc.url, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Sdk-Date", "20060102T150405Z")
			for name, value := range tc.header {
				r.Header.Set(name, value)
			}
			hash := sha256.Sum256([]byte(tc.body))
			Sign(r, hex.EncodeToString(hash[:]), Credentials{AccessKey: secret.New("AccessKey"), SecretKey: secret.New("SecretKey")}, tc.sign)
			want := "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=" + tc.signed + ", Signature=" + tc.signature
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("Authorization\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestQueryEncoding(t *testing.T) {
	query := map[string][]string{"b": {"一 (&=?!#%.*)", ""}, "a b": {"+"}}
	const want = "a%20b=%2B&b=&b=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29"
	if got := canonicalQuery(query); got != want {
		t.Errorf("query\n got %s\nwant %s", got, want)
	}
}

func BenchmarkSign(b *testing.B) {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodDelete,
		"https://dds.cn-north-1.myhuaweicloud.com/v3/0549b4a43100d4f32f51c01c2fe4acdb/backups/8d9586c40b33449a815518d4635a2cd9br02", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("X-Sdk-Date", "20060102T150405Z")
	r.Header.Set("X-Project-Id", "0549b4a43100d4f32f51c01c2fe4acdb")
	b.ReportAllocs()
	for b.Loop() {
		Sign(r, emptyBodySHA256, Credentials{AccessKey: secret.New("AccessKey"), SecretKey: secret.New("SecretKey")}, signedHeaders)
	}
}
