//! The pure part of Tollgate.
