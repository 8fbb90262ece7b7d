//! Exact integer-valued noise.
