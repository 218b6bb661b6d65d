//! Tollgate: connect.
