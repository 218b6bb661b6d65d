//! What is asked of merges and picked commits, and what comes of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MergeHow, ObjectId, Sign};

/// A merge of one commit into another. The same request makes the same commit (a signature aside).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MergeRequest {
    /// The commit that is merged into: the first parent.
    pub ours: ObjectId,
    /// The commit that is merged.
    pub theirs: ObjectId,
    /// Whether there is a merge commit.
    pub how: MergeHow,
    /// The message of the merge commit.
    pub message: String,
    /// Its dates: from the journal.
    pub at: Timestamp,
    /// Whether to sign it.
    pub sign: Sign,
}

/// A file that two sides changed in ways that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Clash {
    /// Its path, in plain text.
    pub path: String,
    /// The names of those who changed it last, on each side, each once, in plain text; empty where it is not known.
    pub changed_by: Vec<String>,
}

/// What came of a merge. Nothing points to its commit yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MergeOutcome {
    /// The merge commit; with [`MergeHow::FfOnly`] the commit that was to be merged.
    Merged(ObjectId),
    /// There is nothing to merge: it is contained already.
    Contained,
    /// Both sides changed these files, in ways that do not go together; at most 100.
    Conflict(Vec<Clash>),
    /// It cannot be had without a merge commit.
    NotFastForward,
    /// The two have no history in common.
    Unrelated,
}

/// One commit whose changes are to be taken over onto another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PickRequest {
    /// The commit that the new one comes after.
    pub onto: ObjectId,
    /// The commit whose changes are taken over.
    pub commit: ObjectId,
    /// Which parent of a merge commit its changes are counted against, from 1.
    pub mainline: Option<u32>,
    /// The committer's date: from the journal. Author and author's date are those of the commit.
    pub at: Timestamp,
    /// Whether to sign it.
    pub sign: Sign,
}

/// What came of taking a commit over. Nothing points to the new one yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PickOutcome {
    /// The new commit, and who wrote its changes.
    Picked {
        /// The new commit.
        commit: ObjectId,
        /// The mail addresses of its author and co-authors, plain, at most 200 characters each.
        authors: Vec<String>,
    },
    /// Its changes are there already.
    Contained,
    /// Its changes do not go together with what these files are now; at most 100.
    Conflict(Vec<Clash>),
    /// It cannot be taken over at all, and this is why, with what to do about it.
    Refused {
        /// Why, to be read after the commit's id.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
}
