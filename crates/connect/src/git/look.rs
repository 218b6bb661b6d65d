//! Looks at what is not ours: the user's working copy, and remotes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tollgate_engine::ports::{Checkout, ObjectId, PortError, Repository};

use super::Git;
use super::environment::{Remote, path_from};
use super::fault::permanent;
use super::names;
use super::run::Call;
use super::text;

/// Most changed files that are reported of a working copy.
const DIRTY: usize = 100;
/// Longest path that is read of one.
const PATH_BYTES: usize = 4096;
/// Most refs that are read of a remote.
const REFS: usize = 1_000_000;

/// Looks at the working copy that contains a path.
pub(super) async fn checkout(git: &Git, path: &Path) -> Result<Checkout, PortError> {
    let folder = if path.is_file() { path.parent().unwrap_or(path) } else { path };
    let what = format!("look at the working copy {}", folder.display());
    if !folder.is_absolute() {
        return Err(permanent(what, "the path is not absolute", None));
    }
    let call = || Call::new(git, &what).folder(folder);
    let asked =
        call().args(["rev-parse", "--is-inside-work-tree", "--is-shallow-repository"]).output().await?;
    let answers = String::from_utf8_lossy(&asked.stdout).into_owned();
    let mut answers = answers.lines();
    if asked.status != Some(0) {
        let mut error = asked.fault(&what, super::fault::Reach::Local);
        if error.hint.is_none() {
            error.hint = Some("start from a checkout of the repository that is to be released".to_owned());
        }
        return Err(error);
    }
    if answers.next() != Some("true") {
        return Err(permanent(what, "it has no working copy: it is a bare repository, or its .git", None));
    }
    let shallow = answers.next() == Some("true");
    let top = call().args(["rev-parse", "--show-toplevel"]).stdout().await?;
    let root = path_from(top.strip_suffix(b"\n").unwrap_or(&top));
    let branch = call().args(["symbolic-ref", "--quiet", "HEAD"]).output().await?;
    let branch = String::from_utf8_lossy(&branch.stdout).trim_end().to_owned();
    let branch = branch.strip_prefix("refs/heads/").map(str::to_owned);
    let head = call().args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).output().await?;
    let head = String::from_utf8_lossy(&head.stdout).trim_end().to_owned();
    let head = names::is_object(&head).then_some(ObjectId(head));
    let dirty = dirty(git, &root, &what).await?;
    let remote_url = remote_url(git, &root, &what).await?;
    Ok(Checkout { root, branch, head, dirty, remote_url, shallow })
}

async fn dirty(git: &Git, root: &Path, what: &str) -> Result<Vec<String>, PortError> {
    let mut dirty = Vec::new();
    Call::new(git, what)
        .folder(root)
        .args(["status", "--porcelain=v2", "-z", "--untracked-files=normal", "--no-renames"])
        .records(0, PATH_BYTES + 200, |record| {
            // Renames are off, so that every record is one line: the kind, columns of its own number, the path.
            let columns = match record.first() {
                Some(b'1') => 9,
                Some(b'u') => 11,
                Some(b'?') => 2,
                _ => return ControlFlow::Continue(()),
            };
            if let Some(path) = record.splitn(columns, |byte| *byte == b' ').nth(columns - 1) {
                dirty.push(text::plain(&text::lossy(path, PATH_BYTES)));
            }
            if dirty.len() >= DIRTY { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
    Ok(dirty)
}

/// The address of `origin`, or of the only remote, as it stands in the configuration.
pub(super) async fn remote_url(git: &Git, root: &Path, what: &str) -> Result<Option<String>, PortError> {
    let listing = Call::new(git, what)
        .folder(root)
        .args(["config", "-z", "--get-regexp", r"^remote\..*\.url$"])
        .output()
        .await?;
    let mut urls: BTreeMap<String, String> = BTreeMap::new();
    for entry in listing.stdout.split(|byte| *byte == 0) {
        let entry = String::from_utf8_lossy(entry);
        if let Some((key, url)) = entry.split_once('\n') {
            urls.entry(key.to_owned()).or_insert_with(|| url.to_owned());
        }
    }
    let url = match urls.remove("remote.origin.url") {
        Some(url) => Some(url),
        None if urls.len() == 1 => urls.pop_first().map(|(_, url)| url),
        None => None,
    };
    Ok(url.map(|url| absolute(root, url)))
}

/// git takes a path from the checkout; we are elsewhere.
fn absolute(root: &Path, url: String) -> String {
    if super::environment::check_url(&url).is_ok() || url.starts_with('-') || url.contains("::") {
        return url;
    }
    let path: PathBuf = root.join(&url);
    path.canonicalize().unwrap_or(path).to_string_lossy().into_owned()
}

/// The refs of the remote that start with one of the prefixes.
pub(super) async fn remote_refs(
    git: &Git,
    repository: &Repository,
    prefixes: &[String],
) -> Result<BTreeMap<String, ObjectId>, PortError> {
    let remote = Remote::of(git, repository).await?;
    refs_of(git, &remote, prefixes).await
}

/// The same, of a remote that is configured already.
pub(super) async fn refs_of(
    git: &Git,
    remote: &Remote,
    prefixes: &[String],
) -> Result<BTreeMap<String, ObjectId>, PortError> {
    if prefixes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let what = format!("look at {}", remote.shown);
    let mut call = Call::new(git, &what).arg("ls-remote");
    // The server then sends nothing else: forges keep tens of thousands of refs for pull requests.
    if prefixes.iter().all(|p| p.starts_with("refs/heads/") || p.starts_with("refs/tags/")) {
        call = call.args(["--heads", "--tags"]);
    }
    let mut refs = BTreeMap::new();
    let mut too_many = false;
    call.arg(Remote::NAME)
        .remote(remote, git.limits.look)
        .records(b'\n', PATH_BYTES, |line| {
            let asked = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
            refs.extend(remote_ref(line).filter(|(name, _)| asked(name)));
            too_many = refs.len() > REFS;
            if too_many { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
    if too_many {
        return Err(permanent(what, "the remote has more than a million refs", None));
    }
    Ok(refs)
}

/// A line of `ls-remote`. Lines that cannot be from a sane remote are passed over.
fn remote_ref(line: &[u8]) -> Option<(String, ObjectId)> {
    let line = std::str::from_utf8(line).ok()?;
    let (object, name) = line.split_once('\t')?;
    let sane = names::is_object(object) && !name.chars().any(char::is_control) && !name.is_empty();
    sane.then(|| (name.to_owned(), ObjectId(object.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_remotes_are_read() {
        let id = "a".repeat(40);
        let found = remote_ref(format!("{id}\trefs/tags/v1^{{}}").as_bytes()).unwrap();
        assert_eq!(found, ("refs/tags/v1^{}".to_owned(), ObjectId(id.clone())));
        for bad in ["", "abc\trefs/x", &id, &format!("{id}\trefs/\x1b[1m"), &format!("{id}\t")] {
            assert_eq!(remote_ref(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(remote_ref(b"ref: refs/heads/main\tHEAD"), None);
    }
}
