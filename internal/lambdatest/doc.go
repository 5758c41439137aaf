// Package lambdatest runs a built Lambda binary the way AWS Lambda does: it
// serves the Runtime API, starts the binary as a process of its own, feeds it
// events and returns what it posts back.
//
// It models one execution environment of an OS-only runtime, with the part of
// the Extensions API that makes Lambda announce the end with SIGTERM. It
// doesn't limit CPU or memory, freeze the process between two events, or start
// a new environment after a crash: that is another Start.
//
// The package doesn't import testing, so that programs can use it as well.
//
// Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
//
// Extensions API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
//
// Life of an environment: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
package lambdatest
