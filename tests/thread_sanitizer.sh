#!/usr/bin/env bash
# The tests that use many threads, under ThreadSanitizer: it fails at the first data race that it sees.
# std is built with it too, or its locks would be taken for races: that needs `rustup component add rust-src`.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; then
    echo "SKIPPED: rust-src is not installed"
    exit 0
fi
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/thread_sanitizer"
export RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=thread RUSTDOCFLAGS=-Zsanitizer=thread
export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 ${TSAN_OPTIONS:-}"
build_std=(-Zbuild-std --target "$(rustc -vV | awk '/^host:/ { print $2 }')")

# The long one of `faults` has one thread.
cargo test --locked "${build_std[@]}" --test it -- \
    concurrency:: handles:: nested:: callers:: faults:: thread beside background flush --skip whichever_call_fails
cargo test --locked "${build_std[@]}" --example bank-ledger
