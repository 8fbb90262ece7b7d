//! Benchmarks: unicity.

fn main() {}
