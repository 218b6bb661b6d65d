//! Outside acts: what is wanted, how it may be repeated, and what came of it.
//!
//! An act is complete: whoever carries it out has nothing left to decide.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::ComponentName;
use crate::ids::ObjectId;
use crate::ids::{EffectId, OutputName};
use crate::journal::BlobId;
use crate::model::{ChangelogSpec, Extract, MergeHow, VersionFileSpec};
use crate::pack::{Laid, Pack, Packed};
use crate::publish::{Artifacts, Publish};
use crate::signatures::{SignedObject, Signers};

/// The lane of commands.
pub const COMMANDS: &str = "commands";

/// An outside act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Looks at the user's working copy.
    CheckCopy {
        /// The branch it has to be on.
        branch: String,
        /// Whether it has to be without changes.
        clean: bool,
        /// The commit it has to be at, if it has to be in step with the remote.
        at: Option<ObjectId>,
    },
    /// Writes the version into files.
    EditVersion {
        /// The commit or tree to start from.
        base: ObjectId,
        /// The files.
        files: Vec<VersionFileSpec>,
        /// The version, as it stands in files.
        version: String,
        /// The day of the cut, which some files tell.
        date: jiff::civil::Date,
    },
    /// Writes the changelog's section.
    EditChangelog {
        /// The commit or tree to start from.
        base: ObjectId,
        /// The file and its form.
        spec: Box<ChangelogSpec>,
        /// The version.
        version: String,
        /// Its tag.
        tag: String,
        /// The tag of the version before, if there was one.
        previous_tag: Option<String>,
        /// The date in the heading.
        date: jiff::civil::Date,
        /// The changes are the commits after this one …
        after: Option<ObjectId>,
        /// … up to this one.
        upto: ObjectId,
    },
    /// Makes a commit.
    Commit {
        /// Its tree.
        tree: ObjectId,
        /// Its parent.
        parent: ObjectId,
        /// Its message.
        message: String,
        /// Its dates.
        at: Timestamp,
        /// Whether to sign; `None` as git is configured.
        sign: Option<bool>,
    },
    /// Makes an annotated tag.
    Tag {
        /// Its name.
        name: String,
        /// The commit.
        target: ObjectId,
        /// Its message.
        message: String,
        /// Its date.
        at: Timestamp,
        /// Whether to sign; `None` as git is configured.
        sign: Option<bool>,
    },
    /// Pushes refs, all of them or none: full names with what they shall point to.
    Push {
        /// The refs.
        refs: Vec<(String, ObjectId)>,
        /// The merges that it takes along.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        merges: Vec<LaterMerge>,
    },
    /// Makes a merge into a branch of the remote for a later push to take along. Nothing outside changes.
    PrepareMerge(LaterMerge),
    /// Merges a commit into a branch of the remote, and pushes what comes of it.
    MergeInto {
        /// The branch, by its full name.
        branch: String,
        /// The commit.
        commit: ObjectId,
        /// Whether there is a merge commit.
        how: MergeHow,
        /// The message of the merge commit.
        message: String,
        /// Its dates.
        at: Timestamp,
        /// Whether to sign; `None` as git is configured.
        sign: Option<bool>,
        /// Whether the branch has to end at this commit, or at a merge of exactly it, as one that an environment runs: with more on
        /// top, it would run something else.
        #[serde(default)]
        exact: bool,
    },
    /// Merges a commit into the candidate's.
    MergeFrom {
        /// The candidate's commit.
        onto: ObjectId,
        /// The commit.
        commit: ObjectId,
        /// The branch it was on, for people.
        branch: String,
        /// Whether there is a merge commit.
        how: MergeHow,
        /// The message of the merge commit.
        message: String,
        /// Its dates.
        at: Timestamp,
        /// Whether to sign; `None` as git is configured.
        sign: Option<bool>,
    },
    /// Takes the changes of commits over, one after the other.
    CherryPick {
        /// The candidate's commit.
        onto: ObjectId,
        /// The commits, in order.
        commits: Vec<ObjectId>,
        /// Which parent of a merge commit its changes are counted against, from 1.
        mainline: Option<u32>,
        /// The committer's date of the new commits.
        at: Timestamp,
        /// Whether to sign; `None` as git is configured.
        sign: Option<bool>,
    },
    /// Looks at signatures.
    Verify {
        /// The tag, if its signature counts.
        tag: Option<SignedObject>,
        /// The commits whose signatures count: those of the second that are not in the first.
        commits: Option<(Option<ObjectId>, ObjectId)>,
        /// Whose signatures count.
        signers: Signers,
    },
    /// Runs a command.
    Run(Command),
    /// Packs files and keeps them.
    Pack(Box<Pack>),
    /// Publishes a version in a registry.
    Publish(Box<Publish>),
    /// Sends a mail.
    Mail {
        /// Its Message-ID, without brackets.
        message_id: String,
        /// The Maildir folder; relative to the folder of the procedure file.
        maildir: String,
        /// Who it is from.
        from: String,
        /// Who it is for.
        to: Vec<String>,
        /// Its subject.
        subject: String,
        /// Its text.
        body: String,
        /// Its date.
        at: Timestamp,
    },
}

