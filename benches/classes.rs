//! Benchmarks: classes.

fn main() {}
