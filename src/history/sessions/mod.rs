//! Sessions cut into short pieces in which every pair of items is supported.
