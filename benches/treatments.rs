//! Benchmarks: treatments.

fn main() {}
