//! The port to git repositories, over the `git` program.
//!
//! Everything happens in a bare clone of Tollgate's own. The branches of the remote stand there as
//! `refs/remotes/origin/…`, tags as `refs/tags/…`; it has no branches itself. The user's checkout is read, and part of its
//! configuration used (name, key, connection, credentials), never written.
//!
//! What is done here can be done again: objects are named by their content, tags are looked for before they are made,
//! remotes are looked at before and after a push. A crash in between leaves at most objects that nothing points to, and
//! folders that the next writer removes.

mod ahead;
mod diff;
mod environment;
mod fault;
mod found;
mod history;
mod lay_out;
mod lock;
mod look;
mod merge;
mod names;
mod pick;
mod push;
mod read;
mod refresh;
mod report;
mod run;
mod tag;
mod text;
mod verify;
mod working;
mod write;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tollgate_engine::ports::{
    Checkout, CommitRequest, CommitSink, Diff, FileEdit, FoundRepository, HistoryQuery, LocalTag,
    MergeOutcome, MergeRequest, ObjectId, PickOutcome, PickRequest, PortError, PushOutcome, RefUpdate,
    Repository, SignedObject, Signers, Source, TagFound, TagRequest, Verdict,
};

pub use tag::SignatureKind;

use environment::Environment;
use run::Call;

/// The oldest git that can sign with ssh keys as we ask it to.
const OLDEST: (u32, u32) = (2, 34);

/// How long calls may take before they are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GitLimits {
    /// Work on this machine: reading history, making objects.
    pub local: Duration,
    /// One look at a remote.
    pub look: Duration,
    /// One fetch or push; also how long one process waits for another to finish its work in the same clone.
    pub transfer: Duration,
    /// Making or checking one signature.
    pub signing: Duration,
}

impl Default for GitLimits {
    fn default() -> GitLimits {
        GitLimits {
            local: Duration::from_secs(300),
            look: Duration::from_secs(60),
            transfer: Duration::from_secs(600),
            signing: Duration::from_secs(120),
        }
    }
}

/// Git repositories, read and written by the `git` program.
pub struct Git {
    program: PathBuf,
    environment: Environment,
    limits: GitLimits,
    version: OnceCell<(u32, u32)>,
}

impl std::fmt::Debug for Git {
    // The environment may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Git").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Git {
    /// Git as found on the `PATH` of an environment, which is that of the user whose configuration and keys are used.
    pub fn new(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Git {
        let environment = Environment::new(environment);
        Git {
            // Starting a program that has to be looked for first takes a copy of this process.
            program: environment.program("git"),
            environment,
            limits: GitLimits::default(),
            version: OnceCell::new(),
        }
    }

    /// With another program instead of `git`.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Git {
        self.program = program.into();
        self
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: GitLimits) -> Git {
        self.limits = limits;
        self
    }

    /// Whether and how a tag in the clone is signed. `None` for no signature, and for tags that are not annotated.
    pub async fn signature(
        &self,
        repository: &Repository,
        name: &str,
    ) -> Result<Option<SignatureKind>, PortError> {
        self.ready().await?;
        tag::signature(self, repository, name).await
    }

    /// Whether git, with the user's keys and allowed signers, accepts the signature of a tag in the clone.
    pub async fn verify_tag(&self, repository: &Repository, name: &str) -> Result<bool, PortError> {
        self.ready().await?;
        tag::verify(self, repository, name).await
    }

    /// Asks git for its version, once, and refuses one that is too old.
    async fn ready(&self) -> Result<(), PortError> {
        let what = "find git's version";
        let hint = Some("install git, 2.34 or newer");
        let version = self.version.get_or_try_init(async || {
            let line = Call::new(self, what).arg("version").line().await?;
            version_in(&line).ok_or_else(|| {
                fault::permanent(what, format!("`git version` printed `{}`", text::cut(&line, 80)), hint)
            })
        });
        let (major, minor) = *version.await?;
        if (major, minor) < OLDEST {
            let why = format!("this is git {major}.{minor}, and Tollgate needs {}.{}", OLDEST.0, OLDEST.1);
            return Err(fault::permanent(what, why, hint));
        }
        Ok(())
    }
}

impl Git {
    /// Refuses what this git is too old for. Only after [`Git::ready`].
    fn needs(&self, what: &str, least: (u32, u32), feature: &str) -> Result<(), PortError> {
        let (major, minor) = self.version.get().copied().unwrap_or(OLDEST);
        if (major, minor) >= least {
            return Ok(());
        }
        let why = format!("this is git {major}.{minor}, and {feature} needs {}.{}", least.0, least.1);
        let hint = "install a newer git; everything else works with this one";
        Err(fault::permanent(what, why, Some(hint)))
    }
}

