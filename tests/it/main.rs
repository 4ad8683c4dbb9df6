//! Tests of annals through its public face, in one binary.
