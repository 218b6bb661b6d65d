//! How a service is released.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    Again, ApprovalRule, Checklist, FactWait, LoadTest, Order, PackSpec, Patience, Place, PublishSpec,
    StepAt, Template, VoteRule, Who,
};
use crate::calendar::{FixedTime, Moment, Zone};
use crate::changelog::ChangelogRules;
use crate::commits::CommitRules;
use crate::expr::Expr;
use crate::ids::{
    ComponentName, ConnectionName, EnvironmentName, LineName, OutputName, ProcedureName, QuestionName,
    RiskLevel, RoleName, ServiceName, StepId,
};
use crate::pulls::LabelRules;
use crate::signatures::Signers;
use crate::version::{COUNTER_FIRST, Within};
use crate::version_file::{DescriptionError, VersionFile};

/// Everything of a procedure file that a run is pinned to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Definition {
    /// What is released.
    pub service: ServiceName,
    /// Where its source is.
    pub repository: RepositorySpec,
    /// How versions look and where they are written.
    pub version: VersionSpec,
    /// What commits ask of the next version.
    #[serde(default, skip_serializing_if = "is_default")]
    pub commits: CommitRules,
    /// The lines of older versions that are still maintained.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub lines: IndexMap<LineName, LineSpec>,
    /// How the changelog is written, if there is one.
    pub changelog: Option<ChangelogSpec>,
    /// What it is made of. Never empty: a service that names none has one, called like itself.
    pub components: IndexMap<ComponentName, Component>,
    /// Outside systems.
    pub connections: IndexMap<ConnectionName, Connection>,
    /// Questions that are asked once a release.
    pub questions: IndexMap<QuestionName, Question>,
    /// The levels of risk that its conditions can ask for, the lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risk_levels: Vec<RiskLevel>,
    /// The procedures, never empty.
    pub procedures: IndexMap<ProcedureName, Procedure>,
}

impl Definition {
    /// A service without components, connections, questions and procedures.
    pub fn new(service: ServiceName, repository: RepositorySpec, version: VersionSpec) -> Self {
        Self {
            service,
            repository,
            version,
            commits: CommitRules::default(),
            lines: IndexMap::new(),
            changelog: None,
            components: IndexMap::new(),
            connections: IndexMap::new(),
            questions: IndexMap::new(),
            risk_levels: Vec::new(),
            procedures: IndexMap::new(),
        }
    }
}

/// Where the source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RepositorySpec {
    /// Where it is fetched from and pushed to; without it, where the checkout's `origin` points to.
    pub url: Option<String>,
    /// The branch that releases are cut from.
    pub branch: String,
}

/// How versions look and where they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VersionSpec {
    /// The form of a tag, such as `vX.Y.Z`.
    pub format: String,
    /// The files that hold the version.
    pub files: Vec<VersionFileSpec>,
    /// The version of the first release, where no tag is found.
    pub initial: Option<String>,
    /// How the next one is found.
    #[serde(default, skip_serializing_if = "is_default")]
    pub next: NextSpec,
}

/// How the next version is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct NextSpec {
    /// Who says how much it grows.
    pub bump: BumpSource,
    /// The time zone of the day in a version, and of every other date of a release.
    pub zone: Zone,
    /// The number of the first release that has a counter.
    pub first: u64,
    /// The number that those behind a date start again with, or the last one of four.
    #[serde(skip_serializing_if = "is_default")]
    pub restart: u64,
    /// Only commits that touch these paths count; all of them where there are none. A path of the repository, a pattern with
    /// `*` and `**`, or one of them after `!` for what does not count.
    pub paths: Vec<String>,
    /// The folder of the change files, with files as [`BumpSource`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// How labels of pull requests decide, with labels as [`BumpSource`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Box<LabelRules>>,
}

/// Where change files are when nothing is said.
pub const CHANGE_FOLDER: &str = ".changes";

impl NextSpec {
    /// The folder of the change files, where they decide.
    pub fn change_folder(&self) -> Option<&str> {
        (self.bump == BumpSource::Files).then(|| self.folder.as_deref().unwrap_or(CHANGE_FOLDER))
    }

    /// How labels of pull requests decide, where they do.
    pub fn label_rules(&self) -> Option<&LabelRules> {
        self.labels.as_deref().filter(|_| self.bump == BumpSource::Labels)
    }
}

