//! Drivers: what runs a pass over the data, and on how many threads.
