//! Making trees and commits. Nothing points to them until a tag or a push does.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tollgate_engine::ports::{CommitRequest, FileEdit, ObjectId, PortError, Repository, Sign};

use super::Git;
use super::environment::UserSetup;
use super::fault::{self, permanent};
use super::lock::Writing;
use super::names;
use super::read::{Entry, entries, folders, object, refused};
use super::refresh::need_clone;
use super::run::Call;

/// Most files that are changed at once.
const EDITS: usize = 1000;

/// The tree of a commit or tree with some files changed, added or removed.
pub(super) async fn edit_tree(
    git: &Git,
    repository: &Repository,
    base: &ObjectId,
    edits: &[FileEdit],
) -> Result<ObjectId, PortError> {
    let what = format!("change files of {base}");
    let base = object(base)?;
    check_edits(&what, edits)?;
    need_clone(repository, &what)?;
    let turn = Writing::in_clone(git, repository).await?;
    let modes = modes(git, repository, &what, base, edits).await?;
    let scratch = turn.scratch().map_err(|error| fault::io(&what, &error))?;
    let index = scratch.path().join("index");
    let call = || Call::within(git, repository, &what).variable("GIT_INDEX_FILE", &index);
    call().args(["read-tree", base]).stdout().await?;
    let mut lines = Vec::new();
    for edit in edits {
        let Some(content) = &edit.content else {
            // Mode 0 takes an entry out; the id is not looked at, but has to be as long as one.
            lines.extend_from_slice(format!("0 {}\t{}\0", "0".repeat(base.len()), edit.path).as_bytes());
            continue;
        };
        let blob = Call::within(git, repository, &what)
            .args(["hash-object", "-w", "--no-filters", "--stdin"])
            .input(content.clone())
            .line()
            .await?;
        let mode = modes.get(edit.path.as_str()).map_or("100644", String::as_str);
        lines.extend_from_slice(format!("{mode} {blob}\t{}\0", edit.path).as_bytes());
    }
    if !lines.is_empty() {
        call().args(["update-index", "-z", "--index-info"]).input(lines).stdout().await?;
    }
    call().arg("write-tree").line().await.map(ObjectId)
}

fn check_edits(what: &str, edits: &[FileEdit]) -> Result<(), PortError> {
    if edits.len() > EDITS {
        return Err(permanent(what, format!("more than {EDITS} files at once"), None));
    }
    let mut paths: Vec<&str> = Vec::new();
    for edit in edits {
        names::path(&edit.path).map_err(|fault| refused("path", &edit.path, fault))?;
        paths.push(&edit.path);
    }
    paths.sort_unstable();
    for path in &paths {
        let count = paths.iter().filter(|other| other == &path).count();
        if count > 1 {
            return Err(permanent(what, format!("{path} is changed twice"), None));
        }
        if let Some(above) = folders(path).find(|folder| paths.binary_search(folder).is_ok()) {
            return Err(permanent(what, format!("{above} is to be a file and a folder"), None));
        }
    }
    Ok(())
}

/// The modes of the files that are there already. A link or a submodule on the way is refused.
async fn modes(
    git: &Git,
    repository: &Repository,
    what: &str,
    base: &str,
    edits: &[FileEdit],
) -> Result<BTreeMap<String, String>, PortError> {
    let mut asked: Vec<&str> =
        edits.iter().flat_map(|edit| folders(&edit.path).chain([edit.path.as_str()])).collect();
    asked.sort_unstable();
    asked.dedup();
    if asked.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut modes = BTreeMap::new();
    for Entry { mode, path, .. } in entries(git, repository, what, &ObjectId(base.to_owned()), &asked).await?
    {
        let file = edits.iter().any(|edit| edit.path == path);
        let why = match (mode.as_str(), file) {
            ("100644" | "100755", true) | ("040000", false) => None,
            ("100664", true) => {
                modes.insert(path, "100644".to_owned());
                continue;
            }
            ("120000", _) => Some(("is a symbolic link", "name the file itself")),
            ("160000", _) => Some(("is a submodule", "name a file of this repository")),
            (_, true) => Some(("is a folder", "name a file")),
            (_, false) => Some(("is a file", "name another folder")),
        };
        if let Some((why, hint)) = why {
            return Err(permanent(what, format!("{path} {why}"), Some(hint)));
        }
        modes.insert(path, mode);
    }
    Ok(modes)
}

