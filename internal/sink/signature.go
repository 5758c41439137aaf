package sink

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"dds-backup-delete/internal/secret"
)

// sign adds the headers of the Standard Webhooks scheme. They tell a receiver who sent the body and
// when, and whether it is a repeat.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func sign(header http.Header, key secret.String, id string, now time.Time, body []byte) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	digest := hmac.New(sha256.New, []byte(key.Reveal()))
	_, _ = fmt.Fprintf(digest, "%s.%s.%s", id, timestamp, body) // a hash cannot fail
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", timestamp)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(digest.Sum(nil)))
}
