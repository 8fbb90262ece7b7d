//! Numerical methods that the other modules share.
