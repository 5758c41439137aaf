# Each architecture has a folder of its own. template.yaml ships dist/arm64, so that one is always built; GOARCH names another one to build beside it.
ARCHITECTURES = $(sort arm64 $(GOARCH))
# What the program calls itself in User-Agent.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: build release test test-aws test-stack chaos bench dashboard lint vulncheck clean

build: $(ARCHITECTURES:%=build-%)

build-%:
	GOOS=linux GOARCH=$* CGO_ENABLED=0 go build -trimpath -tags lambda.norpc -ldflags '-s -w -X dds-backup-delete/internal/version.number=$(VERSION)' -o dist/$*/bootstrap ./cmd/handler

# What a release consists of, in dist/release/. The same commit and Go give the same bytes.
release:
	tools/release

test:
	go test -race ./...

# The ledger on a real engine, Amazon's DynamoDB Local, which needs Java 17 and Maven; the sinks on
# moto, which needs Python 3; the example's state machine in moto's interpreter.
test-aws:
	tools/with-dynamodb-local go test -race -count=1 ./internal/ledger
	tools/with-moto go test -race -count=1 -run Moto ./internal/sink ./examples

# template.yaml, deployed to moto and used by the real binary; it needs Python 3.
test-stack:
	tools/with-moto go test -race -count=1 ./internal/stacktest

# The crash test: the real binary, killed at random, with faults on every side. It takes minutes.
REQUESTS ?= 10000
SEED ?= 0
chaos:
	tools/with-dynamodb-local go test -count=1 -v -timeout 60m ./internal/chaos -requests $(REQUESTS) -seed $(SEED)

# Side by side with its peers; writes docs/benchmarks.md and its plots. Half an hour. QUICK=1 takes ten minutes, FLAGS='-only goals'
# twelve; both write to bench/out (see bench/cmd/bench for the flags).
bench:
	cd bench && ./run $(if $(QUICK),-quick) $(FLAGS)

# The picture of the dashboard in template.yaml, with sample data.
dashboard:
	python3 tools/stack/dashboard.py

lint:
	golangci-lint run ./...

# Known vulnerabilities that the code can reach. Where their database cannot be reached it says so, as
# error 4; found ones are error 3.
vulncheck:
	tools/vulncheck

clean:
	rm -rf dist
