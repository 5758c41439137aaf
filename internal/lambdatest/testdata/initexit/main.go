// Command initexit ends before it asks for an event.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bad configuration")
	os.Exit(4)
}
