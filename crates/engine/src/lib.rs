//! Runs what [`tollgate_core`] decides: streams, leases, timers, the outbox, reconciliation. Owns the ports.

pub mod ports;
pub mod store;
