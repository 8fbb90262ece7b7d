//! The k-anonymity family: hierarchies, equivalence classes, models, search, quality.
