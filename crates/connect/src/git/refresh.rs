//! The clone: made whole or not at all, and brought up to date with the remote.

use std::collections::BTreeMap;
use std::path::Path;

use tollgate_engine::ports::{ObjectId, PortError, Repository};

use super::Git;
use super::environment::Remote;
use super::fault::{self, Reach, permanent};
use super::lock::Writing;
use super::look::refs_of;
use super::run::Call;

/// Where the remote's branches stand in the clone.
pub(super) const TRACKING: &str = "refs/remotes/origin/";
/// From so many packs on they are joined.
const PACKS: usize = 50;

/// Objects are checked as they arrive, except for old blemishes that many honest repositories carry.
const CHECKS: &[&str] = &[
    "fetch.fsckObjects=true",
    "fetch.fsck.badEmail=ignore",
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingEmail=ignore",
    "fetch.fsck.missingNameBeforeEmail=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.missingSpaceBeforeEmail=ignore",
    "fetch.fsck.zeroPaddedDate=ignore",
    "fetch.fsck.zeroPaddedFilemode=ignore",
    // Packs are joined from time to time, single objects never.
    "fetch.unpackLimit=1",
    "fetch.prune=false",
    "fetch.pruneTags=false",
    "fetch.writeCommitGraph=false",
    "fetch.recurseSubmodules=false",
    "transfer.bundleURI=false",
];

/// What git says, and ends well all the same, when it took nothing from a remote that is cut short.
const SHALLOW: &str = "shallow roots are not allowed to be updated";

/// Makes the clone if it is not there, and fetches.
pub(super) async fn refresh(git: &Git, repository: &Repository) -> Result<(), PortError> {
    let turn = Writing::in_clone(git, repository).await?;
    let what = format!("keep a clone in {}", repository.clone.display());
    turn.clean().map_err(|error| fault::io(&what, &error))?;
    let remote = Remote::of(git, repository).await?;
    let there = refs_of(git, &remote, &["refs/heads/".to_owned(), "refs/tags/".to_owned()]).await?;
    let empty = std::fs::read_dir(&repository.clone).map(|mut entries| entries.next().is_none());
    match empty {
        Ok(false) => update(git, repository, &remote, &there).await,
        Ok(true) => create(git, repository, &turn, &remote, &there).await,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            create(git, repository, &turn, &remote, &there).await
        }
        Err(error) => Err(fault::io(&what, &error)),
    }
}

async fn create(
    git: &Git,
    repository: &Repository,
    turn: &Writing,
    remote: &Remote,
    there: &BTreeMap<String, ObjectId>,
) -> Result<(), PortError> {
    let what = format!("make a clone of {}", remote.shown);
    let io = |error: std::io::Error| fault::io(&what, &error);
    let partial = turn.partial().map_err(io)?;
    let format = if there.values().any(|id| id.0.len() == 64) { "sha256" } else { "sha1" };
    Call::new(git, &what)
        .args(["init", "--quiet", "--bare", "--template=", &format!("--object-format={format}")])
        .arg(partial.path())
        .stdout()
        .await?;
    // Stronger than any .gitattributes in a commit: no program of the user's runs because a tree asks for it.
    std::fs::create_dir_all(partial.path().join("info")).map_err(io)?;
    std::fs::write(partial.path().join("info/attributes"), "* -filter\n").map_err(io)?;
    if !there.is_empty() {
        fetch(git, partial.path(), remote, &[]).await?;
    }
    // The folder is there only when it is whole. An empty one in its place is replaced.
    std::fs::rename(partial.path(), &repository.clone).map_err(io)?;
    // What the name points to now is the clone, or nothing.
    let _ = partial.keep();
    Ok(())
}

async fn update(
    git: &Git,
    repository: &Repository,
    remote: &Remote,
    there: &BTreeMap<String, ObjectId>,
) -> Result<(), PortError> {
    let here = refs_here(git, &repository.clone).await?;
    let plan = Plan::of(&here, there);
    for tag in &plan.moved {
        tracing::warn!(
            tag = super::text::plain(tag),
            remote = remote.shown,
            "the remote has moved a tag; the clone keeps what it was"
        );
    }
    forget(git, &repository.clone, &plan.gone).await?;
    if plan.fetch {
        fetch(git, &repository.clone, remote, &plan.moved).await?;
        repack(git, repository).await;
    }
    Ok(())
}

/// Branches and tags in the clone.
async fn refs_here(git: &Git, clone: &Path) -> Result<BTreeMap<String, ObjectId>, PortError> {
    let what = format!("read the clone {}", clone.display());
    let listing = Call::new(git, &what)
        .git_dir(clone)
        .args(["for-each-ref", "--format=%(objectname) %(refname)", TRACKING, "refs/tags/"])
        .stdout()
        .await
        .map_err(|mut error| {
            let hint = "if the folder is not a clone made by Tollgate, or is damaged, move it away";
            error.hint.get_or_insert_with(|| hint.to_owned());
            error
        })?;
    // Names that are not UTF-8 stay out: the clone only has them if the remote does, where they are passed over too.
    let lines = listing.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    Ok(lines
        .filter_map(|line| line.split_once(' '))
        .map(|(id, name)| (name.to_owned(), ObjectId(id.to_owned())))
        .collect())
}

/// What is to be done to bring a clone up to date.
#[derive(Debug, PartialEq, Eq, Default)]
struct Plan {
    /// Tracking refs of branches that are no more, and where they stand.
    gone: Vec<(String, ObjectId)>,
    /// Tags, full names, that point elsewhere on the remote.
    moved: Vec<String>,
    /// Whether anything is new.
    fetch: bool,
}

