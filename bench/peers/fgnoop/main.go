// Command fgnoop is the smallest function of Huawei FunctionGraph in Go, with a handler that returns at once. It makes no
// calls, so it says what runtime and process cost, and not what a function that does something can reach.
package main

import (
	"net/http"

	"dds-backup-delete/bench/peers/customruntime"
)

func main() {
	customruntime.Serve(func(http.Header, []byte) ([]byte, error) { return []byte(`{"status":"done"}`), nil })
}
