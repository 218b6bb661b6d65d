//! Facts that are asked for over HTTP.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::SignedDuration;

/// What is asked, and of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactQuestion {
    /// The address, http or https, without credentials.
    pub url: String,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// Headers that hold secrets: header to secret name.
    pub secrets: BTreeMap<String, String>,
    /// The name of the secret of a header `Authorization: Bearer …`.
    pub bearer: Option<String>,
    /// How long it may take.
    pub timeout: SignedDuration,
}

/// Asks services for facts.
#[async_trait]
pub trait Facts: Send + Sync + std::fmt::Debug {
    /// Asks once; gives the body of a successful answer, without the secrets that were shown. Anything else is told in plain
    /// words: that nothing answers is an answer, not an error. Secrets are shown to the address itself, and to nobody that it
    /// leads to.
    async fn ask(&self, question: &FactQuestion) -> Result<Vec<u8>, String>;
}
