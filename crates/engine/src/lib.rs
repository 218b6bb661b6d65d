//! Tollgate: engine.
