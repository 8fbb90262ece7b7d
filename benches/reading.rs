//! Benchmarks: reading.

fn main() {}