/// A merge into a branch of the remote that goes out together with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LaterMerge {
    /// The branch, by its full name.
    pub branch: String,
    /// The commit that is merged.
    pub commit: ObjectId,
    /// Whether there is a merge commit.
    pub how: MergeHow,
    /// The message of the merge commit.
    pub message: String,
    /// Its dates.
    pub at: Timestamp,
    /// Whether to sign; `None` as git is configured.
    pub sign: Option<bool>,
    /// What was made of it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<MadeMerge>,
}

/// A merge that was made: good for as long as its branch stands where it stood then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MadeMerge {
    /// Where the branch shall stand.
    pub commit: ObjectId,
    /// Where it stood.
    pub onto: ObjectId,
}

/// Where a branch stands after a push that took a merge into it along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MergedBranch {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Where it stands.
    pub commit: ObjectId,
    /// Whether it contained the candidate already.
    pub found: bool,
}

/// A command to run in the files of a commit or tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Command {
    /// For `sh -c`.
    pub command: String,
    /// The files it runs in.
    pub content: ObjectId,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Variables that hold secrets: variable name to secret name.
    pub secrets: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: SignedDuration,
    /// Whether doing it twice is doing it once.
    pub repeatable: bool,
    /// What is read from its output.
    pub outputs: BTreeMap<OutputName, Extract>,
    /// Files that are laid out for it, beside those of the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<Box<Laid>>,
}

/// How an act can be repeated when its outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeatability {
    /// Its result is found by a key that it carries: look first, act if it is not there.
    Findable,
    /// Doing it twice is doing it once.
    Repeatable,
    /// It is never repeated by itself: it pauses and asks.
    InDoubt,
}

impl Act {
    /// How it can be repeated.
    pub fn repeatability(&self) -> Repeatability {
        match self {
            Self::CheckCopy { .. }
            | Self::EditVersion { .. }
            | Self::EditChangelog { .. }
            | Self::Commit { .. }
            | Self::PrepareMerge(_)
            | Self::MergeFrom { .. }
            | Self::Verify { .. }
            | Self::CherryPick { .. } => Repeatability::Repeatable,
            Self::Tag { .. }
            | Self::Push { .. }
            | Self::MergeInto { .. }
            | Self::Mail { .. }
            | Self::Pack(_)
            | Self::Publish(_) => Repeatability::Findable,
            Self::Run(command) if command.repeatable => Repeatability::Repeatable,
            Self::Run(_) => Repeatability::InDoubt,
        }
    }

    /// A short word for logs and lanes.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CheckCopy { .. } => "check-copy",
            Self::EditVersion { .. } => "edit-version",
            Self::EditChangelog { .. } => "edit-changelog",
            Self::Commit { .. } => "commit",
            Self::Tag { .. } => "tag",
            Self::Push { .. } => "push",
            Self::PrepareMerge(_) => "prepare-merge",
            Self::MergeInto { .. } => "merge-into",
            Self::MergeFrom { .. } => "merge-from",
            Self::CherryPick { .. } => "cherry-pick",
            Self::Verify { .. } => "verify",
            Self::Run(_) => "run",
            Self::Pack(_) => "pack",
            Self::Publish(_) => "publish",
            Self::Mail { .. } => "mail",
        }
    }

    /// Whether it runs commands, which can be stopped.
    pub fn runs_commands(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Pack(_) | Self::Publish(_))
    }

    /// Acts in one lane share an outside system, and with it its limits.
    pub fn lane(&self) -> &'static str {
        match self {
            Self::Run(_) | Self::Pack(_) | Self::Publish(_) => COMMANDS,
            Self::Mail { .. } => "mail",
            _ => "git",
        }
    }
}

