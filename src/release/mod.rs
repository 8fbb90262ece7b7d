//! From a policy to a release: products, measurements, gate, publication, report, verification.

pub mod report;
