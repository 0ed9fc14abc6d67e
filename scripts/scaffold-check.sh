#!/usr/bin/env bash
# Scaffolds a detector of each kind in a clone of what is committed, and compiles and formats all five.
# Usage: scripts/scaffold-check.sh. Builds go to CARGO_TARGET_DIR, or to the target folder of this checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone --quiet . "$clone"
for kind in image face video mask attribution; do
    cargo xtask new-detector "scaffold-$kind" --kind "$kind" --root "$clone"
done
cd "$clone"
cargo fmt --package realscope-detectors --check
cargo check --quiet --package realscope-detectors --features import,hub
