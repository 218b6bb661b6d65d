//! Stand-ins for the world, and suites that every implementation of a port has to pass. For tests only.

pub mod git;
pub mod git_http;
pub mod graph;
pub mod memory_store;
pub mod proxy;
pub mod sshd;
pub mod store_conformance;
pub mod world;

pub use memory_store::MemoryStore;
pub use store_conformance::store_conformance;
