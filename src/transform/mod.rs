//! Column treatments.
