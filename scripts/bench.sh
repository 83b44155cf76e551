#!/usr/bin/env bash
# Measures the built programs; see test/bench. Arguments are handed on:
# scripts/bench.sh -quick -only land
set -euo pipefail
cd "$(dirname "$0")/.."
exec go run ./test/bench "$@"
