package sink

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"dds-backup-delete/internal/secret"
)

// The example in the documentation of the scheme.
func TestSignature(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	header := make(http.Header)
	sign(header, secret.New(string(key)), "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got, want := header.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	if header.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("timestamp %s", header.Get("webhook-timestamp"))
	}
}
