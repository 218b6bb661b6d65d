//! The ports to the world, in our own words. Refusals that are to be expected are values, not errors.

mod facts;
mod merging;
mod procedures;
mod publishing;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
pub use facts::*;
use jiff::{SignedDuration, Timestamp};
pub use merging::*;
pub use procedures::{FileLoader, Procedures};
pub use publishing::*;
use serde::{Deserialize, Serialize};
pub use tollgate_core::act::FailureClass;
use tollgate_core::ids::EffectId;
pub use tollgate_core::ids::ObjectId;
pub use tollgate_core::model::{MergeHow, ProbeRead};
pub use tollgate_core::plan::FileDiff;
pub use tollgate_core::signatures::{SignedObject, Signers, Verdict};

/// An outside act or look that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{what}: {why}")]
#[serde(rename_all = "kebab-case")]
pub struct PortError {
    /// How to meet it.
    pub class: FailureClass,
    /// What was being done, with its subject ("push to git@host:repo").
    pub what: String,
    /// What went wrong, without secrets, in plain text.
    pub why: String,
    /// What somebody can do about it.
    pub hint: Option<String>,
    /// When to come back, if the other side said so.
    pub retry_at: Option<Timestamp>,
}

// ---------------------------------------------------------------- source

/// A repository and the clone of it that Tollgate owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Repository {
    /// Where it is fetched from and pushed to: a URL, an scp-like address or an absolute path.
    pub url: String,
    /// Tollgate's own bare clone. Never the user's checkout.
    pub clone: PathBuf,
    /// The user's checkout, if there is one: its local git configuration (name, mail, signing key, ssh command) is honoured.
    pub checkout: Option<PathBuf>,
}

/// The user's working copy, as it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Checkout {
    /// Its top folder.
    pub root: PathBuf,
    /// The branch; `None` when the head is detached.
    pub branch: Option<String>,
    /// The commit; `None` when there is none yet.
    pub head: Option<ObjectId>,
    /// Changed or untracked files, at most 100, as git prints them but in plain text.
    pub dirty: Vec<String>,
    /// Where `origin` (or the only remote) points to.
    pub remote_url: Option<String>,
    /// Whether history is cut off.
    pub shallow: bool,
}

/// A commit as read, unparsed. Texts are hostile; invalid UTF-8 was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RawCommit {
    /// Its id.
    pub id: ObjectId,
    /// Its parents.
    pub parents: Vec<ObjectId>,
    /// The author's name.
    pub author_name: String,
    /// The author's mail address.
    pub author_email: String,
    /// When it was authored.
    pub authored_at: Timestamp,
    /// The whole message, cut to 64 KiB.
    pub message: String,
}

/// A tag of a repository on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LocalTag {
    /// Its name without `refs/tags/`: hostile. Bytes that are no UTF-8 were replaced, so that such a tag cannot be asked for.
    pub name: String,
    /// The tag object; of a lightweight tag the same as `commit`.
    pub object: ObjectId,
    /// What it leads to.
    pub commit: ObjectId,
    /// Whether that is a commit. Hardly ever it is a tree or a file instead: such a tag is no release, whatever its name says.
    pub is_commit: bool,
}

/// A repository, found from a folder inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRepository {
    /// The repository itself, to be read where it is. Its `url` is empty.
    pub repository: Repository,
    /// The commit that is checked out, or that a bare repository's `HEAD` names; `None` when there is none yet.
    pub head: Option<ObjectId>,
    /// Whether history is cut off.
    pub shallow: bool,
    /// Whether it is a partial clone, in which files or even trees may be missing. Nothing is ever fetched for a look.
    pub partial: bool,
}

/// Which commits to read, and what of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// These commits, and all before them.
    pub to: Vec<ObjectId>,
    /// Without these, and all before them.
    pub without: Vec<ObjectId>,
    /// Only commits that change one of these paths; all commits if there are none. Of merges only those that differ from
    /// every parent there.
    pub paths: Vec<PathFilter>,
    /// In which order.
    pub order: HistoryOrder,
    /// What is read of each.
    pub fields: CommitFields,
}

/// The order in which commits are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryOrder {
    /// No commit before one of its children; otherwise the newest first, by the committer's date.
    ChildrenFirst,
    /// The newest first, as far as one sees while walking: where clocks went wrong a commit may come before its child. It is
    /// the order in which the first commits come soonest.
    AsWalked,
}