/// Who says how much the next version grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BumpSource {
    /// The commits do; a person can say something else.
    #[default]
    Commits,
    /// A person does, for every release.
    Ask,
    /// Change files do; a person can say something else.
    Files,
    /// Labels of pull requests do; a person can say something else.
    Labels,
}

impl Default for NextSpec {
    fn default() -> Self {
        let (bump, zone, paths) = (BumpSource::default(), Zone::utc(), Vec::new());
        Self { bump, zone, first: COUNTER_FIRST, restart: 0, paths, folder: None, labels: None }
    }
}

/// A line of older versions that is still maintained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LineSpec {
    /// The branch that its releases are cut from.
    pub branch: String,
    /// What all its versions start with.
    pub within: Within,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A file that holds the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VersionFileSpec {
    /// Its path in the repository.
    pub path: String,
    /// A text with `{version}` in it that stands around the version; without it the kind of file is told by its name.
    pub pattern: Option<String>,
    /// How often the pattern has to be found.
    pub count: u32,
    /// The keys that lead to the version, with dots between them; never beside a pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl VersionSpec {
    /// Versions whose tags have this form, in these files.
    pub fn new(format: impl Into<String>, files: Vec<VersionFileSpec>) -> Self {
        Self { format: format.into(), files, initial: None, next: NextSpec::default() }
    }
}

impl VersionFileSpec {
    /// A file whose kind is told by its name.
    pub fn named(path: impl Into<String>) -> Self {
        Self { path: path.into(), pattern: None, count: 1, key: None }
    }

    /// How it is read and edited.
    ///
    /// # Errors
    ///
    /// When it is not known how a file of this name holds the version, or the pattern or the key is none.
    pub fn file(&self) -> Result<VersionFile, DescriptionError> {
        match (&self.pattern, &self.key) {
            (Some(pattern), _) => VersionFile::with_pattern(&self.path, pattern, self.count),
            (None, Some(key)) => VersionFile::with_key(&self.path, key),
            (None, None) => VersionFile::guess(&self.path),
        }
    }
}

/// How the changelog is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangelogSpec {
    /// Its path in the repository.
    pub file: String,
    /// Whether the whole file is made anew at each release; otherwise the section of the release is put at its head.
    #[serde(default, skip_serializing_if = "is_default")]
    pub whole: bool,
    /// What stands in it.
    #[serde(default)]
    pub rules: ChangelogRules,
}

/// A deployable part of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Component {
    /// Its container image, without a tag.
    pub image: Option<String>,
}

/// An outside system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// Mail into a Maildir folder on this machine. A relative path starts at the folder of the procedure file.
    Maildir {
        /// The folder.
        path: String,
        /// Who the mail is from.
        from: String,
    },
}

/// A question that is asked once a release; the answer is evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Question {
    /// The question itself.
    pub ask: String,
    /// What can be answered.
    pub answer: AnswerType,
    /// Who may answer; without it, anybody who is known.
    pub by: Option<Who>,
}

/// What can be answered to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerType {
    /// Yes or no.
    YesNo,
    /// One of these, at least two.
    Choice(Vec<String>),
    /// A whole number, not smaller than this.
    Integer {
        /// The smallest number allowed.
        min: i64,
    },
    /// Any text, up to 2,000 characters.
    Text,
}

/// A procedure: what is done, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Procedure {
    /// Who may start it; without it, anybody who is known.
    pub start: Option<Who>,
    /// Whether it releases hotfixes, as a freeze can exempt them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hotfix: bool,
    /// When its releases are: the rule for the day that moments are told from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<FixedTime>,
    /// The steps, never empty.
    pub steps: Vec<Step>,
}

impl Procedure {
    /// Steps that anybody who is known may start.
    pub fn new(steps: Vec<Step>) -> Self {
        Self { start: None, hotfix: false, target: None, steps }
    }
}

