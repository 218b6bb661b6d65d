//! What registries list, and the files that were packed.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use jiff::SignedDuration;
use tollgate_core::journal::Hash;
pub use tollgate_core::publish::{Answer, Artifacts, Lookup};

use super::PortError;

/// What came of a question to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryAnswer {
    /// There is something at the address.
    There(Answer),
    /// There is nothing.
    Absent,
    /// The registry asks to come back later.
    Later {
        /// In which words.
        why: String,
        /// When, if it says so.
        after: Option<SignedDuration>,
    },
}

/// Asks registries what they list.
#[async_trait]
pub trait Registries: Send + Sync + std::fmt::Debug {
    /// Asks once. A secret is shown to the registry, and to the place that it names for getting tokens; to nobody else.
    async fn ask(&self, lookup: &Lookup) -> Result<RegistryAnswer, PortError>;
}

/// Keeps files that were packed until a registry has them or their release is over, so that what is uploaded in the end is what
/// was packed at first.
#[async_trait]
pub trait Depot: Send + Sync + std::fmt::Debug {
    /// The files under a key, with their digests; `None` when nothing was kept under it.
    async fn kept(&self, key: &Hash) -> Result<Option<Artifacts>, PortError>;

    /// Keeps the files of a folder that fit one of the patterns, all or none. What is under the key already stays as it is and
    /// is the answer.
    async fn keep(&self, key: &Hash, folder: &Path, patterns: &[String]) -> Result<Artifacts, PortError>;

    /// Puts copies of some of the files into a folder, made or emptied.
    async fn lay_out(&self, key: &Hash, names: &[String], folder: &Path) -> Result<(), PortError>;

    /// The content of one of the files, as it was packed.
    ///
    /// # Errors
    ///
    /// When there is no such file, it is larger than so many bytes, or it is not as it was any more.
    async fn read(&self, key: &Hash, name: &str, max_bytes: u64) -> Result<Vec<u8>, PortError>;

    /// Writes texts into a folder that is there, each to a new file of that name.
    async fn write(&self, folder: &Path, texts: &BTreeMap<String, String>) -> Result<(), PortError>;

    /// Makes a folder, or empties it.
    async fn clear(&self, folder: &Path) -> Result<(), PortError>;

    /// The keys under which something is, also where it was not kept to the end.
    async fn keys(&self) -> Result<Vec<Hash>, PortError>;

    /// Removes what is under a key. No error when there is nothing.
    async fn forget(&self, key: &Hash) -> Result<(), PortError>;
}