/// What is read of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFields {
    /// Everything.
    All,
    /// Everything but the message, which is empty.
    WithoutMessage,
}

/// Paths of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFilter {
    /// A path from the top of the repository, with `/`: a file, or a folder with everything in it. As a pattern, `*` stands for
    /// anything but `/`, and `**` between slashes for any folders.
    pub path: String,
    /// Whether `path` is a pattern.
    pub pattern: bool,
    /// Whether these paths do not count, although others name them.
    pub except: bool,
}

impl PathFilter {
    /// As people write it: a path, a pattern if one of `*?[` is in it, and `!` before what does not count.
    pub fn read(text: &str) -> PathFilter {
        let (except, path) = match text.strip_prefix('!') {
            Some(path) => (true, path),
            None => (false, text),
        };
        PathFilter { path: path.to_owned(), pattern: path.contains(['*', '?', '[']), except }
    }
}

impl HistoryQuery {
    /// All commits up to one, children first, with everything in them.
    pub fn upto(to: &ObjectId) -> HistoryQuery {
        HistoryQuery {
            to: vec![to.clone()],
            without: Vec::new(),
            paths: Vec::new(),
            order: HistoryOrder::ChildrenFirst,
            fields: CommitFields::All,
        }
    }

    /// Without a commit and all before it.
    #[must_use]
    pub fn without<'a>(mut self, from: impl IntoIterator<Item = &'a ObjectId>) -> HistoryQuery {
        self.without.extend(from.into_iter().cloned());
        self
    }

    /// Only commits that change these paths.
    #[must_use]
    pub fn within(mut self, paths: &[PathFilter]) -> HistoryQuery {
        self.paths.extend_from_slice(paths);
        self
    }
}

/// A commit as it is read, unparsed, for as long as nobody reads the next one. Texts are hostile; invalid UTF-8 was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitRef<'a> {
    /// Its id, in hexadecimal.
    pub id: &'a str,
    /// The ids of its parents, one space between two. Those of a shallow clone's last commits are left out.
    pub parents: &'a str,
    /// The author's name, cut to 1 KiB.
    pub author_name: &'a str,
    /// The author's mail address, cut to 1 KiB.
    pub author_email: &'a str,
    /// When it was authored; the epoch where the commit tells no sane date.
    pub authored_at: Timestamp,
    /// When it was committed; the epoch where the commit tells no sane date.
    pub committed_at: Timestamp,
    /// The whole message, cut to 64 KiB.
    pub message: &'a str,
}

impl CommitRef<'_> {
    /// The ids of its parents.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.parents.split(' ').filter(|id| !id.is_empty())
    }

    /// To keep it.
    pub fn to_raw(&self) -> RawCommit {
        RawCommit {
            id: ObjectId(self.id.to_owned()),
            parents: self.parents().map(|id| ObjectId(id.to_owned())).collect(),
            author_name: self.author_name.to_owned(),
            author_email: self.author_email.to_owned(),
            authored_at: self.authored_at,
            message: self.message.to_owned(),
        }
    }
}

/// What takes commits in, one after the other. `Break` ends the reading, which is no error.
pub type CommitSink<'s> = dyn for<'c> FnMut(CommitRef<'c>) -> ControlFlow<()> + Send + 's;

/// A file that is changed, added or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileEdit {
    /// The path in the repository, with `/`.
    pub path: String,
    /// The whole new content; `None` removes the file.
    pub content: Option<Vec<u8>>,
}

impl FileEdit {
    /// The file has this content afterwards, whether it was there before or not.
    pub fn write(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: Some(content.into()) }
    }

    /// The file is not there afterwards. That it is gone already is no error, so that this can be repeated.
    pub fn remove(path: impl Into<String>) -> Self {
        Self { path: path.into(), content: None }
    }
}

/// Whether and how to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// As the user's git is configured (`tag.gpgSign`, `commit.gpgSign`).
    AsConfigured,
    /// Always; a missing key is a permanent failure.
    Always,
    /// Never.
    Never,
}

/// A commit to make. The same request makes the same commit (a signature aside).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CommitRequest {
    /// Its tree.
    pub tree: ObjectId,
    /// Its parents.
    pub parents: Vec<ObjectId>,
    /// Its message.
    pub message: String,
    /// Author and committer date: from the journal.
    pub at: Timestamp,
    /// Whether to sign.
    pub sign: Sign,
}

