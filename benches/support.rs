//! Benchmarks: support.

fn main() {}
