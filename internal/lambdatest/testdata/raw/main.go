// Command raw is a runtime that breaks the protocol. Its reply to an event has
// the status codes that it got for that.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

var api = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API")

func post(path, body string, header ...string) int {
	req, err := http.NewRequest(http.MethodPost, api+path, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func get(path string) (*http.Response, []byte) {
	res, err := http.Get(api + path)
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		log.Fatal(err)
	}
	_ = res.Body.Close()
	return res, body
}

func main() {
	const runtime = "/2018-06-01/runtime/"
	const extension = "/2020-01-01/extension/"
	last := 0
	for {
		res, body := get(runtime + "invocation/next")
		own := runtime + "invocation/" + res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		var out bytes.Buffer
		switch string(body) {
		case "unknown":
			fmt.Fprint(&out, post(runtime+"invocation/nobody/response", ""), post(runtime+"invocation/nobody/error", "{}"))
		case "init":
			fmt.Fprint(&out, post(runtime+"init/error", "{}"))
		case "extension":
			next, _ := get(extension + "event/next")
			fmt.Fprint(&out, post(extension+"register", "{}"),
				post(extension+"register", `{"events":["INVOKE"]}`, "Lambda-Extension-Name", "x"),
				post(extension+"register", `{`, "Lambda-Extension-Name", "x"), next.StatusCode)
		case "big":
			last = post(own+"/response", strings.Repeat("x", 7<<20))
			continue
		case "limit":
			last = post(own+"/response", strings.Repeat("x", 6<<20))
			continue
		case "text":
			last = post(own+"/error", "no JSON", "Lambda-Runtime-Function-Error-Type", "Raw.Text")
			continue
		case "double":
			post(own+"/response", "once")
			last = post(own+"/response", "twice")
			continue
		case "last":
			fmt.Fprint(&out, last)
		}
		post(own+"/response", out.String())
	}
}