impl Plan {
    fn of(here: &BTreeMap<String, ObjectId>, there: &BTreeMap<String, ObjectId>) -> Plan {
        let mut plan = Plan::default();
        for (name, object) in there.iter().filter(|(name, _)| !name.ends_with("^{}")) {
            if let Some(branch) = name.strip_prefix("refs/heads/") {
                plan.fetch |= here.get(&format!("{TRACKING}{branch}")) != Some(object);
            } else {
                match here.get(name) {
                    None => plan.fetch = true,
                    Some(same) if same == object => {}
                    Some(_) => plan.moved.push(name.clone()),
                }
            }
        }
        for (name, object) in here {
            let branch = name.strip_prefix(TRACKING);
            if branch.is_some_and(|branch| !there.contains_key(&format!("refs/heads/{branch}"))) {
                plan.gone.push((name.clone(), object.clone()));
            }
        }
        plan
    }
}

/// Removes tags from the clone, each only where it still is this very object.
pub(super) async fn drop_tags(
    git: &Git,
    repository: &Repository,
    tags: &[(String, ObjectId)],
) -> Result<(), PortError> {
    if tags.is_empty() || need_clone(repository, "drop tags").is_err() {
        return Ok(());
    }
    let _turn = Writing::in_clone(git, repository).await?;
    let here = refs_here(git, &repository.clone).await?;
    let full = tags.iter().map(|(name, object)| (format!("refs/tags/{name}"), object.clone()));
    let gone: Vec<_> = full.filter(|(name, object)| here.get(name) == Some(object)).collect();
    forget(git, &repository.clone, &gone).await
}

/// Removes refs: of branches that the remote has no more, before anything is fetched: `a` would be in the way of `a/b`.
async fn forget(git: &Git, clone: &Path, gone: &[(String, ObjectId)]) -> Result<(), PortError> {
    if gone.is_empty() {
        return Ok(());
    }
    let mut input = Vec::new();
    for (name, object) in gone {
        input.extend_from_slice(format!("delete {name}\0{object}\0").as_bytes());
    }
    let what = "remove refs from the clone that the remote does not have";
    Call::new(git, what)
        .git_dir(clone)
        .args(["update-ref", "--no-deref", "-z", "--stdin"])
        .input(input)
        .stdout()
        .await?;
    Ok(())
}

async fn fetch(git: &Git, clone: &Path, remote: &Remote, moved: &[String]) -> Result<(), PortError> {
    let mut refspecs = format!("+refs/heads/*:{TRACKING}*\nrefs/tags/*:refs/tags/*\n");
    for tag in moved {
        refspecs.push_str(&format!("^{tag}\n"));
    }
    let what = format!("fetch from {}", remote.shown);
    let output = Call::new(git, &what)
        .git_dir(clone)
        .configured(CHECKS)
        .args(["fetch", "--quiet", "--no-tags", "--no-auto-maintenance", "--no-write-fetch-head", "--stdin"])
        .arg(Remote::NAME)
        .input(refspecs)
        .remote(remote, git.limits.transfer)
        .output()
        .await?;
    if output.status != Some(0) {
        return Err(output.fault(&what, Reach::Remote));
    }
    if output.stderr.contains(SHALLOW) {
        let why = "it is a shallow clone itself: commits and tags before its newest ones are missing there";
        let hint = "release from the repository that it was cloned from, or fetch the rest there with `git fetch --unshallow --tags`";
        return Err(permanent(what, why, Some(hint)));
    }
    Ok(())
}

/// Joins packs when there are many; git does not do it by itself here. Nothing is dropped, whether a ref leads to it or not.
async fn repack(git: &Git, repository: &Repository) {
    let packs = std::fs::read_dir(repository.clone.join("objects/pack")).map(|entries| {
        entries.flatten().filter(|e| e.path().extension().is_some_and(|ext| ext == "pack")).count()
    });
    if packs.is_ok_and(|count| count > PACKS) {
        let call = Call::within(git, repository, "join the packs of the clone");
        if let Err(error) = call.args(["repack", "--quiet", "-d", "--geometric=2"]).stdout().await {
            tracing::warn!(%error, "the clone works, but grows slow");
        }
    }
}

/// The error for a clone that is not there.
pub(super) fn need_clone(repository: &Repository, what: &str) -> Result<(), PortError> {
    if repository.clone.join("HEAD").is_file() {
        return Ok(());
    }
    let why = format!("there is no clone in {}", repository.clone.display());
    Err(permanent(what, why, Some("fetch the repository first")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(pairs: &[(&str, char)]) -> BTreeMap<String, ObjectId> {
        pairs.iter().map(|(name, c)| ((*name).to_owned(), ObjectId(c.to_string().repeat(40)))).collect()
    }

    #[test]
    fn only_what_differs_is_fetched() {
        let here = refs(&[("refs/remotes/origin/main", 'a'), ("refs/tags/v1", 'b'), ("refs/tags/mine", 'c')]);
        let same = refs(&[("refs/heads/main", 'a'), ("refs/tags/v1", 'b'), ("refs/tags/v1^{}", 'a')]);
        assert_eq!(Plan::of(&here, &same), Plan::default());

        let moved = refs(&[("refs/heads/main", 'a'), ("refs/tags/v1", 'd')]);
        let plan = Plan::of(&here, &moved);
        assert_eq!((plan.moved, plan.fetch), (vec!["refs/tags/v1".to_owned()], false));

        let other = refs(&[("refs/heads/main/x", 'a'), ("refs/tags/v1", 'b')]);
        let plan = Plan::of(&here, &other);
        assert_eq!(plan.gone.len(), 1);
        assert!(plan.fetch && plan.moved.is_empty());
    }
}
