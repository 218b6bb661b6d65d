//! Keeps files that were packed in folders beside the state, each under the key of its publication.
//!
//! A folder `KEY` holds `files/…` and `record.json` with the digests. It is made beside and renamed when everything in it is
//! on the disk: it is there as a whole, or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256, Sha512};
use tollgate_core::journal::Hash;
use tollgate_core::publish::{Artifact, Digest};
use tollgate_engine::ports::{Artifacts, Depot, FailureClass, PortError};

/// The largest publication: all of its files together.
pub const TOTAL_MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// The most files that patterns may find.
pub const FILES_MAX: usize = 1_000;
/// The most entries of folders that are looked at.
const ENTRIES_MAX: usize = 100_000;

/// What the names of folders begin with that are not complete.
const UNFINISHED: &str = ".new-";

const CHUNK_BYTES: usize = 128 * 1024;

/// Keeps files in a folder.
#[derive(Debug, Clone)]
pub struct FolderDepot {
    root: PathBuf,
}

/// Why files were not kept.
#[derive(Debug, thiserror::Error)]
enum DepotError {
    #[error("cannot {act} {}: {source}", path.display())]
    Io { act: &'static str, path: PathBuf, source: io::Error },
    #[error("{0}")]
    Refused(String),
    #[error("`{0}` was packed, and is not kept any more")]
    Gone(String),
    #[error("`{0}` is not as it was packed any more")]
    Changed(String),
}

/// What helps when files are not as they were packed.
const LOST: &str = "put it back as it was, if there is a copy of the state; or make another candidate with `tollgate respin`, for which everything is packed anew; or end the release with `tollgate abort`";
/// What helps when the disk is full.
const FULL: &str = "make room on the disk that the state is on: it is tried again";

impl DepotError {
    /// How to meet it, and what somebody can do.
    fn advice(&self) -> (FailureClass, Option<&'static str>) {
        match self {
            Self::Io { source, .. } => advice_on(source.kind()),
            Self::Refused(_) => (FailureClass::Permanent, None),
            Self::Gone(_) | Self::Changed(_) => (FailureClass::Permanent, Some(LOST)),
        }
    }
}

/// What somebody has to change does not pass; a disk that is full, busy or away may.
fn advice_on(kind: io::ErrorKind) -> (FailureClass, Option<&'static str>) {
    use io::ErrorKind as Kind;
    match kind {
        Kind::StorageFull | Kind::QuotaExceeded => (FailureClass::Transient, Some(FULL)),
        Kind::NotFound
        | Kind::PermissionDenied
        | Kind::AlreadyExists
        | Kind::NotADirectory
        | Kind::IsADirectory
        | Kind::ReadOnlyFilesystem
        | Kind::InvalidFilename
        | Kind::InvalidInput
        | Kind::FileTooLarge
        | Kind::Unsupported => (FailureClass::Permanent, None),
        _ => (FailureClass::Transient, None),
    }
}

fn gone(name: &str) -> DepotError {
    DepotError::Gone(name.to_owned())
}

/// What it means that a file that is kept cannot be opened.
fn missing(name: &str, path: &Path) -> impl FnOnce(io::Error) -> DepotError {
    let (name, path) = (name.to_owned(), path.to_owned());
    move |source| match source.kind() {
        io::ErrorKind::NotFound => DepotError::Gone(name),
        _ => DepotError::Io { act: "read", path, source },
    }
}

fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DepotError {
    let path = path.to_owned();
    move |source| DepotError::Io { act, path, source }
}

impl FolderDepot {
    /// In `state`/publications.
    pub fn new(state: &Path) -> Self {
        Self { root: state.join("publications") }
    }

    /// Where files are until all of them are on the disk.
    fn unfinished(&self, key: &str) -> PathBuf {
        self.root.join(format!("{UNFINISHED}{key}"))
    }

