//! Tests of `release` from outside the crate: an adversary reads what was published and recounts every claim in its own way.

mod bytes;
mod data;
mod edges;
mod gate;
mod hierarchies;
mod histories;
mod histories_tamper;
mod invariants;
mod joined;
mod known;
mod linkage;
mod methods;
mod models;
mod people;
mod recoded;
mod same;
mod scheme;
mod several;
mod split;
mod support;
mod tables;
mod tamper;
