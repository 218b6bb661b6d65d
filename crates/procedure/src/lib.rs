//! Tollgate: procedure.

pub mod expression;