/// A step with its modifiers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// Its id, unique in the procedure; derived where the file gives none.
    pub id: StepId,
    /// What it is called in lists; without it, told from its kind.
    pub name: Option<Template>,
    /// What it does.
    pub kind: StepKind,
    /// It is skipped, visibly, when this is false.
    #[serde(rename = "if")]
    pub condition: Option<Expr>,
    /// It is done once for each of these.
    pub each: Option<Each>,
    /// Who does it, or answers it.
    pub by: Option<Who>,
    /// Which steps have to end before it, instead of the one before it in the list.
    pub after: Option<Vec<StepId>>,
    /// When it begins, at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<StepAt>,
    /// In which order it is done where other releases have to do it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// By when it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Moment>,
    /// How long it may take: an act is ended, a wait expires.
    pub timeout: Option<SignedDuration>,
    /// How often an act is tried again. Without it, a few times when the failure may pass by itself, and a command that ends
    /// badly not at all; with it, that too.
    pub retry: Option<Retry>,
    /// What happens when it fails.
    #[serde(rename = "else")]
    pub otherwise: Otherwise,
    /// What is read from its output.
    pub outputs: BTreeMap<OutputName, Extract>,
    /// The step whose files its command gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<StepId>,
    /// What its evidence covers; without it, what the kind implies.
    pub covers: Option<Vec<FacetName>>,
    /// How long people are waited for before they are asked again.
    #[serde(default, skip_serializing_if = "Patience::is_endless")]
    pub patience: Patience,
    /// Whether it is done again for another candidate of the release.
    #[serde(default, skip_serializing_if = "Again::is_usual")]
    pub again: Again,
    /// Where it stands in the file.
    pub place: Place,
}

impl Step {
    /// A step without modifiers.
    pub fn new(id: StepId, kind: StepKind) -> Self {
        Self {
            id,
            name: None,
            kind,
            condition: None,
            each: None,
            by: None,
            after: None,
            at: None,
            order: None,
            due: None,
            timeout: None,
            retry: None,
            otherwise: Otherwise::Ask,
            outputs: BTreeMap::new(),
            packed: None,
            covers: None,
            patience: Patience::default(),
            again: Again::default(),
            place: Place::default(),
        }
    }
}

/// The kinds of step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Looks whether the working copy is fit to release from.
    GitCheck(GitCheck),
    /// Names the branch that the release's commits go to.
    GitBranch {
        /// The branch.
        name: Template,
    },
    /// Writes the version into the version files.
    VersionBump,
    /// Writes the changelog's section.
    Changelog,
    /// Makes a commit of what was edited.
    GitCommit {
        /// Its message.
        message: Template,
        /// Whether to sign it: `None` as git is configured.
        sign: Option<bool>,
    },
    /// Makes an annotated tag.
    GitTag {
        /// Its message; without it, the tag's name.
        message: Option<Template>,
        /// Whether to sign it: `None` as git is configured.
        sign: Option<bool>,
    },
    /// Pushes the release's branch, its tag, or both at once.
    GitPush {
        /// The branch is pushed.
        branch: bool,
        /// The tag is pushed.
        tag: bool,
    },
    /// Merges the candidate into a branch of the remote, or another branch into the candidate.
    GitMerge(GitMerge),
    /// Takes the changes of single commits over into the candidate.
    GitCherryPick(GitCherryPick),
    /// Looks at signatures: goes on only if all of them count.
    GitVerify(GitVerify),
    /// Runs a command.
    Shell(Shell),
    /// Runs a load test and judges its numbers.
    LoadTest(Box<LoadTest>),
    /// Packs files of the release, and tells of them.
    Pack(PackSpec),
    /// Publishes a package or an image in a registry.
    Publish(PublishSpec),
    /// A person does something and says so.
    Manual {
        /// What to do.
        instruction: Template,
        /// Whether something has to be handed in as evidence.
        evidence: bool,
    },
    /// Asks questions that were declared.
    Ask {
        /// Which, in order, never empty.
        questions: Vec<QuestionName>,
    },
    /// Waits for people to approve.
    Approval(ApprovalRule),
    /// Somebody takes a role over, and says so.
    HandOver {
        /// The role.
        role: RoleName,
        /// Who can take it: a group or a person.
        to: Who,
    },
    /// Waits for a fact of the world.
    Wait(FactWait),
    /// Waits until every item is answered.
    Checklist(Checklist),
    /// Waits until a vote passes.
    Vote(VoteRule),
    /// Tells people something.
    Message(Message),
    /// Moves the candidate into an environment.
    Promote {
        /// Which.
        environment: EnvironmentName,
    },
    /// Steps that go on at the same time; the next one waits for all of them.
    Parallel {
        /// The steps.
        steps: Vec<Step>,
    },
    /// Steps in order under one name.
    Phase {
        /// The steps.
        steps: Vec<Step>,
    },
}