/// What came of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// It is done.
    Done(Outcome),
    /// It failed.
    Failed(Failure),
}

impl Report {
    /// Whether the act may still be going on, or be found done by the next try.
    pub fn may_go_on(&self) -> bool {
        let passing = [FailureClass::Transient, FailureClass::RateLimited, FailureClass::InDoubt];
        matches!(self, Self::Failed(failure) if passing.contains(&failure.class))
    }
}

/// The result of an act that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing more to say.
    Done,
    /// The working copy is fit.
    Fit,
    /// A tree with edited files, and what was edited.
    Edited {
        /// The tree.
        tree: ObjectId,
        /// The files that changed.
        files: Vec<String>,
        /// The release notes, if the changelog was written.
        notes: Option<String>,
    },
    /// A commit.
    Committed {
        /// Its id.
        commit: ObjectId,
    },
    /// A tag.
    Tagged {
        /// The tag object.
        object: ObjectId,
        /// Whether it carries a signature.
        signed: bool,
        /// Whether it was there already.
        found: bool,
    },
    /// Refs are on the remote.
    Pushed {
        /// Those that were there already.
        found: Vec<String>,
        /// The branches that merges went into.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        merged: Vec<MergedBranch>,
    },
    /// A merge into a branch was made, for a push to take along.
    MergePrepared {
        /// The branch, without `refs/heads/`.
        branch: String,
        /// The commit that was merged.
        of: ObjectId,
        /// Where the branch shall stand.
        commit: ObjectId,
        /// Where it stood.
        onto: ObjectId,
        /// Whether the branch contains it already.
        found: bool,
    },
    /// A branch of the remote contains the candidate.
    MergedInto {
        /// The branch, without `refs/heads/`.
        branch: String,
        /// Where it stands.
        commit: ObjectId,
        /// Whether it did so already.
        found: bool,
    },
    /// A branch was merged into the candidate.
    Merged {
        /// The candidate's commit.
        commit: ObjectId,
        /// Whether the candidate contained it already.
        found: bool,
    },
    /// The changes of commits were taken over.
    Picked {
        /// The candidate's commit.
        commit: ObjectId,
        /// The commits that were taken over.
        picked: Vec<ObjectId>,
        /// Those whose changes were there already.
        contained: Vec<ObjectId>,
        /// The mail addresses of those who wrote them, co-authors too, each once.
        authors: Vec<String>,
    },
    /// Every signature counts.
    Verified {
        /// The keys, for people, each once.
        by: Vec<String>,
        /// How many signatures.
        count: u32,
    },
    /// A command ended well.
    Ran {
        /// What was read from its output.
        outputs: BTreeMap<OutputName, String>,
        /// Its last lines, plain, at most 2,000 characters.
        tail: String,
        /// All of its output, kept beside the journal.
        output: Option<BlobId>,
        /// How long it ran, in milliseconds.
        took_ms: u64,
    },
    /// Files were packed and are kept.
    Packed(Box<Packed>),
    /// A registry lists a version, with exactly the files that were packed.
    Published {
        /// The registry.
        registry: String,
        /// What it is called there.
        name: String,
        /// The version.
        version: String,
        /// The files.
        files: Artifacts,
        /// The component whose image it is.
        component: Option<ComponentName>,
        /// Whether it was there already.
        found: bool,
    },
    /// A mail was delivered.
    Sent {
        /// Whether it had been delivered already.
        found: bool,
    },
}

/// Why an act failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// How to meet it.
    pub class: FailureClass,
    /// What went wrong, with its subject, plain.
    pub why: String,
    /// What somebody can do about it.
    pub hint: Option<String>,
    /// When to come back, if the other side said so.
    pub retry_at: Option<Timestamp>,
    /// The output of a command, kept beside the journal.
    pub output: Option<BlobId>,
}

/// How a failure of an outside act is to be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// It may work if tried again (a connection cut off, a server error, a time-out before anything was sent).
    Transient,
    /// The other side asked to come back later.
    RateLimited,
    /// It will not work until somebody changes something.
    Permanent,
    /// Whether it happened cannot be known.
    InDoubt,
}

/// The Message-ID of the mail that an effect sends, without brackets.
pub fn message_id(effect: EffectId, service: &crate::ids::ServiceName) -> String {
    format!("{effect}@{service}.tollgate.invalid")
}