/// An annotated tag to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TagRequest {
    /// Its name without `refs/tags/`.
    pub name: String,
    /// The commit.
    pub target: ObjectId,
    /// Its message.
    pub message: String,
    /// The tagger date: from the journal.
    pub at: Timestamp,
    /// Whether to sign.
    pub sign: Sign,
}

/// A tag, in the clone or on the remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TagFound {
    /// The tag object; of a lightweight tag the commit.
    pub object: ObjectId,
    /// The commit it leads to.
    pub commit: ObjectId,
    /// Whether it is annotated.
    pub annotated: bool,
}

/// A ref to write on the remote, never by force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RefUpdate {
    /// The full name, such as `refs/heads/main`.
    pub name: String,
    /// What it shall point to.
    pub object: ObjectId,
}

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PushOutcome {
    /// Every ref points where it should.
    Done,
    /// The remote refused; nothing was written if the remote can push atomically.
    Rejected {
        /// Each ref that is not there, with the reason. Those that were to be pushed and are not among them have arrived: a
        /// remote that cannot push atomically gets one ref after the other.
        refs: Vec<(String, PushRefusal)>,
    },
}

/// Why a remote refused one ref.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PushRefusal {
    /// The branch has moved on: what it points to now.
    NotFastForward(Option<ObjectId>),
    /// A tag of this name is there and points elsewhere.
    TagExists(TagFound),
    /// A hook or a protection rule said no, in these words.
    Declined(String),
    /// Not refused itself, but the push was atomic.
    WithTheOthers,
}

/// What differs between two commits or trees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Diff {
    /// The files, by path.
    pub files: Vec<FileDiff>,
    /// All of it as a unified diff, at most a megabyte of it. Hostile: to be made plain before it is shown.
    pub text: String,
}

