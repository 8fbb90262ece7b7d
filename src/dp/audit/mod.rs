//! Statistical audits that try to refute what a mechanism claims.
