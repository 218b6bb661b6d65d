//! The port to the repository in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use async_trait::async_trait;
use tollgate_core::act::FailureClass;
use tollgate_core::ids::ObjectId;
use tollgate_engine::ports::{
    Checkout, CommitFields, CommitRef, CommitRequest, CommitSink, Diff, FileDiff, FileEdit, FoundRepository,
    HistoryQuery, LocalTag, MergeOutcome, MergeRequest, PickOutcome, PickRequest, PortError, PushOutcome,
    RefUpdate, Repository, Sign, SignedObject, Signers, Source, TagFound, TagRequest, Verdict,
};

use super::super::{error, lost_answer};
use super::{Commit, Files, KNOWN, Object, SimSource};

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

fn unknown(what: &str, id: &ObjectId) -> PortError {
    error(FailureClass::Permanent, what, &format!("there is no {id} in the clone"))
}

impl SimSource {
    /// An act that reaches the remote: its answer may be lost.
    async fn remote<T: Send>(
        &self,
        what: &str,
        act: impl FnOnce(&mut super::super::State) -> T + Send,
    ) -> Result<T, PortError> {
        let lost = self.0.outside(what).await?;
        let done = act(&mut self.0.state());
        if lost { Err(lost_answer(what)) } else { Ok(done) }
    }
}

#[async_trait]
impl Source for SimSource {
    async fn checkout(&self, path: &Path) -> Result<Checkout, PortError> {
        self.0.outside("look at the working copy").await?;
        let none =
            || error(FailureClass::Permanent, &path.display().to_string(), "it is not in a repository");
        self.0.state().git.checkout.clone().ok_or_else(none)
    }

    async fn refresh(&self, _: &Repository) -> Result<(), PortError> {
        let fetch = |state: &mut super::super::State| {
            let git = &mut state.git;
            for (name, object) in &git.remote {
                if let Some(branch) = name.strip_prefix(HEADS) {
                    git.clone.insert(format!("refs/remotes/origin/{branch}"), object.clone());
                } else {
                    // One that the remote has moved stays as it was.
                    git.clone.entry(name.clone()).or_insert_with(|| object.clone());
                }
            }
        };
        self.remote("fetch", fetch).await
    }

    async fn resolve(&self, _: &Repository, revision: &str) -> Result<Option<ObjectId>, PortError> {
        let git = &self.0.state().git;
        let own = revision.strip_prefix(HEADS).map(|branch| format!("refs/remotes/origin/{branch}"));
        let name = own.as_deref().unwrap_or(revision);
        let object = git.clone.get(name).cloned().unwrap_or_else(|| ObjectId(revision.to_owned()));
        Ok(git.commit(&object).map(|(id, _)| id.clone()))
    }

    async fn find_repository(&self, _: &Path) -> Result<Option<FoundRepository>, PortError> {
        self.0.outside("look for a repository").await?;
        let found = self.0.state().git.checkout.clone().map(|checkout| FoundRepository {
            repository: Repository {
                url: String::new(),
                clone: checkout.root.join(".git"),
                checkout: Some(checkout.root),
            },
            head: checkout.head,
            shallow: checkout.shallow,
            partial: false,
        });
        Ok(found)
    }

    async fn remote_url(&self, _: &Repository) -> Result<Option<String>, PortError> {
        Ok(self.0.state().git.checkout.as_ref().and_then(|checkout| checkout.remote_url.clone()))
    }

    async fn commits(
        &self,
        _: &Repository,
        query: &HistoryQuery,
        sink: &mut CommitSink<'_>,
    ) -> Result<(), PortError> {
        let git = &self.0.state().git;
        for id in git.history(query) {
            let Some((id, commit)) = git.commit(&id) else { continue };
            let parents: Vec<&str> = commit.parents.iter().map(|parent| parent.0.as_str()).collect();
            let given = sink(CommitRef {
                id: &id.0,
                parents: &parents.join(" "),
                author_name: &commit.author.0,
                author_email: &commit.author.1,
                authored_at: commit.at,
                committed_at: commit.at,
                message: if query.fields == CommitFields::All { &commit.message } else { "" },
            });
            if given.is_break() {
                break;
            }
        }
        Ok(())
    }

    async fn tags(&self, _: &Repository) -> Result<Vec<LocalTag>, PortError> {
        let git = &self.0.state().git;
        let tags = git.clone.iter().filter_map(|(name, object)| {
            let name = name.strip_prefix(TAGS)?.to_owned();
            let commit = git.commit(object)?.0.clone();
            Some(LocalTag { name, object: object.clone(), commit, is_commit: true })
        });
        Ok(tags.collect())
    }

