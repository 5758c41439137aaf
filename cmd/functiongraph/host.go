package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"dds-backup-delete/internal/app"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
)

// The headers of an invocation. The names of the keys are those of FunctionGraph's pages; the older pair is no
// longer maintained there, but is all that some regions send.
// https://support.huaweicloud.com/intl/en-us/usermanual-functiongraph/functiongraph_01_0406.html
const (
	headerRequestID  = "X-Cff-Request-Id"
	headerInvokeType = "X-Cff-Invoke-Type"
	headerToken      = "X-Cff-Security-Token" //nolint:gosec // the name of a header
)

// keyHeaders are the pairs of access key and secret key, which both need the token. The first that is complete counts.
// They are never mixed.
var keyHeaders = [][2]string{
	{"X-Cff-Security-Access-Key", "X-Cff-Security-Secret-Key"},
	{"X-Cff-Access-Key", "X-Cff-Secret-Key"},
}

// secretHeaders are the headers that no part of the program may see after [credentialsOf].
var secretHeaders = []string{
	headerToken, keyHeaders[0][0], keyHeaders[0][1], keyHeaders[1][0], keyHeaders[1][1], "X-Cff-Auth-Token",
}

// maxSync is how long the caller of a synchronous invocation is connected.
// https://support.huaweicloud.com/intl/en-us/usermanual-functiongraph/functiongraph_01_1062.html
const maxSync = 90 * time.Second

// maxAsync is how long an asynchronous invocation works at most. A function may have three days; but a backup stays
// leased until the deadline if the instance dies, and what is left over is parked.
const maxAsync = 15 * time.Minute

// maxRead bounds, in bytes, how much of an event is read. FunctionGraph takes 6 MB; the app refuses what is longer
// than that, and says so.
const maxRead = 8 << 20

// host is what the ways to run have in common. It is safe for use by many goroutines.
type host struct {
	app     *app.App
	log     *slog.Logger
	timeout time.Duration // of an invocation
}

// begin returns the context of an invocation that was received now: its deadline, its id for the log, and its
// credentials. It removes the secrets from the headers.
func (h *host) begin(ctx context.Context, header http.Header) (context.Context, context.CancelFunc) {
	limit := min(h.timeout, maxSync)
	if isAsync(header) {
		limit = min(h.timeout, maxAsync)
	}
	ctx = withRequestID(ctx, header.Get(headerRequestID))
	if keys := credentialsOf(header); keys != (dds.Credentials{}) {
		ctx = dds.WithCredentials(ctx, keys)
	}
	for _, name := range secretHeaders {
		header.Del(name)
	}
	return context.WithTimeout(ctx, limit)
}

// isAsync reports whether nobody waits for the result of an invocation.
func isAsync(header http.Header) bool {
	return strings.EqualFold(header.Get(headerInvokeType), "async")
}

// credentialsOf returns the credentials that came with an invocation; zero if none did. The keys of an agency are
// temporary, so without their token a call would only be refused, and count towards the lock of the key.
func credentialsOf(header http.Header) dds.Credentials {
	secret.NewTemporary(header.Get("X-Cff-Auth-Token")) // it is not used, and must not be repeated either
	for _, names := range keyHeaders {
		keys := dds.Credentials{
			AccessKey: secret.NewTemporary(header.Get(names[0])), SecretKey: secret.NewTemporary(header.Get(names[1])),
			SecurityToken: secret.NewTemporary(header.Get(headerToken)),
		}
		if !keys.AccessKey.IsZero() && !keys.SecretKey.IsZero() && !keys.SecurityToken.IsZero() {
			return keys
		}
	}
	return dds.Credentials{}
}

// invoke works an event, and returns the body to answer with: a result, or an error with failed.
func (h *host) invoke(ctx context.Context, header http.Header, body io.Reader) (answer []byte, failed bool) {
	ctx, cancel := h.begin(ctx, header)
	defer cancel()
	payload, err := io.ReadAll(io.LimitReader(body, maxRead))
	if err != nil {
		h.log.WarnContext(ctx, "the event broke off", "error", secret.Redact(err.Error()), "bytes", len(payload))
		return errorBody("DDS.Unavailable", "the event broke off; nothing was done"), true
	}
	reply, err := h.app.Handle(ctx, event.Invocation{ID: header.Get(headerRequestID), Async: isAsync(header)}, payload)
	if failure, ok := errors.AsType[*event.FunctionError](err); ok {
		return errorBody(failure.Type, failure.Message), true
	}
	return reply, false // Handle has no other errors
}

// errorBody returns an error in the form that FunctionGraph documents.
func errorBody(kind, message string) []byte {
	body, err := json.Marshal(struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{message, kind})
	if err != nil {
		panic(err) // texts can always be marshalled
	}
	return body
}
