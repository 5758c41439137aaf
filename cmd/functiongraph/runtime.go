package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"dds-backup-delete/internal/retry"
	"dds-backup-delete/internal/secret"
)

const (
	// firstPause is the pause after an answer of the runtime API that brings no event, as in FunctionGraph's sample.
	// lastPause bounds the pauses while the API fails.
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
	// answerTries is how often the answer to an invocation is sent at most.
	answerTries = 5
	// answerTime bounds one try.
	answerTime = 10 * time.Second
)

// runtime is a custom runtime: it asks the runtime API for one event after the other.
// https://support.huaweicloud.com/intl/en-us/usermanual-functiongraph/functiongraph_01_0406.html
type runtime struct {
	host   *host
	base   string // the address before request, response and error
	client *http.Client
}

func newRuntime(h *host, api string) *runtime {
	// No proxy: the API is on this machine. No time limit either: an event may come in an hour.
	return &runtime{host: h, base: "http://" + api + "/v1/runtime/invocation/", client: &http.Client{Transport: &http.Transport{}}}
}

// errNoEvent says that the API has no event now.
var errNoEvent = errors.New("no event")

// serve works events until ctx ends. Whatever the API answers, it goes on asking. A failure that lasts is logged
// once.
func (r *runtime) serve(ctx context.Context) {
	pause, logged := firstPause, false
	for ctx.Err() == nil {
		err := r.next(ctx)
		if err == nil || errors.Is(err, errNoEvent) {
			pause, logged = firstPause, false
			if err != nil { // the next event may come at any time, and its caller wait
				retry.Wait(ctx, pause)
			}
			continue
		}
		if pause == lastPause && !logged && ctx.Err() == nil {
			logged = true
			r.host.log.WarnContext(ctx, "the runtime API gives no events", "error", secret.Redact(err.Error()))
		}
		retry.Wait(ctx, pause)
		pause = min(2*pause, lastPause)
	}
}

// next waits for an event, works it and answers it. The error says why there was none.
func (r *runtime) next(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"request", nil)
	if err != nil {
		return err
	}
	got, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer got.Body.Close() //nolint:errcheck // it was read
	// An event that does not arrive in the time of its invocation must not stop all others.
	defer time.AfterFunc(r.host.timeout, cancel).Stop()
	id := got.Header.Get(headerRequestID)
	if got.StatusCode != http.StatusOK || id == "" {
		_, _ = io.Copy(io.Discard, io.LimitReader(got.Body, maxRead)) // so that the connection is kept
		if got.StatusCode/100 == 2 {
			return errNoEvent
		}
		return fmt.Errorf("status %d", got.StatusCode)
	}
	// What has begun is finished also after a signal.
	working := context.WithoutCancel(ctx)
	answer, failed := r.host.invoke(working, got.Header, got.Body)
	kind := "response"
	if failed {
		kind = "error"
	}
	r.answer(withRequestID(working, id), r.base+kind+"/"+url.PathEscape(id), answer)
	return nil
}

// answer sends the answer to an invocation. It sends it again while the API fails, because an invocation without
// an answer runs into its timeout. One that the API refuses is only logged: the outcomes are in the ledger and
// have been published.
func (r *runtime) answer(ctx context.Context, address string, body []byte) {
	pause := firstPause
	for try := 1; ; try++ {
		again, err := r.post(ctx, address, body)
		if err == nil {
			return
		}
		if !again || try == answerTries {
			r.host.log.ErrorContext(ctx, "the runtime API did not take an answer", "error", secret.Redact(err.Error()), "tries", try, "bytes", len(body))
			return
		}
		retry.Wait(ctx, pause)
		pause = min(2*pause, lastPause)
	}
}

// post sends an answer once. The error says why it was not taken, and again whether another try may help.
func (r *runtime) post(ctx context.Context, address string, body []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	got, err := r.client.Do(request)
	if err != nil {
		return true, err
	}
	defer got.Body.Close() //nolint:errcheck // it was read
	text, _ := io.ReadAll(io.LimitReader(got.Body, 1<<10))
	if got.StatusCode/100 != 2 {
		return got.StatusCode >= 500, fmt.Errorf("status %d: %s", got.StatusCode, text)
	}
	return false, nil
}