/// Major and minor version in `git version 2.39.5 (Apple Git-154)`.
fn version_in(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.strip_prefix("git version ")?.split(['.', ' ', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[async_trait]
impl Source for Git {
    async fn checkout(&self, path: &Path) -> Result<Checkout, PortError> {
        self.ready().await?;
        look::checkout(self, path).await
    }

    async fn refresh(&self, repository: &Repository) -> Result<(), PortError> {
        self.ready().await?;
        refresh::refresh(self, repository).await
    }

    async fn resolve(&self, repository: &Repository, revision: &str) -> Result<Option<ObjectId>, PortError> {
        self.ready().await?;
        read::resolve(self, repository, revision).await
    }

    // Looks at history need nothing that an old git lacks: they do without asking for its version first.

    async fn find_repository(&self, folder: &Path) -> Result<Option<FoundRepository>, PortError> {
        found::find(self, folder).await
    }

    async fn remote_url(&self, repository: &Repository) -> Result<Option<String>, PortError> {
        let folder = repository.checkout.as_deref().unwrap_or(&repository.clone);
        look::remote_url(self, folder, "find the remote").await
    }

    async fn commits(
        &self,
        repository: &Repository,
        query: &HistoryQuery,
        sink: &mut CommitSink<'_>,
    ) -> Result<(), PortError> {
        history::commits(self, repository, query, sink).await
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<LocalTag>, PortError> {
        history::tags(self, repository).await
    }

    async fn distances(
        &self,
        repository: &Repository,
        from: &ObjectId,
        commits: &[ObjectId],
    ) -> Result<Vec<Option<u64>>, PortError> {
        ahead::distances(self, repository, from, commits).await
    }

    async fn remote_refs(
        &self,
        repository: &Repository,
        prefixes: &[String],
    ) -> Result<BTreeMap<String, ObjectId>, PortError> {
        self.ready().await?;
        look::remote_refs(self, repository, prefixes).await
    }

    async fn changed_paths(
        &self,
        repository: &Repository,
        from: &ObjectId,
        to: &ObjectId,
    ) -> Result<Vec<String>, PortError> {
        self.ready().await?;
        read::changed_paths(self, repository, from, to).await
    }

    async fn diff(&self, repository: &Repository, from: &ObjectId, to: &ObjectId) -> Result<Diff, PortError> {
        self.ready().await?;
        diff::diff(self, repository, from, to).await
    }

    async fn read_file(
        &self,
        repository: &Repository,
        tree: &ObjectId,
        path: &str,
    ) -> Result<Option<Vec<u8>>, PortError> {
        self.ready().await?;
        read::read_file(self, repository, tree, path).await
    }

    async fn list_files(
        &self,
        repository: &Repository,
        tree: &ObjectId,
        folder: &str,
        name: &str,
    ) -> Result<Vec<String>, PortError> {
        self.ready().await?;
        read::list_files(self, repository, tree, folder, name).await
    }

    async fn working_file(&self, checkout: &Checkout, path: &str) -> Result<Option<Vec<u8>>, PortError> {
        working::file(checkout, path).await
    }

    async fn working_files(
        &self,
        checkout: &Checkout,
        folder: &str,
        name: &str,
    ) -> Result<Vec<String>, PortError> {
        self.ready().await?;
        working::files(self, checkout, folder, name).await
    }

    async fn edit_tree(
        &self,
        repository: &Repository,
        base: &ObjectId,
        edits: &[FileEdit],
    ) -> Result<ObjectId, PortError> {
        self.ready().await?;
        write::edit_tree(self, repository, base, edits).await
    }

    async fn commit(&self, repository: &Repository, request: &CommitRequest) -> Result<ObjectId, PortError> {
        self.ready().await?;
        write::commit(self, repository, request).await
    }

    async fn merge(
        &self,
        repository: &Repository,
        request: &MergeRequest,
    ) -> Result<MergeOutcome, PortError> {
        self.ready().await?;
        merge::merge(self, repository, request).await
    }

    async fn cherry_pick(
        &self,
        repository: &Repository,
        request: &PickRequest,
    ) -> Result<PickOutcome, PortError> {
        self.ready().await?;
        pick::cherry_pick(self, repository, request).await
    }

    async fn verify(
        &self,
        repository: &Repository,
        signed: &SignedObject,
        signers: &Signers,
    ) -> Result<Verdict, PortError> {
        self.ready().await?;
        verify::verify(self, repository, signed, signers).await
    }

    async fn find_tag(&self, repository: &Repository, name: &str) -> Result<Option<TagFound>, PortError> {
        self.ready().await?;
        tag::find(self, repository, name).await
    }

    async fn tag(&self, repository: &Repository, request: &TagRequest) -> Result<TagFound, PortError> {
        self.ready().await?;
        tag::make(self, repository, request).await
    }

    async fn drop_tags(&self, repository: &Repository, tags: &[(String, ObjectId)]) -> Result<(), PortError> {
        self.ready().await?;
        refresh::drop_tags(self, repository, tags).await
    }

    async fn push(&self, repository: &Repository, refs: &[RefUpdate]) -> Result<PushOutcome, PortError> {
        self.ready().await?;
        push::push(self, repository, refs).await
    }

    async fn lay_out(
        &self,
        repository: &Repository,
        tree: &ObjectId,
        folder: &Path,
    ) -> Result<(), PortError> {
        self.ready().await?;
        lay_out::lay_out(self, repository, tree, folder).await
    }
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_are_read() {
        assert_eq!(version_in("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(version_in("git version 2.48-rc1"), Some((2, 48)));
        assert_eq!(version_in("git version 2.45.1.windows.1"), Some((2, 45)));
        assert_eq!(version_in("jj 0.30"), None);
    }
}
