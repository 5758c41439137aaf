package lambdatest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxResponse is Lambda's limit in bytes for a buffered response.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxResponse = 6<<20 + 100

const headerErrorType = "Lambda-Runtime-Function-Error-Type"

func (f *Function) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", f.serveNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", f.serveResponse)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", f.serveError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", f.serveInitError)
	mux.HandleFunc("POST /2020-01-01/extension/register", f.serveRegister)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", f.serveExtensionNext)
	return mux
}

func (f *Function) serveNext(w http.ResponseWriter, r *http.Request) {
	f.markReady()
	for {
		select {
		case c := <-f.queue:
			deadline, ok := f.hand(c)
			if !ok {
				continue
			}
			// The context is checked only before the write: a client may close its
			// connection as soon as it has the event, and then the event is not lost.
			err := r.Context().Err()
			if err == nil {
				err = f.writeEvent(w, c.in, deadline)
			}
			if err != nil {
				f.takeBack(c)
			}
			return
		case <-r.Context().Done():
			return
		case <-f.exited:
			refuse(w, http.StatusGone, "Exited", "the process has ended")
			return
		}
	}
}

func (f *Function) writeEvent(w http.ResponseWriter, in Invocation, deadline time.Time) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(in.Payload)))
	h.Set("Lambda-Runtime-Aws-Request-Id", in.RequestID)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", f.arn)
	h.Set("Lambda-Runtime-Trace-Id", newTraceID())
	if _, err := w.Write(in.Payload); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush() // or a failure would only show after this handler
}

func (f *Function) serveResponse(w http.ResponseWriter, r *http.Request) {
	f.serveAnswer(w, r, func(body []byte) Result {
		// The client cannot change a status that it has sent, so trailers report
		// an error that happens while it streams the response.
		if t := r.Trailer.Get(headerErrorType); t != "" {
			cause, err := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
			if err != nil {
				cause = nil
			}
			return Result{Err: newFunctionError(t, cause)}
		}
		return Result{Payload: body}
	})
}

func (f *Function) serveError(w http.ResponseWriter, r *http.Request) {
	f.serveAnswer(w, r, func(body []byte) Result {
		return Result{Err: newFunctionError(r.Header.Get(headerErrorType), body)}
	})
}

func (f *Function) serveAnswer(w http.ResponseWriter, r *http.Request, result func(body []byte) Result) {
	id := r.PathValue("id")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		text := fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)
		failure := errorBody("Function.ResponseSizeTooLarge", text)
		if !f.settle(id, Result{Err: newFunctionError("", failure)}) {
			refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
			return
		}
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", text)
	case err != nil:
		refuse(w, http.StatusBadRequest, "InvalidRequest", err.Error())
	default:
		if !f.settle(id, result(body)) {
			refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
			return
		}
		accept(w)
	}
}

func (f *Function) serveInitError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest", err.Error())
		return
	}
	if !f.markInitFailed(body) {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "The initialization is complete")
		return
	}
	accept(w)
}

// newFunctionError takes the type from the header if the body has none.
func newFunctionError(header string, body []byte) *FunctionError {
	var e struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(body, &e) != nil || e.Type == "" {
		e.Type = header // the body may be anything
	}
	return &FunctionError{Type: e.Type, Message: e.Message, Body: body}
}

func errorBody(kind, text string) []byte {
	b, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": text})
	if err != nil {
		return nil // impossible: strings can always be encoded
	}
	return b
}

func accept(w http.ResponseWriter) {
	reply(w, http.StatusAccepted, []byte(`{"status":"OK"}`))
}

func refuse(w http.ResponseWriter, status int, kind, text string) {
	reply(w, status, errorBody(kind, text))
}

func reply(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // there is nowhere to report an error
}
