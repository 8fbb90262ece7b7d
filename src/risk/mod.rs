//! What an attacker achieves against a release.
