//! How risky a release is: levels, what makes a release be of one, and who may say something else.

use serde::{Deserialize, Serialize};

use super::Who;
use crate::expr::Expr;
use crate::ids::{QuestionName, RiskLevel};
use crate::version::Bump;

/// How the risk of a release is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RiskRules {
    /// The levels, the lowest first; at least two, each once. A release to which no rule applies is of the first.
    pub levels: Vec<RiskLevel>,
    /// What makes a release be of a level. The highest of those that apply counts.
    #[serde(default)]
    pub rules: Vec<RiskRule>,
    /// The question whose answer is a level: it is not known how risky a release is before it is answered, unless it is of the
    /// highest level anyway. The answer never makes it less than the rules do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<QuestionName>,
    /// Who may say that it is higher; without it, anybody who is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raise: Option<Who>,
    /// Who may say that it is lower; without it, nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<LowerRisk>,
}

/// Who may say that a release is less risky than the rules say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LowerRisk {
    /// Who.
    pub by: Who,
    /// Whether whoever started the run, or wrote a commit of the candidate, may.
    pub allow_self: bool,
}

/// Something that makes a release be of a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RiskRule {
    /// The level; one of the declared ones.
    pub is: RiskLevel,
    /// What is looked at.
    pub sign: RiskSign,
    /// Why that is a risk, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What can make a release risky. Everything is told from the plan, beside the answers that a condition asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RiskSign {
    /// A file changed whose path fits one of these patterns.
    Changed(Vec<String>),
    /// So many commits, or more.
    Commits(u64),
    /// So many changed files, or more.
    Files(u64),
    /// So many new and removed lines, or more.
    Lines(u64),
    /// Somebody wrote a commit of it of whom there was none before.
    NewAuthor,
    /// The version grew like this.
    Bump(Bump),
    /// A condition is true.
    Condition(Expr),
}

impl RiskRules {
    /// Levels without any rule.
    pub fn new(levels: Vec<RiskLevel>) -> Self {
        Self { levels, rules: Vec::new(), declared: None, raise: None, lower: None }
    }

    /// How high a level is, from 0. One that is not among them counts as the highest: it is not known to be less.
    pub fn rank(&self, level: &RiskLevel) -> usize {
        let top = self.levels.len().saturating_sub(1);
        self.levels.iter().position(|known| known == level).unwrap_or(top)
    }

    /// Whether the size of a release in lines has to be known.
    pub fn asks_for_lines(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.sign, RiskSign::Lines(_)))
    }

    /// Whether it has to be known who wrote something before.
    pub fn asks_for_authors(&self) -> bool {
        self.rules.iter().any(|rule| rule.sign == RiskSign::NewAuthor)
    }
}