    fn all(&self) -> Result<Vec<Hash>, DepotError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read", &self.root)(error)),
        };
        let mut keys = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed("read", &self.root))?.file_name();
            // What has another name is nobody's here, and stays.
            let key = name.to_str().map(|name| name.strip_prefix(UNFINISHED).unwrap_or(name).parse::<Hash>());
            keys.extend(key.and_then(Result::ok));
        }
        Ok(keys)
    }

    fn read(&self, key: &str) -> Result<Option<Artifacts>, DepotError> {
        let path = self.root.join(key).join("record.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let record = serde_json::from_slice(&bytes);
        record
            .map(Some)
            .map_err(|error| DepotError::Refused(format!("{} is damaged: {error}", path.display())))
    }

    fn write(&self, key: &str, folder: &Path, patterns: &[String]) -> Result<Artifacts, DepotError> {
        if let Some(kept) = self.read(key)? {
            return Ok(kept);
        }
        let found = find(folder, patterns)?;
        if found.is_empty() {
            return Err(DepotError::Refused(format!("no file fits {}", tollgate_core::plan::list(patterns))));
        }
        let new = self.unfinished(key);
        clear(&new)?;
        let files = new.join("files");
        fs::create_dir(&files).map_err(failed("make", &files))?;
        let mut kept = Artifacts::new();
        let mut left = TOTAL_MAX_BYTES;
        for (name, path) in found {
            let artifact = copy(&path, &files.join(&name), left)?;
            left -= artifact.bytes;
            kept.insert(name, artifact);
        }
        sync_folder(&files)?;
        let record = new.join("record.json");
        let text = serde_json::to_vec(&kept).map_err(|error| DepotError::Refused(error.to_string()))?;
        File::create(&record)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .map_err(failed("write", &record))?;
        sync_folder(&new)?;
        let there = self.root.join(key);
        // What is there has no record, or it would have been the answer.
        remove(&there)?;
        fs::rename(&new, &there).map_err(failed("make", &there))?;
        sync_folder(&self.root)?;
        Ok(kept)
    }

    fn content(&self, key: &str, name: &str, max_bytes: u64) -> Result<Vec<u8>, DepotError> {
        let expected = self.read(key)?.unwrap_or_default().remove(name).ok_or_else(|| gone(name))?;
        if expected.bytes > max_bytes {
            return Err(DepotError::Refused(format!("`{name}` is larger than {max_bytes} bytes")));
        }
        let path = self.root.join(key).join("files").join(name);
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(missing(name, &path))?;
        // One byte more shows that it has grown.
        file.take(expected.bytes + 1).read_to_end(&mut bytes).map_err(failed("read", &path))?;
        if expected.sha256 != Digest::sha256(&Hash::of(&bytes)) {
            return Err(DepotError::Changed(name.to_owned()));
        }
        Ok(bytes)
    }

    fn copies(&self, key: &str, names: &[String], folder: &Path) -> Result<(), DepotError> {
        let kept = self.read(key)?.unwrap_or_default();
        clear(folder)?;
        for name in names {
            let expected = kept.get(name).ok_or_else(|| gone(name))?;
            let from = self.root.join(key).join("files").join(name);
            from.symlink_metadata().map_err(missing(name, &from))?;
            if copy(&from, &folder.join(name), TOTAL_MAX_BYTES)? != *expected {
                return Err(DepotError::Changed(name.clone()));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Depot for FolderDepot {
    async fn kept(&self, key: &Hash) -> Result<Option<Artifacts>, PortError> {
        let (depot, key) = (self.clone(), key.to_string());
        blocking("look for files that were packed", move || depot.read(&key)).await
    }

    async fn keep(&self, key: &Hash, folder: &Path, patterns: &[String]) -> Result<Artifacts, PortError> {
        let (depot, key) = (self.clone(), key.to_string());
        let (folder, patterns) = (folder.to_owned(), patterns.to_vec());
        blocking("keep what was packed", move || depot.write(&key, &folder, &patterns)).await
    }

    async fn lay_out(&self, key: &Hash, names: &[String], folder: &Path) -> Result<(), PortError> {
        let (depot, key) = (self.clone(), key.to_string());
        let (names, folder) = (names.to_vec(), folder.to_owned());
        blocking("lay out what was packed", move || depot.copies(&key, &names, &folder)).await
    }

    async fn read(&self, key: &Hash, name: &str, max_bytes: u64) -> Result<Vec<u8>, PortError> {
        let (depot, key, name) = (self.clone(), key.to_string(), name.to_owned());
        blocking("read what was packed", move || depot.content(&key, &name, max_bytes)).await
    }

    async fn write(&self, folder: &Path, texts: &BTreeMap<String, String>) -> Result<(), PortError> {
        let (folder, texts) = (folder.to_owned(), texts.clone());
        blocking("write what is told of files", move || {
            texts.iter().try_for_each(|(name, text)| {
                let path = folder.join(name);
                let file = File::create_new(&path);
                file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed("write", &path))
            })
        })
        .await
    }

    async fn clear(&self, folder: &Path) -> Result<(), PortError> {
        let folder = folder.to_owned();
        blocking("make a folder", move || clear(&folder)).await
    }

    async fn keys(&self) -> Result<Vec<Hash>, PortError> {
        let depot = self.clone();
        blocking("look for files that were packed", move || depot.all()).await
    }

    async fn forget(&self, key: &Hash) -> Result<(), PortError> {
        let paths = [self.root.join(key.to_string()), self.unfinished(&key.to_string())];
        blocking("remove what was packed", move || paths.iter().try_for_each(|path| remove(path))).await
    }
}

async fn blocking<T: Send + 'static>(
    what: &str,
    act: impl FnOnce() -> Result<T, DepotError> + Send + 'static,
) -> Result<T, PortError> {
    let failure = |why: String, (class, hint): (FailureClass, Option<&str>)| PortError {
        class,
        what: what.to_owned(),
        why,
        hint: hint.map(ToOwned::to_owned),
        retry_at: None,
    };
    match tokio::task::spawn_blocking(act).await {
        Ok(outcome) => outcome.map_err(|error| failure(error.to_string(), error.advice())),
        Err(error) => Err(failure(error.to_string(), (FailureClass::Permanent, None))),
    }
}

fn remove(path: &Path) -> Result<(), DepotError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

fn clear(folder: &Path) -> Result<(), DepotError> {
    remove(folder)?;
    fs::create_dir_all(folder).map_err(failed("make", folder))
}

fn sync_folder(path: &Path) -> Result<(), DepotError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(failed("write", path))
}

/// Copies a file, and tells what it is.
fn copy(from: &Path, to: &Path, max_bytes: u64) -> Result<Artifact, DepotError> {
    let mut source = File::open(from).map_err(failed("read", from))?;
    let mut copy = File::create_new(to).map_err(failed("write", to))?;
    let (mut sha256, mut sha512, mut bytes) = (Sha256::new(), Sha512::new(), 0_u64);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = source.read(&mut chunk).map_err(failed("read", from))?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        if bytes > max_bytes {
            let why = format!("what was packed is larger than {} GiB", TOTAL_MAX_BYTES / 1024 / 1024 / 1024);
            return Err(DepotError::Refused(why));
        }
        sha256.update(&chunk[..read]);
        sha512.update(&chunk[..read]);
        copy.write_all(&chunk[..read]).map_err(failed("write", to))?;
    }
    copy.sync_all().map_err(failed("write", to))?;
    let digits: String = sha512.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let sha512: Digest =
        format!("sha512:{digits}").parse().map_err(|error| DepotError::Refused(format!("{error}")))?;
    Ok(Artifact { sha256: Digest::sha256(&Hash(sha256.finalize().into())), sha512, bytes })
}

