# make build       the three programs, in bin/, and the wheel's static binaries
# make demo        the main job on embedded defaults: 30,000 simulated tags to a table;
#                  KEEP=1 leaves the simulated PI server running
# make demo-spark  the same job as Databricks runs it, smaller: the wheel, Spark, Delta
# make test-fast   the inner loop: what is proved in seconds, of what has changed
# make test        everything that is proved, fast tests first
# make goldens     writes anew what tests compare with
# make fuzz        every fuzz target for a while: MINUTES=5 of each
# make bench       everything that is measured, on Spark too
# make lint        golangci-lint: form, mistakes, and the layers
# make release     an archive of this platform's programs, the wheels, checksums: VERSION=…

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
VERSION := 0.1.0
LDFLAGS := -s -w -X github.com/bundlegen/bundlegen/internal/program.version=$(VERSION)
export PATH := $(CURDIR)/bin:$(PATH)
# One set of flags for build, vet and tests: each package is compiled once.
export GOFLAGS := -buildvcs=false -trimpath
STATIC := CGO_ENABLED=0 GOOS=linux go build -ldflags "$(LDFLAGS)"

.PHONY: setup-build setup-lint setup-spark setup-test fetch-spark build demo demo-spark test test-fast test-kill test-spark fuzz bench lint release generate-examples goldens clean

# Each target installs what it needs itself, and no more.
setup-build setup-lint setup-spark setup-test: setup-%:
	@scripts/setup.sh $*

build: setup-build
	@echo "building the programs in bin/; the first time takes some minutes"
	@go build -ldflags "$(LDFLAGS)" -o bin/ ./cmd/...
	@GOARCH=amd64 $(STATIC) -o bin/pi-extractor-linux-amd64 ./cmd/pi-extractor
	@GOARCH=arm64 $(STATIC) -o bin/pi-extractor-linux-arm64 ./cmd/pi-extractor

# What a Spark needs, into the cache: some 825 MB from the network, once.
fetch-spark: setup-test
	@go test -count=1 -timeout 30m -run TestEnsureIsQuickOnceItIsThere ./internal/localspark

demo: build
	@KEEP=$(KEEP) scripts/demo.sh

demo-spark: setup-spark build
	@scripts/demo.sh spark

# Packages that need a Spark of their own, and those of the built programs; the
# longest first.
ON_SPARK := ./extractor/engine/spark ./internal/localspark ./templates ./bundlegen/localrun
ON_PROGRAMS := ./test/endtoend ./test/workspace ./test/...
PLAIN = $$(go list ./... | grep -v /test/ | grep -vxF "$$(go list $(ON_SPARK))")

# Tests of the other packages that take seconds each.
SLOW := TestRenderedBundle|TestWorkspaceThatNever|TestConformance|TestBrokenPromises|FuzzAnswers|TestVerifyFindsAFlippedBit|TestLargeFiles|TestTenWriters|TestBundlesAreWhat|TestInventories|TestPipInstalls

# Of packages that have not changed Go still knows the result.
test-fast: setup-test
	go vet ./...
	go test -skip '$(SLOW)' $(PLAIN)

# Packages first, then what needs Spark or the built programs: a session of Spark
# keeps little more than one processor busy, so two go at once.
test: setup-test build
	go vet ./...
	go test -timeout 20m $(PLAIN)
	go test -timeout 90m -p 2 -count=1 $(ON_SPARK) $(ON_PROGRAMS)

# Kills at random moments, 100 on DuckDB and 40 on Spark, and the tables of what they met.
test-kill: setup-test build
	go test -timeout 60m -count=1 -v -run 'TestKill$$' ./test/endtoend -kills 100
	go test -timeout 120m -count=1 -v -run TestKillOnSpark ./test/endtoend -spark-kills 40

# What takes too long for every change: all of the conformance suite and of a plant's life on Spark.
test-spark: setup-test build
	go test -timeout 60m -count=1 -v -run TestConformance ./extractor/engine/spark -all-cases
	go test -timeout 60m -count=1 -v -run TestLifeOfAPlant/spark ./test/endtoend -whole-life

# Each target for so many minutes, one at a time. What a target finds is a file in its
# testdata/fuzz, which every go test runs from then on.
MINUTES ?= 1
fuzz: setup-build
	@for package in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
	  for target in $$(go test -list '^Fuzz' ./$$package | grep '^Fuzz'); do \
	    echo "$$package $$target"; \
	    go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(MINUTES)m -parallel 1 ./$$package; \
	  done; \
	done

bench: setup-test build
	@scripts/bench.sh

lint: setup-lint
	go -C tools build -o ../bin/tools/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/tools/golangci-lint run ./...

# Into release/. A tag's release is made so on each platform: see .github/workflows/release.yml.
release: build
	go -C tools run ./release -version $(VERSION) -root .. -to ../release

# The inventories, bundles and READMEs of examples/ anew, as the test compares them.
generate-examples:
	go test -count=1 ./examples -update -large

goldens: setup-test build
	@scripts/goldens.sh

clean:
	rm -rf bin
