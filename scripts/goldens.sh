#!/usr/bin/env bash
# Writes anew whatever tests compare with: after a change that is meant, and
# before a look at git diff. make goldens builds the programs first.
set -euo pipefail
cd "$(dirname "$0")/.."

# Bundles, the plan's pages, errors, and the generated pages of docs/.
for package in ./bundlegen/config ./bundlegen/bundle ./bundlegen/report ./docs; do
  go test -count=1 "$package" -update
done
# The examples' inventories, bundles, and the samples in their READMEs.
go test -count=1 ./examples -update
# What the built programs print in scenarios.
go test -count=1 -timeout 20m ./test/scenarios -update
git status --short