// ---------------------------------------------------------------- patterns

/// The files of a folder that fit a pattern, by their names. Links are not followed.
fn find(folder: &Path, patterns: &[String]) -> Result<BTreeMap<String, PathBuf>, DepotError> {
    let mut search = Search { found: BTreeMap::new(), looked_at: 0 };
    for pattern in patterns {
        let parts: Vec<&str> = pattern.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.contains(&"..") {
            return Err(DepotError::Refused(format!("`{pattern}` leaves its folder")));
        }
        search.within(folder, &parts)?;
    }
    Ok(search.found)
}

struct Search {
    found: BTreeMap<String, PathBuf>,
    looked_at: usize,
}

impl Search {
    fn within(&mut self, folder: &Path, parts: &[&str]) -> Result<(), DepotError> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("read", folder)(error)),
        };
        if *part == "**" {
            self.within(folder, rest)?;
        }
        for entry in entries {
            let entry = entry.map_err(failed("read", folder))?;
            self.looked_at += 1;
            if self.looked_at > ENTRIES_MAX {
                return Err(DepotError::Refused(format!(
                    "a pattern makes look at more than {ENTRIES_MAX} files"
                )));
            }
            let kind = entry.file_type().map_err(failed("read", folder))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let hidden = name.starts_with('.') && !part.starts_with('.');
            let fits = !hidden && (*part == "**" || fast_glob::glob_match(part, name));
            if kind.is_dir() && fits {
                let parts = if *part == "**" { parts } else { rest };
                self.within(&entry.path(), parts)?;
            } else if kind.is_file() && fits && rest.is_empty() {
                self.take(name, entry.path())?;
            }
        }
        Ok(())
    }

    fn take(&mut self, name: &str, path: PathBuf) -> Result<(), DepotError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-+~@%".contains(c);
        if name.starts_with('-') || !name.chars().all(plain) {
            let shown = name.escape_debug();
            return Err(DepotError::Refused(format!(
                "`{shown}` is not the name of a file that could be published"
            )));
        }
        match self.found.get(name) {
            Some(other) if *other != path => {
                let why =
                    format!("there is more than one `{name}`: {} and {}", other.display(), path.display());
                return Err(DepotError::Refused(why));
            }
            _ => self.found.insert(name.to_owned(), path),
        };
        if self.found.len() > FILES_MAX {
            return Err(DepotError::Refused(format!("the patterns find more than {FILES_MAX} files")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_passes_and_a_closed_folder_does_not() {
        // As the system gives them: full, over quota, an error of the disk, too many open files; then those that stay.
        let check = |code: i32, expected: FailureClass, hinted: bool| {
            let error = failed("write", Path::new("/there"))(io::Error::from_raw_os_error(code));
            let (class, hint) = error.advice();
            assert_eq!((class, hint.is_some()), (expected, hinted), "{error}");
        };
        let [enospc, edquot, eio, emfile] = [28, 122, 5, 24];
        let [enoent, eacces, erofs] = [2, 13, 30];
        check(enospc, FailureClass::Transient, true);
        check(edquot, FailureClass::Transient, true);
        check(eio, FailureClass::Transient, false);
        check(emfile, FailureClass::Transient, false);
        check(enoent, FailureClass::Permanent, false);
        check(eacces, FailureClass::Permanent, false);
        check(erofs, FailureClass::Permanent, false);
    }
}
