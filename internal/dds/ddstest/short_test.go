package ddstest_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("skipped with -short: these are tests of a test server")
		return
	}
	os.Exit(m.Run())
}
