//! Where the values of secrets come from, and how they are kept from being shown.

use std::collections::BTreeMap;
use std::fmt;

/// The value of a secret. It is not shown by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one who has to use it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Knows the values of secrets by their names.
pub trait Secrets: Send + Sync + fmt::Debug {
    /// The value of a secret; `None` when there is none of this name.
    fn secret(&self, name: &str) -> Option<Secret>;

    /// What somebody can do who misses a secret.
    fn advice(&self, _name: &str) -> String {
        "make it known to the Tollgate that runs this release, then retry".to_owned()
    }
}

/// A fixed set of secrets.
impl Secrets for BTreeMap<String, Secret> {
    fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_value() {
        let secrets = BTreeMap::from([("TOKEN".to_owned(), Secret::new("hunter2"))]);
        assert!(!format!("{secrets:?}").contains("hunter2"));
        assert_eq!(secrets.secret("TOKEN").as_ref().map(Secret::reveal), Some("hunter2"));
        assert_eq!(secrets.secret("OTHER"), None);
    }
}
