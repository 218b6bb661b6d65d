//! Reading the clone.

use std::ops::ControlFlow;

use tollgate_core::pack::is_lfs_pointer;
use tollgate_engine::ports::{ObjectId, PortError, Repository};

use super::Git;
use super::fault::{self, Reach, permanent};
use super::names::{self, NameFault};
use super::refresh::{TRACKING, need_clone};
use super::run::Call;
use super::text;

/// Largest file that is read.
pub(super) const FILE_BYTES: u64 = 64 << 20;

/// An error for a name that was not accepted.
pub(super) fn refused(kind: &str, name: &str, fault: NameFault) -> PortError {
    let shown = text::cut(&text::plain(name), 100);
    permanent(format!("use the {kind} `{shown}`"), format!("it {fault}"), None)
}

/// A checked object id.
pub(super) fn object(id: &ObjectId) -> Result<&str, PortError> {
    names::object(id).map_err(|fault| refused("object id", &id.0, fault))
}

/// What git knows of some names: id and type, or nothing. `expressions` are made of checked names only.
pub(super) async fn types(
    git: &Git,
    repository: &Repository,
    what: &str,
    expressions: &[String],
) -> Result<Vec<Option<(ObjectId, String)>>, PortError> {
    need_clone(repository, what)?;
    let mut input = expressions.join("\n");
    input.push('\n');
    let printed = Call::within(git, repository, what)
        .args(["cat-file", "--batch-check=%(objectname) %(objecttype)"])
        .input(input)
        .stdout()
        .await?;
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let found: Vec<_> = printed
        .lines()
        .map(|line| {
            let (id, kind) = line.split_once(' ')?;
            // `… missing` and `… ambiguous` start with what was asked, which may itself be an id.
            let known = names::is_object(id) && matches!(kind, "commit" | "tag" | "tree" | "blob");
            known.then(|| (ObjectId(id.to_owned()), kind.to_owned()))
        })
        .collect();
    if found.len() == expressions.len() {
        Ok(found)
    } else {
        Err(permanent(what, "git answered something unexpected", None))
    }
}

/// The commit that a full ref name or an object id leads to.
pub(super) async fn resolve(
    git: &Git,
    repository: &Repository,
    revision: &str,
) -> Result<Option<ObjectId>, PortError> {
    let name = if names::is_object(revision) {
        revision.to_owned()
    } else {
        names::full_ref(revision).map_err(|fault| refused("revision", revision, fault))?;
        // The clone has no branches of its own: a branch is what the remote's was at the last fetch.
        match revision.strip_prefix("refs/heads/") {
            Some(branch) => format!("{TRACKING}{branch}"),
            None => revision.to_owned(),
        }
    };
    let what = format!("find {revision} in the clone");
    let found = types(git, repository, &what, &[format!("{name}^{{commit}}")]).await?;
    Ok(found.into_iter().flatten().next().map(|(id, _)| id))
}

/// The paths that differ between two commits or trees, sorted.
pub(super) async fn changed_paths(
    git: &Git,
    repository: &Repository,
    from: &ObjectId,
    to: &ObjectId,
) -> Result<Vec<String>, PortError> {
    let what = format!("compare {from} with {to}");
    need_clone(repository, &what)?;
    let printed = Call::within(git, repository, &what)
        .args(["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--ignore-submodules=none"])
        .args([object(from)?, object(to)?, "--"])
        .stdout()
        .await?;
    let mut paths: Vec<String> = printed
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect();
    paths.sort_unstable();
    Ok(paths)
}

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mode: String,
    pub(super) object: ObjectId,
    pub(super) path: String,
}

/// The entries of a tree at some paths; what is not there is left out.
pub(super) async fn entries(
    git: &Git,
    repository: &Repository,
    what: &str,
    tree: &ObjectId,
    paths: &[&str],
) -> Result<Vec<Entry>, PortError> {
    need_clone(repository, what)?;
    let printed = Call::within(git, repository, what)
        .args(["ls-tree", "-z", "-t", "--full-tree", object(tree)?, "--"])
        .args(paths)
        .stdout()
        .await?;
    let entries = printed.split(|byte| *byte == 0).filter_map(|line| {
        let (head, path) = std::str::from_utf8(line).ok()?.split_once('\t')?;
        let mut head = head.split(' ');
        let (mode, _, id) = (head.next()?, head.next()?, head.next()?);
        Some(Entry { mode: mode.to_owned(), object: ObjectId(id.to_owned()), path: path.to_owned() })
    });
    Ok(entries.filter(|entry| paths.contains(&entry.path.as_str())).collect())
}