/// What a working copy has to be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GitCheck {
    /// On this branch; without it, on the repository's.
    pub branch: Option<Template>,
    /// Without changed or untracked files.
    pub clean: bool,
    /// At the same commit as the remote's branch.
    pub in_sync: bool,
}

/// A merge that has to be clean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GitMerge {
    /// Which way.
    pub way: MergeWay,
    /// Whether there is always a merge commit, or never.
    pub how: MergeHow,
    /// The message of the merge commit; without it, one that names both sides.
    pub message: Option<Template>,
    /// Whether to sign the merge commit: `None` as git is configured.
    pub sign: Option<bool>,
    /// Whether the next push takes it along, instead of a push of its own. Only of a merge into a branch.
    #[serde(default)]
    pub later: bool,
}

/// Which way a merge goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MergeWay {
    /// The candidate into this branch of the remote.
    Into(Template),
    /// This branch of the remote into the candidate, at the commit that the plan pins.
    From(String),
}

/// How a merge is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MergeHow {
    /// With a merge commit, also where the branch could simply be moved on.
    #[default]
    NoFf,
    /// Without one: the branch is moved on, or the step stops.
    FfOnly,
}

/// Commits whose changes are taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GitCherryPick {
    /// The commits, in order: full ids, several in one text when there is space or a comma between them. Never empty.
    pub commits: Vec<Template>,
    /// Which parent of a merge commit its changes are counted against, from 1.
    pub mainline: Option<u32>,
    /// Whether to sign the new commits: `None` as git is configured.
    pub sign: Option<bool>,
}

/// Signatures that have to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GitVerify {
    /// That of the tag.
    pub tag: bool,
    /// Those of the commits since the version before.
    pub commits: bool,
    /// Whose count.
    pub signers: Signers,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shell {
    /// For `sh -c`. Nothing is filled in; values come as `TOLLGATE_*` variables.
    pub command: String,
    /// Further variables, filled in.
    pub variables: BTreeMap<String, Template>,
    /// Variables that hold secrets: variable name to secret name.
    pub secrets: BTreeMap<String, String>,
    /// Whether doing it twice is doing it once. Otherwise it is in doubt when its outcome is unknown.
    pub repeatable: bool,
}

/// Something that people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Message {
    /// The connection it goes out by.
    pub via: ConnectionName,
    /// Who is told: groups, people, or mail addresses.
    pub to: Vec<Recipient>,
    /// One line.
    pub subject: Template,
    /// The text.
    pub body: Template,
}

/// Somebody who is told something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    /// A group or a person.
    Who(Who),
    /// A mail address.
    Address(String),
}

/// What a step is repeated over. All are known when the plan is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Each {
    /// The commits since the version before, at most 200.
    Changes,
    /// The components.
    Components,
    /// These texts.
    List(Vec<String>),
}

/// How often a failed act is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Retry {
    /// How many tries at most, the first included. Only for failures that may pass.
    pub tries: u32,
    /// The pause before the second try; it doubles each time up to ten minutes.
    pub pause: SignedDuration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { tries: 5, pause: SignedDuration::from_secs(2) }
    }
}

/// What happens when a step fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// The run stops here and asks: retry, skip by a waiver, abort.
    #[default]
    Ask,
    /// The run is aborted.
    Abort,
}

/// How an output is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extract {
    /// The first line of standard output that starts with this text; the rest of the line is the value.
    Line(String),
    /// The text at this JSON pointer of standard output.
    Json(String),
    /// The whole of standard output, without white space around it, up to 2,000 characters.
    Text,
}

/// The name of a facet without its component: what evidence can be said to cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FacetName {
    /// The commit.
    Source,
    /// The tag.
    Tag,
    /// The digests of the components' artifacts.
    Digest,
    /// The release notes.
    Notes,
    /// The schema changes.
    Schema,
    /// The procedure.
    Procedure,
}
