//! Merging commits without a working copy. Only clean merges come to something.

use std::collections::BTreeMap;

use tollgate_engine::ports::{Clash, MergeHow, MergeOutcome, MergeRequest, ObjectId, PortError, Repository};

use super::Git;
use super::environment::UserSetup;
use super::fault::{Reach, permanent};
use super::lock::Writing;
use super::read::{is_ancestor, object, types};
use super::refresh::need_clone;
use super::run::Call;
use super::text;
use super::write::{check_message, commit_tree, date, signs};

/// The git that merges without a working copy.
const MERGES: (u32, u32) = (2, 38);
/// The most files of a conflict that are named.
const FILES: usize = 100;
/// The most files of a conflict for which is looked up who changed them.
const FILES_ASKED: usize = 10;
/// The longest path or name that is shown, in characters.
const SHOWN_CHARS: usize = 200;

/// What merges the same way whatever the user has set up: the same request has to make the same commit.
const FIXED: &[&str] = &[
    "merge.renames=true",
    "merge.directoryRenames=conflict",
    "merge.renormalize=false",
    "merge.renameLimit=7000",
    "diff.algorithm=histogram",
];

/// Merges one commit into another.
pub(super) async fn merge(
    git: &Git,
    repository: &Repository,
    request: &MergeRequest,
) -> Result<MergeOutcome, PortError> {
    let what = format!("merge {} into {}", request.theirs, request.ours);
    git.needs(&what, MERGES, "merging without a working copy")?;
    let (ours, theirs) = (&request.ours, &request.theirs);
    let date = date(&what, request.at)?;
    check_message(&what, &request.message)?;
    need_clone(repository, &what)?;
    are_commits(git, repository, &what, &[ours, theirs]).await?;
    if is_ancestor(git, repository, theirs, ours).await? == Some(true) {
        return Ok(MergeOutcome::Contained);
    }
    if request.how == MergeHow::FfOnly {
        let forward = is_ancestor(git, repository, ours, theirs).await? == Some(true);
        return Ok(if forward { MergeOutcome::Merged(theirs.clone()) } else { MergeOutcome::NotFastForward });
    }
    let base = Call::within(git, repository, &what)
        .args(["merge-base", object(ours)?, object(theirs)?])
        .output()
        .await?;
    match base.status {
        Some(0) => {}
        Some(1) => return Ok(MergeOutcome::Unrelated),
        _ => return Err(base.fault(&what, Reach::Local)),
    }
    let user = UserSetup::read(git, repository).await?;
    let sign = signs(git, repository, &user, request.sign).await?;
    let _turn = Writing::in_clone(git, repository).await?;
    let tree = match merge_tree(git, repository, &what, None, ours, theirs).await? {
        Ok(tree) => tree,
        Err(paths) => {
            let range = [(ours, theirs), (theirs, ours)];
            return Ok(MergeOutcome::Conflict(clashes(git, repository, &what, paths, &range).await?));
        }
    };
    let parents = [ours.clone(), theirs.clone()];
    let call = Call::within(git, repository, &what).user(&user).variable("GIT_AUTHOR_DATE", &date);
    commit_tree(call, &tree, &parents, &date, sign, request.message.clone()).await.map(MergeOutcome::Merged)
}

/// Refuses what is not a commit of the clone.
async fn are_commits(
    git: &Git,
    repository: &Repository,
    what: &str,
    ids: &[&ObjectId],
) -> Result<(), PortError> {
    let mut asked = Vec::new();
    for id in ids {
        asked.push(object(id)?.to_owned());
    }
    for (id, found) in ids.iter().zip(types(git, repository, what, &asked).await?) {
        if found.is_none_or(|(_, kind)| kind != "commit") {
            return Err(permanent(what, format!("{id} is not a commit in the clone"), None));
        }
    }
    Ok(())
}

/// The tree of a merge, or the paths of what does not go together.
pub(super) async fn merge_tree(
    git: &Git,
    repository: &Repository,
    what: &str,
    base: Option<&ObjectId>,
    ours: &ObjectId,
    theirs: &ObjectId,
) -> Result<Result<ObjectId, Vec<Vec<u8>>>, PortError> {
    let mut call = Call::within(git, repository, what)
        .configured(FIXED)
        // How a file merges is said by the attributes of the side that is merged into, as in a working copy of it.
        .variable("GIT_ATTR_SOURCE", object(ours)?)
        .args(["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"]);
    if let Some(base) = base {
        call = call.arg(format!("--merge-base={}", object(base)?));
    }
    let output = call.args([object(ours)?, object(theirs)?]).output().await?;
    let mut fields = output.stdout.split(|byte| *byte == 0).filter(|field| !field.is_empty());
    let tree = fields.next().map(|id| ObjectId(String::from_utf8_lossy(id).into_owned()));
    match (output.status, tree) {
        (Some(0), Some(tree)) => {
            object(&tree)?;
            Ok(Ok(tree))
        }
        (Some(1), Some(_)) => Ok(Err(fields.map(<[u8]>::to_vec).collect())),
        _ => Err(output.fault(what, Reach::Local)),
    }
}

/// Conflicting files, with who changed each of them last in every range: what is in the first commit and not in the second.
pub(super) async fn clashes(
    git: &Git,
    repository: &Repository,
    what: &str,
    paths: Vec<Vec<u8>>,
    ranges: &[(&ObjectId, &ObjectId)],
) -> Result<Vec<Clash>, PortError> {
    let mut named: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    for (n, path) in paths.into_iter().take(FILES).enumerate() {
        let mut changed_by = Vec::new();
        for (within, without) in ranges.iter().filter(|_| n < FILES_ASKED) {
            let name = last_author(git, repository, what, &path, within, without).await?;
            changed_by.extend(name.filter(|name| !changed_by.contains(name)));
        }
        named.insert(path, changed_by);
    }
    let clash = |(path, changed_by): (Vec<u8>, Vec<String>)| Clash { path: shown(&path), changed_by };
    Ok(named.into_iter().map(clash).collect())
}

/// A path or name for people.
pub(super) fn shown(bytes: &[u8]) -> String {
    text::cut(&text::plain(&String::from_utf8_lossy(bytes)), SHOWN_CHARS)
}

async fn last_author(
    git: &Git,
    repository: &Repository,
    what: &str,
    path: &[u8],
    within: &ObjectId,
    without: &ObjectId,
) -> Result<Option<String>, PortError> {
    use std::os::unix::ffi::OsStrExt;
    let name = Call::within(git, repository, what)
        .args(["log", "-1", "--no-mailmap", "--no-notes", "--no-patch", "--format=%an"])
        .args([object(within)?.to_owned(), format!("^{}", object(without)?), "--".to_owned()])
        .arg(std::ffi::OsStr::from_bytes(path))
        .stdout()
        .await?;
    let name = shown(&name).trim().to_owned();
    Ok(Some(name).filter(|name| !name.is_empty()))
}
