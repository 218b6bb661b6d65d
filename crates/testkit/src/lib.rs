//! Tollgate: testkit.
