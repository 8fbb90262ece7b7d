//! What mechanisms cost, alone and together.
