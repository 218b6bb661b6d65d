//! Facts of the world that gates and steps rest on: how they are asked for, and what has to hold of them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{GitVerify, Shell, Template};
use crate::expr::Expr;
use crate::facts::{Decimal, Want};
use crate::ids::{ComponentName, EnvironmentName, FactName};

/// A fact: how it is asked for, how the answer is read, how long it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FactSpec {
    /// What it is called, where it was declared by a name.
    pub name: Option<FactName>,
    /// How it is asked for.
    pub ask: FactAsk,
    /// How the answer is read.
    pub read: FactRead,
    /// The JSON pointer of the commit that the answer speaks of; another one than the candidate's does not count.
    pub about: Option<String>,
    /// The pause between two looks.
    pub every: SignedDuration,
    /// The age after which it no longer counts.
    pub valid: SignedDuration,
    /// How long one look may take.
    pub timeout: SignedDuration,
}

/// How a fact is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactAsk {
    /// By a command, in the files of the candidate: what it prints is the answer.
    Command(Shell),
    /// Over HTTP: the body is the answer.
    Http {
        /// The address; what is filled in has its odd characters escaped.
        url: Template,
        /// What stands behind the address, as a parameter: a query in a language of its own, escaped as a whole.
        query: Option<Template>,
        /// Headers, filled in.
        headers: BTreeMap<String, Template>,
        /// Headers that hold secrets: header to secret name.
        secrets: BTreeMap<String, String>,
        /// The secret of a header `Authorization: Bearer …`.
        bearer: Option<String>,
    },
}

/// How an answer is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactRead {
    /// All of it, as text: a number, a word, or one item a line.
    Text,
    /// What stands at this JSON pointer (RFC 6901); the whole document where it is empty.
    Json(String),
    /// The one value that Prometheus answers a query with.
    Prometheus,
}

/// A gate that rests on facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactGate {
    /// A list that has to be empty.
    Blockers {
        /// The list.
        list: Box<FactSpec>,
        /// Whose list it is, where that is not the environment that is entered.
        from: Option<EnvironmentName>,
        /// What is in the list of this environment too does not count.
        not_in: Option<EnvironmentName>,
    },
    /// A number that has to keep a bound.
    Metrics(Box<MetricRule>),
    /// A result that has to be good for exactly this commit.
    Ci(Box<CiRule>),
    /// Signatures that have to be there.
    Signed(Box<GitVerify>),
    /// A condition on facts that has to be true.
    Require(Box<FactCondition>),
    /// The digests of these components, each with how it is asked for: what was found for the candidate has to be there still.
    Artifacts(BTreeMap<ComponentName, FactSpec>),
}

impl FactGate {
    /// Whether another gate asks for the same. Whose signatures count is a matter of the rules in force, as it is who belongs to
    /// a group.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Signed(one), Self::Signed(other)) => (one.tag, one.commits) == (other.tag, other.commits),
            (one, other) => one == other,
        }
    }
}

/// A number that has to keep a bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MetricRule {
    /// The number.
    pub number: FactSpec,
    /// Whose number it is, where that is not the environment that is entered.
    pub from: Option<EnvironmentName>,
    /// The bound.
    pub bound: Bound,
    /// What the bound is a percentage of; without it, it is the number itself.
    pub baseline: Option<Baseline>,
    /// How long it has to have kept it without a break.
    pub quiet: Option<SignedDuration>,
}

/// A bound of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Not more.
    AtMost(Decimal),
    /// Not less.
    AtLeast(Decimal),
}

/// What a number is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// With the first value that was seen in the run: it is looked at from its start on.
    Start,
    /// With the value of another environment, now.
    Environment(EnvironmentName),
}

/// A result that has to be good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CiRule {
    /// The result, a word.
    pub result: FactSpec,
    /// The words that mean that it is good.
    pub passed: Vec<String>,
    /// The words that mean that it will not become good by itself.
    pub failed: Vec<String>,
}

/// A condition that reads facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FactCondition {
    /// What has to be true.
    pub that: Expr,
    /// The facts that it reads, as `facts.NAME`.
    pub facts: BTreeMap<FactName, TypedFact>,
}

/// A fact of which it is known what it is in conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TypedFact {
    /// The fact.
    pub fact: FactSpec,
    /// What it is.
    pub of: FactType,
}

/// What a fact is in conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactType {
    /// A number.
    Number,
    /// A line of text.
    Text,
    /// `true` or `false`.
    Boolean,
}

impl FactType {
    /// What its answer is read as.
    pub fn want(self) -> Want {
        match self {
            Self::Number => Want::Number,
            Self::Text | Self::Boolean => Want::Word,
        }
    }
}

/// A step that waits for a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactWait {
    /// For a good result.
    Ci(Box<CiRule>),
    /// For an artifact to be there: its digest becomes a part of the candidate.
    Artifact {
        /// The digest, such as `sha256:…`.
        digest: Box<FactSpec>,
        /// Of which component.
        component: ComponentName,
    },
}

impl FactWait {
    /// The fact it waits for.
    pub fn spec(&self) -> &FactSpec {
        match self {
            Self::Ci(rule) => &rule.result,
            Self::Artifact { digest, .. } => digest,
        }
    }
}
