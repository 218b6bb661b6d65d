//! Time that a promotion needs before anything closes.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::calendar::Windows;
use crate::expr::Expr;

/// A gate that wants so much time before anything closes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TimeBudget {
    /// How much time is needed.
    pub needs: Needs,
    /// Times that have to stay open for so long too.
    pub within: Option<Windows>,
}

/// How much time is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// So much.
    Stated(SignedDuration),
    /// As many minutes as this comes to.
    Minutes(Expr),
}

impl Needs {
    /// What it is counted by, where it is.
    pub fn expression(&self) -> Option<&Expr> {
        match self {
            Self::Stated(_) => None,
            Self::Minutes(minutes) => Some(minutes),
        }
    }
}