/// Reads and writes git repositories through a clone of Tollgate's own. Writing is repeatable: asked twice, it is done once.
#[async_trait]
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Looks at the user's working copy that contains `path`. Reads only.
    async fn checkout(&self, path: &Path) -> Result<Checkout, PortError>;

    /// Makes Tollgate's clone if it is not there, and fetches branches and tags. A tag that the remote has moved stays as it was.
    async fn refresh(&self, repository: &Repository) -> Result<(), PortError>;

    /// The commit that a full ref name or an object id leads to, in the clone. The clone has no branches of its own:
    /// `refs/heads/…` stands for the remote's branch as it was at the last refresh.
    async fn resolve(&self, repository: &Repository, revision: &str) -> Result<Option<ObjectId>, PortError>;

    /// The repository that contains a folder, also a bare one; `None` when there is none. Reads only.
    async fn find_repository(&self, folder: &Path) -> Result<Option<FoundRepository>, PortError>;

    /// Where `origin`, or the only remote, of a repository points to, as it stands in the configuration: it may hold a password.
    async fn remote_url(&self, repository: &Repository) -> Result<Option<String>, PortError>;

    /// Reads commits in one pass, and hands each to `sink`. `refs/replace` and grafts do not count: what is read is what the
    /// commits' ids say.
    async fn commits(
        &self,
        repository: &Repository,
        query: &HistoryQuery,
        sink: &mut CommitSink<'_>,
    ) -> Result<(), PortError>;

    /// The commits of `to` that are not in `from`, children before their parents. `limit` commits at most; the flag tells
    /// whether there are more.
    async fn history(
        &self,
        repository: &Repository,
        from: Option<&ObjectId>,
        to: &ObjectId,
        limit: usize,
    ) -> Result<(Vec<RawCommit>, bool), PortError> {
        let (mut commits, mut more) = (Vec::new(), false);
        let query = HistoryQuery::upto(to).without(from);
        let mut keep = |commit: CommitRef<'_>| {
            more = commits.len() == limit;
            if more {
                return ControlFlow::Break(());
            }
            commits.push(commit.to_raw());
            ControlFlow::Continue(())
        };
        self.commits(repository, &query, &mut keep).await?;
        Ok((commits, more))
    }

    /// All tags of a repository on this machine, whether anything leads to them or not, by name.
    async fn tags(&self, repository: &Repository) -> Result<Vec<LocalTag>, PortError>;

    /// For each of some commits, how many commits are in `from` and not in it (`git rev-list --count COMMIT..FROM`); `None`
    /// where `from` does not descend from it. One walk through everything for all of them.
    async fn distances(
        &self,
        repository: &Repository,
        from: &ObjectId,
        commits: &[ObjectId],
    ) -> Result<Vec<Option<u64>>, PortError>;

    /// The refs of the remote whose full names start with one of the prefixes. Peeled tags come as `name^{}`.
    async fn remote_refs(
        &self,
        repository: &Repository,
        prefixes: &[String],
    ) -> Result<BTreeMap<String, ObjectId>, PortError>;

    /// The paths that differ between two commits or trees.
    async fn changed_paths(
        &self,
        repository: &Repository,
        from: &ObjectId,
        to: &ObjectId,
    ) -> Result<Vec<String>, PortError>;

    /// What differs between two commits or trees.
    async fn diff(&self, repository: &Repository, from: &ObjectId, to: &ObjectId) -> Result<Diff, PortError>;

    /// A file of a commit or tree. `None` when there is none.
    async fn read_file(
        &self,
        repository: &Repository,
        tree: &ObjectId,
        path: &str,
    ) -> Result<Option<Vec<u8>>, PortError>;

    /// The files of this name in a folder of a commit or tree and in those below it; the top of the repository is an empty
    /// folder. A name that begins with `*` is any that ends with the rest. Links and submodules are none.
    async fn list_files(
        &self,
        repository: &Repository,
        tree: &ObjectId,
        folder: &str,
        name: &str,
    ) -> Result<Vec<String>, PortError>;

    /// A file of the user's working copy as it is on the disk, committed or not; its path starts at the top of it. `None`
    /// when there is none. Reads only, and never outside of the working copy.
    async fn working_file(&self, checkout: &Checkout, path: &str) -> Result<Option<Vec<u8>>, PortError>;

    /// The files of this name in a folder of the working copy and in those below it, without those that git ignores.
    async fn working_files(
        &self,
        checkout: &Checkout,
        folder: &str,
        name: &str,
    ) -> Result<Vec<String>, PortError>;

    /// The tree of `base` (a commit or tree) with some files changed, added or removed. A folder that becomes empty goes too.
    async fn edit_tree(
        &self,
        repository: &Repository,
        base: &ObjectId,
        edits: &[FileEdit],
    ) -> Result<ObjectId, PortError>;

    /// Makes a commit, without moving any branch.
    async fn commit(&self, repository: &Repository, request: &CommitRequest) -> Result<ObjectId, PortError>;

    /// Merges one commit into another, without moving any branch. Only what merges cleanly is merged.
    async fn merge(&self, repository: &Repository, request: &MergeRequest)
    -> Result<MergeOutcome, PortError>;

    /// Takes the changes of one commit over onto another, with a line in the message that says where they are from.
    async fn cherry_pick(
        &self,
        repository: &Repository,
        request: &PickRequest,
    ) -> Result<PickOutcome, PortError>;

    /// Judges a signature of an object in the clone. That it does not count is an answer, not an error.
    async fn verify(
        &self,
        repository: &Repository,
        signed: &SignedObject,
        signers: &Signers,
    ) -> Result<Verdict, PortError>;

    /// Finds a tag in the clone.
    async fn find_tag(&self, repository: &Repository, name: &str) -> Result<Option<TagFound>, PortError>;

    /// Makes an annotated tag in the clone. One that is there with the same target is the result; with another target it is a
    /// permanent failure. Nothing is ever moved.
    async fn tag(&self, repository: &Repository, request: &TagRequest) -> Result<TagFound, PortError>;

    /// Removes tags from the clone, each only where it still is this very object. Where there is no clone there are none.
    async fn drop_tags(&self, repository: &Repository, tags: &[(String, ObjectId)]) -> Result<(), PortError>;

    /// Pushes refs, all or nothing where the remote can. Never by force; looks first, so that refs that already point
    /// where they should are not pushed again.
    async fn push(&self, repository: &Repository, refs: &[RefUpdate]) -> Result<PushOutcome, PortError>;

    /// Lays the files of a commit or tree out in a folder (made, or emptied), for commands to run in.
    async fn lay_out(&self, repository: &Repository, tree: &ObjectId, folder: &Path)
    -> Result<(), PortError>;
}

// ---------------------------------------------------------------- child processes

