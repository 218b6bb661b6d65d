//! Load tests: which numbers they give, and what has to hold of them.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{ApprovalRule, Bound, Extract, Shell};
use crate::ids::{EnvironmentName, OutputName, StepId};

/// A step that runs a load test and judges its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoadTest {
    /// The command. What it prints on standard output is one JSON document.
    pub shell: Shell,
    /// What has to hold.
    pub rule: LoadRule,
    /// Who accepts the numbers while there is nothing to compare them with; needed where a bound is a percentage.
    pub accept: Option<ApprovalRule>,
}

/// What has to hold of the numbers of a load test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoadRule {
    /// The numbers, in the order of the file; never empty.
    pub measures: IndexMap<OutputName, Measure>,
    /// What percentages are of: the numbers that the release had which runs in this environment.
    pub baseline: Option<EnvironmentName>,
}

impl LoadRule {
    /// Whether a bound is a percentage of something.
    pub fn is_relative(&self) -> bool {
        self.measures.values().flat_map(|measure| &measure.bounds).any(|bound| bound.percent)
    }

    /// How the numbers are read from what the command prints.
    pub fn outputs(&self) -> BTreeMap<OutputName, Extract> {
        let pointer = |measure: &Measure| Extract::Json(measure.json.clone());
        self.measures.iter().map(|(name, measure)| (name.clone(), pointer(measure))).collect()
    }
}

/// A number of a load test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measure {
    /// Its JSON pointer (RFC 6901) in what the command prints.
    pub json: String,
    /// What it has to keep; never empty.
    pub bounds: Vec<LoadBound>,
}

/// A bound of a number of a load test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoadBound {
    /// The bound.
    pub bound: Bound,
    /// Whether it is a percentage of the same number of the baseline; otherwise it is the number itself.
    pub percent: bool,
}

/// A gate that wants a load test of exactly this candidate to have been good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoadGate {
    /// The id of the step, as it stands in the file.
    pub step: StepId,
    /// What has to hold of its numbers: a copy that only a change of the policy changes, whatever the released commit says.
    pub rule: LoadRule,
    /// Who accepts numbers that there is nothing to compare with: their yes is counted again here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<ApprovalRule>,
    /// What the test measures by the file of the policy, nothing standing for no environment: numbers of another place do not
    /// count, whatever the released commit measured. Empty where every place does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Option<EnvironmentName>>,
}