    async fn distances(
        &self,
        _: &Repository,
        from: &ObjectId,
        commits: &[ObjectId],
    ) -> Result<Vec<Option<u64>>, PortError> {
        let git = &self.0.state().git;
        let all = git.ancestry(from);
        let distance =
            |commit: &ObjectId| all.contains(commit).then(|| (all.len() - git.ancestry(commit).len()) as u64);
        Ok(commits.iter().map(distance).collect())
    }

    async fn remote_refs(
        &self,
        _: &Repository,
        prefixes: &[String],
    ) -> Result<BTreeMap<String, ObjectId>, PortError> {
        let list = |state: &mut super::super::State| {
            let wanted = |name: &String| prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()));
            let mut found = BTreeMap::new();
            for (name, object) in state.git.remote.iter().filter(|(name, _)| wanted(name)) {
                found.insert(name.clone(), object.clone());
                if let Some(tag) = state.git.tag_found(object).filter(|tag| tag.annotated) {
                    found.insert(format!("{name}^{{}}"), tag.commit);
                }
            }
            found
        };
        self.remote("list the refs of the remote", list).await
    }

    async fn changed_paths(
        &self,
        _: &Repository,
        from: &ObjectId,
        to: &ObjectId,
    ) -> Result<Vec<String>, PortError> {
        let git = &self.0.state().git;
        let (from, to) = (git.files(from).cloned(), git.files(to).cloned());
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        let all = from.keys().chain(to.keys().filter(|path| !from.contains_key(*path)));
        Ok(all.filter(|path| from.get(*path) != to.get(*path)).cloned().collect())
    }

    async fn diff(&self, _: &Repository, from: &ObjectId, to: &ObjectId) -> Result<Diff, PortError> {
        let git = &self.0.state().git;
        let (from, to) = (git.files(from).cloned(), git.files(to).cloned());
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        let paths: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        let mut diff = Diff::default();
        for path in paths.into_iter().filter(|path| from.get(*path) != to.get(*path)) {
            let lines = |files: &Files| -> Vec<String> {
                let content = files.get(path).map(Vec::as_slice).unwrap_or_default();
                String::from_utf8_lossy(content).lines().map(ToOwned::to_owned).collect()
            };
            let (old, new) = (lines(&from), lines(&to));
            diff.text.push_str(&format!("--- a/{path}\n+++ b/{path}\n"));
            old.iter().for_each(|line| diff.text.push_str(&format!("-{line}\n")));
            new.iter().for_each(|line| diff.text.push_str(&format!("+{line}\n")));
            let (added, removed) = (new.len() as u64, old.len() as u64);
            diff.files.push(FileDiff { path: path.clone(), added, removed });
        }
        Ok(diff)
    }

    async fn read_file(
        &self,
        _: &Repository,
        tree: &ObjectId,
        path: &str,
    ) -> Result<Option<Vec<u8>>, PortError> {
        let git = &self.0.state().git;
        let files = git.files(tree).ok_or_else(|| unknown("read a file", tree))?;
        Ok(files.get(path).cloned())
    }

    async fn list_files(
        &self,
        _: &Repository,
        tree: &ObjectId,
        folder: &str,
        name: &str,
    ) -> Result<Vec<String>, PortError> {
        let git = &self.0.state().git;
        let files = git.files(tree).ok_or_else(|| unknown("list files", tree))?;
        let below = |path: &&String| {
            let rest = match folder {
                "" => Some(path.as_str()),
                folder => path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
            };
            rest.is_some_and(|rest| match name.strip_prefix('*') {
                Some(end) => rest.ends_with(end),
                None => rest.rsplit('/').next() == Some(name),
            })
        };
        Ok(files.keys().filter(below).cloned().collect())
    }

    async fn working_file(&self, checkout: &Checkout, path: &str) -> Result<Option<Vec<u8>>, PortError> {
        // The simulated working copy is always as it was committed.
        let git = &self.0.state().git;
        let files = checkout.head.as_ref().and_then(|head| git.files(head));
        Ok(files.and_then(|files| files.get(path)).cloned())
    }

    async fn working_files(
        &self,
        checkout: &Checkout,
        folder: &str,
        name: &str,
    ) -> Result<Vec<String>, PortError> {
        let nowhere = Repository { url: String::new(), clone: Default::default(), checkout: None };
        match &checkout.head {
            Some(head) => self.list_files(&nowhere, head, folder, name).await,
            None => Ok(Vec::new()),
        }
    }

    async fn edit_tree(
        &self,
        _: &Repository,
        base: &ObjectId,
        edits: &[FileEdit],
    ) -> Result<ObjectId, PortError> {
        let lost = self.0.outside("edit files").await?;
        let git = &mut self.0.state().git;
        let mut files = git.files(base).cloned().ok_or_else(|| unknown("edit files", base))?;
        for edit in edits {
            match &edit.content {
                Some(content) => drop(files.insert(edit.path.clone(), content.clone())),
                None => drop(files.remove(&edit.path)),
            }
        }
        let tree = git.add_tree(files);
        if lost { Err(lost_answer("edit files")) } else { Ok(tree) }
    }

    async fn commit(&self, _: &Repository, request: &CommitRequest) -> Result<ObjectId, PortError> {
        let lost = self.0.outside("commit").await?;
        let git = &mut self.0.state().git;
        let signature = git.signature(request.sign == Sign::Always);
        let commit = Commit {
            tree: request.tree.clone(),
            parents: request.parents.clone(),
            author: ("Tollgate".into(), "tollgate@example.org".into()),
            at: request.at,
            message: request.message.clone(),
        };
        git.files(&request.tree).ok_or_else(|| unknown("commit", &request.tree))?;
        let id = git.add_commit(commit, signature);
        if lost { Err(lost_answer("commit")) } else { Ok(id) }
    }

    async fn merge(&self, _: &Repository, request: &MergeRequest) -> Result<MergeOutcome, PortError> {
        let lost = self.0.outside("merge").await?;
        let outcome = self.0.state().git.merge(request);
        if lost { Err(lost_answer("merge")) } else { Ok(outcome) }
    }

    async fn cherry_pick(&self, _: &Repository, request: &PickRequest) -> Result<PickOutcome, PortError> {
        let lost = self.0.outside("cherry-pick").await?;
        let outcome = self.0.state().git.pick(request);
        if lost { Err(lost_answer("cherry-pick")) } else { Ok(outcome) }
    }

    async fn verify(
        &self,
        _: &Repository,
        signed: &SignedObject,
        signers: &Signers,
    ) -> Result<Verdict, PortError> {
        self.0.outside("verify").await?;
        let id = match signed {
            SignedObject::Tag { object, .. } => object,
            SignedObject::Commit(commit) => commit,
        };
        let key = self.0.state().git.signatures().get(id).cloned();
        Ok(match key {
            None => Verdict::Unsigned,
            Some(key) if key == KNOWN || signers.allows(&key) => Verdict::Good(key),
            Some(key) => Verdict::NotAllowed(key),
        })
    }

    async fn find_tag(&self, _: &Repository, name: &str) -> Result<Option<TagFound>, PortError> {
        let git = &self.0.state().git;
        Ok(git.clone.get(&format!("{TAGS}{name}")).and_then(|object| git.tag_found(object)))
    }

    async fn tag(&self, _: &Repository, request: &TagRequest) -> Result<TagFound, PortError> {
        let lost = self.0.outside("tag").await?;
        let git = &mut self.0.state().git;
        let full = format!("{TAGS}{}", request.name);
        let found = match git.clone.get(&full).and_then(|object| git.tag_found(object)) {
            Some(found) if found.commit == request.target => found,
            Some(found) => {
                let why = format!("the tag {} is on {} already", request.name, found.commit.short());
                return Err(error(FailureClass::Permanent, "tag", &why));
            }
            None => {
                let signature = git.signature(request.sign == Sign::Always);
                let text = format!("{} {} {} {signature:?}", request.target, request.message, request.at);
                let parts = [b"tag".as_slice(), request.name.as_bytes(), text.as_bytes()];
                let object = git.add(&parts, Object::Tag { target: request.target.clone() });
                git.sign(&object, signature);
                git.clone.insert(full, object.clone());
                TagFound { object, commit: request.target.clone(), annotated: true }
            }
        };
        if lost { Err(lost_answer("tag")) } else { Ok(found) }
    }

    async fn drop_tags(&self, _: &Repository, tags: &[(String, ObjectId)]) -> Result<(), PortError> {
        let lost = self.0.outside("drop tags").await?;
        let git = &mut self.0.state().git;
        for (name, object) in tags {
            let full = format!("{TAGS}{name}");
            if git.clone.get(&full) == Some(object) {
                git.clone.remove(&full);
            }
        }
        if lost { Err(lost_answer("drop tags")) } else { Ok(()) }
    }

    async fn push(&self, _: &Repository, refs: &[RefUpdate]) -> Result<PushOutcome, PortError> {
        let push = |state: &mut super::super::State| {
            let outcome = state.git.push(refs);
            state.note(|| format!("push {refs:?}: {outcome:?}"));
            outcome
        };
        self.remote("push", push).await
    }

    async fn lay_out(&self, _: &Repository, tree: &ObjectId, _: &Path) -> Result<(), PortError> {
        self.0.outside("lay out files").await?;
        self.0.state().git.files(tree).map(|_| ()).ok_or_else(|| unknown("lay out files", tree))
    }
}