/// A shell command to run under the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChildRequest {
    /// The effect it carries out; a request with the same id and attempt is never started twice.
    pub id: EffectId,
    /// Counts deliberate repetitions of the effect, from 1.
    pub attempt: u32,
    /// The command, for `sh -c`. Nothing is filled in: values come as environment variables.
    pub command: String,
    /// Where it runs.
    pub folder: PathBuf,
    /// Its variables, beside a small set inherited from Tollgate's own environment (`PATH`, `HOME`, `LANG`, …).
    pub variables: BTreeMap<String, String>,
    /// Variables whose values are secrets: variable name to the name of the secret. They are never stored, and their values are
    /// blotted out of the output.
    pub secrets: BTreeMap<String, String>,
    /// After this time it is told to end, and ten seconds later killed, with all its children.
    pub timeout: SignedDuration,
}

/// How a child process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChildExit {
    /// The exit status, or `None` if a signal ended it.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether its time ran out.
    pub timed_out: bool,
    /// Standard output and error as they came, the last megabyte, without secrets.
    pub output: Vec<u8>,
    /// Standard output alone, the last megabyte, without secrets.
    pub stdout: Vec<u8>,
    /// How long it ran.
    pub took: SignedDuration,
}

/// What became of a child process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildState {
    /// It never started.
    Never,
    /// It runs, under a living supervisor.
    Running,
    /// It has ended.
    Ended(ChildExit),
    /// It started, and its supervisor is gone without a word (the machine was restarted, say).
    Lost,
}

/// Runs commands so that they outlive a crash of ours, and their results are found afterwards.
#[async_trait]
pub trait Runner: Send + Sync + std::fmt::Debug {
    /// What became of an effect's process.
    async fn look(&self, id: EffectId, attempt: u32) -> Result<ChildState, PortError>;

    /// Starts the command, unless this id and attempt was started before, and waits for its end. A lost one fails as in doubt.
    async fn run(&self, request: &ChildRequest) -> Result<ChildExit, PortError>;

    /// Ends the process of an effect, with all its children. No error when there is none.
    async fn stop(&self, id: EffectId, attempt: u32) -> Result<(), PortError>;

    /// Removes what was kept of an effect's process, once its result is in the journal.
    async fn forget(&self, id: EffectId) -> Result<(), PortError>;
}

// ---------------------------------------------------------------- probes

/// How to ask a running service what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbeRequest {
    /// The address, http or https, without credentials.
    pub url: String,
    /// What in the answer is the version.
    pub read: ProbeRead,
    /// How long one look may take.
    pub timeout: SignedDuration,
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbeAnswer {
    /// The HTTP status; `None` when there was no answer.
    pub status: Option<u16>,
    /// What was read, cut to 256 characters of plain text; `None` when it was not there.
    pub value: Option<String>,
    /// What was wrong, if something was, in plain words ("connection refused").
    pub problem: Option<String>,
}

/// Looks at running services.
#[async_trait]
pub trait Prober: Send + Sync + std::fmt::Debug {
    /// Looks once. That nothing answers is an answer, not an error.
    async fn probe(&self, request: &ProbeRequest) -> ProbeAnswer;
}

// ---------------------------------------------------------------- mail

/// A message to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mail {
    /// Its Message-ID without brackets: made from the effect, so that the same message is found again.
    pub message_id: String,
    /// The date in its header: from the journal.
    pub at: Timestamp,
    /// Who sends it.
    pub from: String,
    /// Who receives it, never empty.
    pub to: Vec<String>,
    /// The subject, one line.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Where it goes out.
    pub via: MailRoute,
}

/// A way for mail to go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailRoute {
    /// Into a Maildir folder on this machine.
    Maildir(PathBuf),
}

/// Delivers messages.
#[async_trait]
pub trait Mailer: Send + Sync + std::fmt::Debug {
    /// Whether the route can tell that a message was delivered, and if so whether it was.
    async fn delivered(&self, mail: &Mail) -> Result<Option<bool>, PortError>;

    /// Delivers it.
    async fn deliver(&self, mail: &Mail) -> Result<(), PortError>;
}

// ---------------------------------------------------------------- time and chance

/// The time. The only one who knows it.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// New ids and salts.
pub trait Ids: Send + Sync + std::fmt::Debug {
    /// A new UUID, version 7.
    fn uuid(&self) -> uuid::Uuid;
    /// Sixteen random bytes.
    fn salt(&self) -> [u8; 16];
}
