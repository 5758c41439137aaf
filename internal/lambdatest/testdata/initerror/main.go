// Command initerror reports an init error, and ends as a runtime should.
package main

import (
	"net/http"
	"os"
	"strings"
)

func main() {
	url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/init/error"
	res, err := http.Post(url, "application/json", strings.NewReader(`{"errorType":"Init.Bad"}`))
	if err != nil || res.StatusCode != http.StatusAccepted {
		os.Exit(1)
	}
	os.Exit(5)
}
