//! What a change asks of the next version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Change, ChangeKind};
use crate::ids::ObjectId;
use crate::version::Bump;

/// How a project reads its commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct CommitRules {
    /// What each type asks for, by its name as [`ChangeKind::type_name`] has it; nothing where there is none. A type that is
    /// not here asks for nothing.
    pub types: BTreeMap<String, Option<Bump>>,
    /// What a breaking change asks for.
    pub breaking: Bump,
    /// What a message outside of the convention asks for.
    pub other: Option<Bump>,
    /// Whether the lines of a list in a message (`* feat: …`) are changes of their own, as a squash merge writes them.
    pub squash: bool,
}

impl Default for CommitRules {
    /// A feature asks for more than a fix. A revert counts as a fix, and so does a message outside of the convention, since it
    /// says nothing. Those who use it do not notice `docs`, `chore`, `test` and whatever else there is, except `perf`.
    fn default() -> Self {
        let patch = ["fix", "perf", "revert"].map(|name| (name.to_owned(), Some(Bump::Patch)));
        let types = [("feat".to_owned(), Some(Bump::Minor))].into_iter().chain(patch).collect();
        Self { types, breaking: Bump::Major, other: Some(Bump::Patch), squash: false }
    }
}

impl CommitRules {
    /// The least the next version has to grow for a change; nothing for one that asks for no release.
    pub fn bump(&self, change: &Change) -> Option<Bump> {
        let by_kind = match (&change.kind, change.kind.type_name()) {
            // What it merges is counted itself.
            (ChangeKind::Merge, _) => None,
            (ChangeKind::Other, _) | (_, None) => self.other,
            (_, Some(name)) => self.types.get(name).copied().flatten(),
        };
        let breaking = change.breaking.as_ref().map(|_| self.breaking);
        by_kind.max(breaking)
    }
}

/// What the changes since the last release ask of the next version, and which of them do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BumpAdvice {
    /// How much it has to grow; nothing when no change asks for a release.
    pub bump: Option<Bump>,
    /// The changes that ask for that much, in the order in which they came.
    pub because: Vec<BumpReason>,
}

/// A change that asks for as large a bump as any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BumpReason {
    /// The commit; empty where a file or a label says so.
    pub commit: ObjectId,
    /// What says so where no commit does: a change file, or a pull request with its label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The first line of its message, or of the file's text.
    pub subject: String,
    /// What it breaks, if it is a breaking change.
    pub breaking: Option<String>,
}

/// How much the next version has to grow for these changes.
pub fn advise_bump(changes: &[Change], rules: &CommitRules) -> BumpAdvice {
    let Some(bump) = changes.iter().filter_map(|change| rules.bump(change)).max() else {
        return BumpAdvice::default();
    };
    let because = changes.iter().filter(|change| rules.bump(change) == Some(bump)).map(|change| BumpReason {
        commit: change.commit.clone(),
        file: None,
        subject: change.subject.clone(),
        breaking: change.breaking.clone(),
    });
    BumpAdvice { bump: Some(bump), because: because.collect() }
}