/// A date for git, in UTC.
pub(super) fn date(what: &str, at: Timestamp) -> Result<String, PortError> {
    if at < Timestamp::UNIX_EPOCH {
        return Err(permanent(what, "git has no dates before 1970", None));
    }
    Ok(format!("@{} +0000", at.as_second()))
}

/// A message git will take as it is.
pub(super) fn check_message(what: &str, message: &str) -> Result<(), PortError> {
    if message.trim().is_empty() {
        return Err(permanent(what, "the message is empty", None));
    }
    if message.contains('\0') {
        return Err(permanent(what, "the message contains a NUL character", None));
    }
    Ok(())
}

/// Makes a commit.
pub(super) async fn commit(
    git: &Git,
    repository: &Repository,
    request: &CommitRequest,
) -> Result<ObjectId, PortError> {
    let what = "make a commit";
    let date = date(what, request.at)?;
    check_message(what, &request.message)?;
    need_clone(repository, what)?;
    let user = UserSetup::read(git, repository).await?;
    let sign = signs(git, repository, &user, request.sign).await?;
    let _turn = Writing::in_clone(git, repository).await?;
    let call = Call::within(git, repository, what).user(&user).variable("GIT_AUTHOR_DATE", &date);
    commit_tree(call, &request.tree, &request.parents, &date, sign, request.message.clone()).await
}

/// Makes a commit by a call that knows the author.
pub(super) async fn commit_tree(
    call: Call<'_>,
    tree: &ObjectId,
    parents: &[ObjectId],
    committed: &str,
    sign: bool,
    message: impl Into<Vec<u8>>,
) -> Result<ObjectId, PortError> {
    let mut call = call.variable("GIT_COMMITTER_DATE", committed).args(["commit-tree", object(tree)?]);
    for parent in parents {
        call = call.args(["-p", object(parent)?]);
    }
    if sign {
        call = call.arg("-S").signing();
    }
    call.args(["-F", "-"]).input(message).line().await.map(ObjectId)
}

/// Whether a commit is to be signed.
pub(super) async fn signs(
    git: &Git,
    repository: &Repository,
    user: &UserSetup,
    sign: Sign,
) -> Result<bool, PortError> {
    match sign {
        Sign::Always => Ok(true),
        Sign::Never => Ok(false),
        // Unlike `git commit`, the plumbing does not look at commit.gpgSign.
        Sign::AsConfigured => configured(git, repository, user, "commit.gpgSign").await,
    }
}

async fn configured(
    git: &Git,
    repository: &Repository,
    user: &UserSetup,
    key: &str,
) -> Result<bool, PortError> {
    let what = format!("read {key} from the git configuration");
    let call = Call::within(git, repository, &what).user(user);
    let output = call.args(["config", "--type=bool", "--get", key]).output().await?;
    match output.status {
        Some(0) => Ok(output.stdout.starts_with(b"true")),
        Some(1) => Ok(false),
        _ => Err(output.fault(&what, fault::Reach::Local)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_that_contradict_each_other_are_refused() {
        let of = |paths: &[&str]| {
            let edits: Vec<FileEdit> = paths.iter().map(|path| FileEdit::write(*path, "")).collect();
            check_edits("x", &edits)
        };
        assert!(of(&["a", "b/c", "b/d", "ab"]).is_ok());
        for bad in [&["a", "a"][..], &["a/b", "a"], &["a/b/c", "a/b"], &["../a"]] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn dates_are_in_utc() {
        assert_eq!(date("x", Timestamp::from_second(5).unwrap()).unwrap(), "@5 +0000");
        assert!(date("x", Timestamp::from_second(-5).unwrap()).is_err());
    }
}
