# What `sam deploy` takes: the stripped binary for Lambda's arm64, as template.yaml names it.
GOARCH ?= arm64

.PHONY: build test lint clean

build:
	GOOS=linux GOARCH=$(GOARCH) CGO_ENABLED=0 go build -trimpath -tags lambda.norpc -ldflags '-s -w' -o dist/bootstrap ./cmd/handler

test:
	go test -race ./...

lint:
	golangci-lint run ./...

clean:
	rm -rf dist
