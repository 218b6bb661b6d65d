//! Reading files of the user's working copy. Nothing is ever written there.

use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use tollgate_engine::ports::{Checkout, PortError};

use super::Git;
use super::fault::{self, permanent};
use super::names;
use super::read::{FILE_BYTES, RECORD_BYTES, Wanted, refused, whole};
use super::run::Call;
use super::text;

/// A file as it is on the disk.
pub(super) async fn file(checkout: &Checkout, path: &str) -> Result<Option<Vec<u8>>, PortError> {
    names::path(path).map_err(|fault| refused("path", path, fault))?;
    let what = format!("read {path} of {}", checkout.root.display());
    let (root, path) = (checkout.root.clone(), path.to_owned());
    let shown = what.clone();
    let read = tokio::task::spawn_blocking(move || read(root, &path, &shown));
    read.await.unwrap_or_else(|error| Err(permanent(what, error.to_string(), None)))
}

/// A link on the way is none of git's files, and may lead outside.
fn read(root: PathBuf, path: &str, what: &str) -> Result<Option<Vec<u8>>, PortError> {
    let mut full = root.clone();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        full.push(part);
        let found = match std::fs::symlink_metadata(&full) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(fault::io(what, &error)),
        };
        if found.is_symlink() {
            let hint = Some("name the file itself");
            return Err(permanent(what, "it is a symbolic link, which is not followed", hint));
        }
        let last = parts.peek().is_none();
        if !last && full.join(".git").exists() {
            let folder = full.strip_prefix(&root).unwrap_or(&full).display().to_string();
            let why = format!("`{}` is a repository of its own", text::plain(&folder));
            return Err(permanent(what, why, Some("name a file of this repository")));
        }
        if last && !found.is_file() {
            return Ok(None);
        }
        if last && found.len() > FILE_BYTES {
            return Err(permanent(what, format!("it is larger than {} MiB", FILE_BYTES >> 20), None));
        }
    }
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(&full).map_err(|error| fault::io(what, &error))?;
    opened.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fault::io(what, &error))?;
    whole(what, bytes).map(Some)
}

/// The files of this name in a folder and below it, those that are not committed yet included.
pub(super) async fn files(
    git: &Git,
    checkout: &Checkout,
    folder: &str,
    name: &str,
) -> Result<Vec<String>, PortError> {
    let wanted = Wanted::new(folder, name)?;
    let what = format!("list the files of {}", checkout.root.display());
    let mut call = Call::new(git, &what).folder(&checkout.root).arg("--literal-pathspecs");
    call = call.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]);
    if !folder.is_empty() {
        call = call.arg(folder);
    }
    let mut found = Vec::new();
    call.records(0, RECORD_BYTES, |record| {
        if let Ok(path) = std::str::from_utf8(record) {
            wanted.take(path, &mut found);
        }
        wanted.full(&found)
    })
    .await?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
