//! Benchmarks: pseudonyms.

fn main() {}