/// A file of a commit or tree.
pub(super) async fn read_file(
    git: &Git,
    repository: &Repository,
    tree: &ObjectId,
    path: &str,
) -> Result<Option<Vec<u8>>, PortError> {
    names::path(path).map_err(|fault| refused("path", path, fault))?;
    let what = format!("read {path} of {tree}");
    let mut way: Vec<&str> = folders(path).collect();
    way.push(path);
    let entries = entries(git, repository, &what, tree, &way).await?;
    // A link or a submodule on the way has no files here.
    if let Some(stop) = entries.iter().find_map(|entry| Stop::at(entry, path)) {
        return Err(permanent(what, stop.why, Some(stop.hint)));
    }
    let Some(entry) = entries.into_iter().find(|entry| entry.path == path) else { return Ok(None) };
    if !matches!(entry.mode.as_str(), "100644" | "100755" | "100664") {
        return Ok(None);
    }
    let size = Call::within(git, repository, &what).args(["cat-file", "-s", &entry.object.0]).line().await?;
    if size.parse::<u64>().map_or(true, |size| size > FILE_BYTES) {
        return Err(permanent(what, format!("it is larger than {} MiB", FILE_BYTES >> 20), None));
    }
    let call = Call::within(git, repository, &what).args(["cat-file", "blob", &entry.object.0]);
    whole(&what, call.stdout().await?).map(Some)
}

/// The content of a file, unless it only stands for another one: that is not in the repository, and what would be written in its
/// place would be.
pub(super) fn whole(what: &str, content: Vec<u8>) -> Result<Vec<u8>, PortError> {
    if is_lfs_pointer(&content) {
        let why = "it is a pointer of Git LFS: the file itself is not in the repository";
        let hint = "take it out of LFS (`.gitattributes`), and commit the file itself";
        return Err(permanent(what, why, Some(hint)));
    }
    Ok(content)
}

/// The folders that a path goes through.
pub(super) fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Why a file of a tree is not read.
struct Stop {
    why: String,
    hint: &'static str,
}

impl Stop {
    fn at(entry: &Entry, path: &str) -> Option<Stop> {
        let name =
            if entry.path == path { "it".to_owned() } else { format!("`{}`", text::plain(&entry.path)) };
        match entry.mode.as_str() {
            "120000" => Some(Stop {
                why: format!("{name} is a symbolic link, which is not followed"),
                hint: "name the file itself",
            }),
            "160000" => Some(Stop {
                why: format!("{name} is a submodule, whose files are in another repository"),
                hint: "name a file of this repository",
            }),
            _ => None,
        }
    }
}

/// The files of this name in a folder of a commit or tree and below it.
pub(super) async fn list_files(
    git: &Git,
    repository: &Repository,
    tree: &ObjectId,
    folder: &str,
    name: &str,
) -> Result<Vec<String>, PortError> {
    let wanted = Wanted::new(folder, name)?;
    let what = format!("list the files of {tree}");
    need_clone(repository, &what)?;
    let mut call = Call::within(git, repository, &what).args(["ls-tree", "-r", "-z", "--full-tree"]);
    call = call.args([object(tree)?, "--"]);
    if !folder.is_empty() {
        call = call.arg(folder);
    }
    let mut found = Vec::new();
    call.records(0, RECORD_BYTES, |record| {
        let record = std::str::from_utf8(record).ok().and_then(|record| record.split_once('\t'));
        if let Some((head, path)) = record
            && head.starts_with("100")
        {
            wanted.take(path, &mut found);
        }
        wanted.full(&found)
    })
    .await?;
    Ok(found)
}

/// Longest line about a file.
pub(super) const RECORD_BYTES: usize = 8 << 10;
/// Most files that are listed.
const LISTED: usize = 20_000;

/// Files of one name in one folder.
pub(super) struct Wanted {
    folder: String,
    name: String,
}

impl Wanted {
    pub(super) fn new(folder: &str, name: &str) -> Result<Self, PortError> {
        for path in [folder, name].iter().filter(|path| !path.is_empty()) {
            names::path(path).map_err(|fault| refused("path", path, fault))?;
        }
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(Self { folder, name: name.to_owned() })
    }

    pub(super) fn take(&self, path: &str, found: &mut Vec<String>) {
        let is = path.strip_prefix(&self.folder).is_some_and(|rest| match self.name.strip_prefix('*') {
            Some(end) => rest.ends_with(end),
            None => {
                rest == self.name || rest.strip_suffix(&self.name).is_some_and(|rest| rest.ends_with('/'))
            }
        });
        if is && found.last().map(String::as_str) != Some(path) {
            found.push(path.to_owned());
        }
    }

    pub(super) fn full(&self, found: &[String]) -> ControlFlow<()> {
        if found.len() < LISTED { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Whether all commits of one are in another. `None` when the clone does not have one of them.
pub(super) async fn is_ancestor(
    git: &Git,
    repository: &Repository,
    old: &ObjectId,
    new: &ObjectId,
) -> Result<Option<bool>, PortError> {
    let what = format!("compare {old} with {new}");
    let known = types(git, repository, &what, &[object(old)?.to_owned(), object(new)?.to_owned()]).await?;
    if known.iter().any(Option::is_none) {
        return Ok(None);
    }
    let output = Call::within(git, repository, &what)
        .args(["merge-base", "--is-ancestor", &old.0, &new.0])
        .output()
        .await?;
    match output.status {
        Some(0) => Ok(Some(true)),
        Some(1) => Ok(Some(false)),
        _ => Err(fault::of_call(&what, Reach::Local, output.status, &output.stderr)),
    }
}
