# Each architecture has a folder. template.yaml ships dist/arm64, so arm64 is always built; GOARCH adds another one.
ARCHITECTURES = $(sort arm64 $(GOARCH))
# The version of the program in its User-Agent.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: build build-functiongraph package release check test test-aws test-valkey test-stack chaos chaos-lambda chaos-functiongraph bench lint vulncheck clean

build: $(ARCHITECTURES:%=build-%)

# The function of Huawei FunctionGraph: amd64, and GOARCH adds another one. deploy/functiongraph takes the zip. It has no
# times in it and marks bootstrap as executable.
build-functiongraph: $(patsubst %,build-functiongraph-%,$(sort amd64 $(GOARCH)))

# It stands before build-%: make 3.81, which macOS has, takes the first rule that matches.
build-functiongraph-%:
	GOOS=linux GOARCH=$* CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X dds-backup-delete/internal/version.number=$(VERSION)' -o dist/functiongraph/$*/bootstrap ./cmd/functiongraph
	GOOS= GOARCH= go run github.com/aws/aws-lambda-go/cmd/build-lambda-zip -o dist/functiongraph/$*/function.zip dist/functiongraph/$*/bootstrap

build-%:
	GOOS=linux GOARCH=$* CGO_ENABLED=0 go build -trimpath -tags lambda.norpc -ldflags '-s -w -X dds-backup-delete/internal/version.number=$(VERSION)' -o dist/$*/bootstrap ./cmd/handler

# The zip and the template for deploy/terraform-aws, in dist/package/. It needs Python 3.
package: build-arm64
	tools/venv .tools/moto tools/moto-requirements.txt
	mkdir -p dist/package
	go run github.com/aws/aws-lambda-go/cmd/build-lambda-zip -o dist/package/function.zip dist/arm64/bootstrap
	.tools/moto/bin/python tools/stack/package.py >dist/package/template.json

# The files of a release, in dist/release/. The same commit and Go version give the same bytes.
release:
	tools/release

# For before a commit: format, vet, lint and the short tests, in less than a minute once golangci-lint is
# built. .ci/run checks everything.
check:
	@echo '== gofmt'
	@unformatted=$$(gofmt -l $$(go list -f '{{.Dir}}' ./...) bench conformance deploy); test -z "$$unformatted" || { echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; }
	@echo '== go vet'
	@go vet ./...
	@echo '== golangci-lint'
	@tools/golangci-lint run ./...
	@echo '== go test -short'
	@go test -short ./...

test:
	go test -race ./...

# Tests the ledger on Amazon's DynamoDB Local, which needs Java 17 and Maven, and the sinks and the
# example's state machine on moto, which needs Python 3.
test-aws:
	tools/with-dynamodb-local go test -race -count=1 ./internal/ledger/dynamodb
	tools/with-moto go test -race -count=1 -run Moto ./internal/sink ./examples

# Tests the ledger on a Valkey or Redis server: one of the PATH, otherwise Debian's. The real binary of
# FunctionGraph is killed and frozen on it.
test-valkey:
	tools/with-valkey go test -race -count=1 ./internal/ledger/valkey ./cmd/functiongraph
	tools/with-valkey go test -race -count=1 -run Valkey ./internal/deletion

# Deploys template.yaml to moto, runs the real binary on it, and runs the commands of the documents. It needs Python 3, bash and jq.
test-stack:
	tools/with-moto go test -race -count=1 ./internal/stacktest

# The crash test: the real binary is killed at random, and all services have faults. It takes minutes. HOST
# chooses one of the hosts.
HOST ?= lambda functiongraph
REQUESTS ?= 10000
SEED ?= 0
CHAOS = go test -count=1 -v -timeout 60m ./internal/chaos -requests $(REQUESTS) -seed $(SEED) -run
chaos: $(HOST:%=chaos-%)

chaos-lambda:
	tools/with-dynamodb-local $(CHAOS) TestChaos/lambda

chaos-functiongraph:
	tools/with-valkey $(CHAOS) TestChaos/functiongraph

# Measures the program and its peers, and writes docs/benchmarks.md and its picture. It takes half an hour.
# QUICK=1 takes ten minutes and FLAGS='-only goals' twelve; both write to bench/out. FLAGS='-only functiongraph -docs ../docs'
# replaces one section of the page, in four minutes.
bench:
	cd bench && ./run $(if $(QUICK),-quick) $(FLAGS)

lint:
	tools/golangci-lint run ./...

# Looks for known vulnerabilities that the code can reach. The exit code is 3 if there are some, and 4
# if their database cannot be reached.
vulncheck:
	tools/vulncheck

clean:
	rm -rf dist
