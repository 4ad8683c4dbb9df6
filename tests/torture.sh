#!/usr/bin/env bash
# The long runs, for about so many minutes: power cuts, faults, damage and hostile files against the promises in
# docs/guarantees.md. The last line counts what went wrong, and the exit status is 0 only if nothing did.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: tests/torture.sh MINUTES [--seed N] [PART OF A CAMPAIGN'S NAME]" >&2; exit 2; }
cd "$(dirname "$0")/.."
minutes=$1
shift
exec cargo test --release --locked --quiet --all-features --test torture -- --minutes "$minutes" "$@"
