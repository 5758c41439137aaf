// Package customruntime is the smallest host of a function of Huawei FunctionGraph in Go: a custom runtime that polls
// and answers, or the server of a container image. The peers share it, since there is no library for it.
// https://support.huaweicloud.com/intl/en-us/usermanual-functiongraph/functiongraph_01_0406.html
package customruntime

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

// Handler works an event that came with those headers.
type Handler func(header http.Header, event []byte) ([]byte, error)

// Serve hands events to a handler until the runtime API or the server fails, and then ends the process.
func Serve(handle Handler) {
	var err error
	if api := os.Getenv("RUNTIME_API_ADDR"); api != "" {
		for err == nil {
			err = next("http://"+api+"/v1/runtime/invocation/", handle)
		}
	} else {
		http.HandleFunc("POST /invoke", func(w http.ResponseWriter, r *http.Request) {
			event, err := io.ReadAll(r.Body)
			if err != nil {
				return // FunctionGraph is gone
			}
			answer, err := handle(r.Header, event)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = w.Write(answer) // FunctionGraph may be gone
		})
		err = http.ListenAndServe(":"+os.Getenv("FUNCTION_PORT"), nil) //nolint:gosec // the smallest there is
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// next works and answers one event.
func next(base string, handle Handler) error {
	got, err := http.Get(base + "request") //nolint:gosec,noctx // FunctionGraph names the address, and an event may come in an hour
	if err != nil {
		return err
	}
	event, err := read(got)
	if err != nil {
		return err
	}
	kind := "response/"
	answer, err := handle(got.Header, event)
	if err != nil {
		kind, answer = "error/", fmt.Appendf(nil, `{"errorType":"Error","errorMessage":%q}`, err)
	}
	got, err = http.Post(base+kind+got.Header.Get("X-Cff-Request-Id"), "application/json", bytes.NewReader(answer)) //nolint:gosec,noctx // as above
	if err != nil {
		return err
	}
	_, err = read(got)
	return err
}

// read reads a body to its end, so that the connection is kept.
func read(r *http.Response) ([]byte, error) {
	defer r.Body.Close() //nolint:errcheck // it was read
	return io.ReadAll(r.Body)
}
