//! Who did something.

use serde::{Deserialize, Serialize};

use crate::ids::{PersonName, TrainName};

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// A person of the policy.
    Person {
        /// Who.
        name: PersonName,
        /// How that is known.
        known: Known,
    },
    /// An account of the operating system that belongs to nobody in the policy.
    Login(String),
    /// A train: nobody in person. The rules in force say that it starts its procedure.
    Schedule(TrainName),
    /// Tollgate itself, following its rules.
    Tollgate,
}

/// How an actor is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// The account of the operating system belongs to them.
    Login(String),
    /// Somebody said so on the command line, from this account.
    Asserted {
        /// The account it was said from.
        login: String,
    },
}

impl Actor {
    /// The person, if it is one.
    pub fn person(&self) -> Option<&PersonName> {
        match self {
            Self::Person { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person { name, .. } => name.fmt(f),
            Self::Login(login) => write!(f, "{login} (not in the policy)"),
            Self::Schedule(train) => write!(f, "schedule {train}"),
            Self::Tollgate => f.write_str("Tollgate"),
        }
    }
}
