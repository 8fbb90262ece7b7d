//! Short unlinkable pieces of histories.
