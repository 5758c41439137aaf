// Package lambdatest runs a built Lambda binary the way AWS Lambda does. It
// serves the Runtime API, starts the binary as a process, sends it events and
// returns its replies.
//
// It models one execution environment of an OS-only runtime, with the part of
// the Extensions API that makes Lambda send SIGTERM before the end. It does not
// limit CPU or memory, freeze the process between two events, or start a new
// environment after a crash: call Start again for that.
//
// The package does not import testing, so that programs can use it as well.
//
// Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
//
// Extensions API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
//
// Life of an environment: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
package lambdatest
