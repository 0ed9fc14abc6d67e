#!/usr/bin/env bash
# Scaffolds a detector of each kind in a clone of what is committed; formats, lints and compiles all five.
# Usage: scripts/scaffold-check.sh. Builds go to CARGO_TARGET_DIR, or to the target folder of this checkout;
# XTASK names a built xtask program.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone --quiet . "$clone"
for kind in image face video mask attribution; do
    ${XTASK:-cargo xtask} new-detector "scaffold-$kind" --kind "$kind" --root "$clone"
done
cd "$clone"
cargo fmt --package realscope-detectors --check

# Cargo takes two checkouts that share a target folder for one. A compiler under a name of its own keeps what is
# built from the clone apart from what is built from here; dependencies are shared.
mkdir -p "$CARGO_TARGET_DIR/scaffold"
export RUSTC_WORKSPACE_WRAPPER=$CARGO_TARGET_DIR/scaffold/clippy-driver
ln -sf "$(rustc --print sysroot)/bin/clippy-driver" "$RUSTC_WORKSPACE_WRAPPER"
export CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__
# The contract is the one test that needs the catalog and little else; the features are those of ./ci.
cargo build --quiet --locked --workspace --features realscope-cli/lab --test contract
