//! Tollgate: procedure.
