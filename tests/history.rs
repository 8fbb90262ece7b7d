//! Listening histories as products.

mod fragments;
