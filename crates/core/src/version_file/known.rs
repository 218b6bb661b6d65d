//! What is known of a repository's files while a version is looked for, and what has yet to be asked.
//!
//! Nothing here reads a file. Whoever wants to know what the files say hands in what it has, and is told what is
//! missing, until nothing is: the first round asks for the files that were named, the next ones for their companions.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::civil::Date;

use super::tree::{self, Doc};
use super::{FILE_MAX_BYTES, LOCK_MAX_BYTES, ReadError, RepoPath, Spot};

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file, whole.
    Bytes(Vec<u8>),
    /// Nothing.
    Missing,
    /// Something that is not read, and why: "it is a symbolic link, which is not followed".
    Unreadable(String),
}

/// Everything that was answered so far.
#[derive(Debug, Clone, Default)]
pub struct Known {
    files: BTreeMap<RepoPath, Content>,
    listings: BTreeMap<String, Vec<RepoPath>>,
    day: Option<Date>,
}

impl Known {
    /// The same on a day: that of the release, for files that tell it beside the version.
    pub fn on(self, day: Date) -> Self {
        Self { day: Some(day), ..self }
    }

    /// Takes in what is at a path.
    pub fn file(&mut self, path: RepoPath, content: Content) {
        self.files.insert(path, content);
    }

    /// Takes in the files among which a glob's are. Those that it does not match, and paths that are none in a repository,
    /// are left out.
    pub fn listing(&mut self, glob: &str, paths: impl IntoIterator<Item = String>) {
        let matching = paths.into_iter().filter(|path| fast_glob::glob_match(glob, path));
        let paths = matching.filter_map(|path| RepoPath::new(path).ok()).collect();
        self.listings.insert(glob.to_owned(), paths);
    }

    pub(super) fn bytes(&self, path: &RepoPath) -> Option<&[u8]> {
        match self.files.get(path) {
            Some(Content::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

/// What has to be answered before it goes on. Never empty where it is handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Need {
    /// Files whose content is wanted.
    pub files: BTreeSet<RepoPath>,
    /// Globs whose files are wanted: `*` and `?` stay within one folder, `**` does not.
    pub listings: BTreeSet<String>,
}

/// The folder in which all the files of a glob are, and the name that they have.
pub fn scope(glob: &str) -> (&str, &str) {
    let name = glob.rsplit('/').next().unwrap_or(glob);
    let plain = glob.find(['*', '?', '[', '{', '\\']).unwrap_or(glob.len() - name.len());
    (glob[..plain].rsplit_once('/').map_or("", |(folder, _)| folder), name)
}

/// Either more has to be known, or this is the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<T> {
    /// To be answered with [`Known::file`] and [`Known::listing`]; then the same is asked again.
    Need(Need),
    /// The answer.
    Done(T),
}

/// One pass over what is known: it gathers places and mistakes, and what else has to be asked.
pub(super) struct Finder<'a> {
    known: &'a Known,
    pub(super) need: Need,
    pub(super) spots: Vec<Spot>,
    pub(super) errors: Vec<ReadError>,
    docs: BTreeMap<RepoPath, Option<Rc<Doc>>>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(known: &'a Known) -> Self {
        Self { known, need: Need::default(), spots: Vec::new(), errors: Vec::new(), docs: BTreeMap::new() }
    }

    pub(super) fn error(&mut self, error: ReadError) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// The day of the release, where it is known.
    pub(super) fn day(&self) -> Option<Date> {
        self.known.day
    }

    /// The file at a path. `None` when that cannot be said now: it was asked for, or a mistake was noted.
    pub(super) fn look(&mut self, path: &RepoPath) -> Option<Option<&'a [u8]>> {
        match self.known.files.get(path) {
            None => {
                self.need.files.insert(path.clone());
                None
            }
            Some(Content::Missing) => Some(None),
            Some(Content::Unreadable(why)) => {
                self.error(ReadError::Unreadable { path: path.clone(), why: why.clone() });
                None
            }
            Some(Content::Bytes(bytes)) => {
                let limit = if is_lock(path) { LOCK_MAX_BYTES } else { FILE_MAX_BYTES };
                if bytes.len() > limit {
                    self.error(ReadError::TooLarge { path: path.clone(), bytes: bytes.len(), limit });
                    return None;
                }
                Some(Some(bytes))
            }
        }
    }

    /// The same for a file that has to be there.
    pub(super) fn must(&mut self, path: &RepoPath) -> Option<&'a [u8]> {
        let found = self.look(path)?;
        if found.is_none() {
            self.error(ReadError::Missing { path: path.clone() });
        }
        found
    }

    /// The files that a glob matches.
    pub(super) fn list(&mut self, glob: &str) -> Option<&'a [RepoPath]> {
        let known = self.known.listings.get(glob);
        if known.is_none() {
            self.need.listings.insert(glob.to_owned());
        }
        known.map(Vec::as_slice)
    }

    /// A file as a tree: TOML, JSON or YAML, by its name.
    pub(super) fn doc(&mut self, path: &RepoPath) -> Option<Option<Rc<Doc>>> {
        if let Some(doc) = self.docs.get(path) {
            return doc.clone().map(Some);
        }
        let Some(bytes) = self.look(path)? else { return Some(None) };
        let doc = match tree::parse(path, bytes) {
            Ok(doc) => Some(Rc::new(doc)),
            Err(error) => {
                self.error(error);
                None
            }
        };
        self.docs.insert(path.clone(), doc.clone());
        doc.map(Some)
    }

    /// The same for a file that has to be there.
    pub(super) fn must_doc(&mut self, path: &RepoPath) -> Option<Rc<Doc>> {
        let found = self.doc(path)?;
        if found.is_none() {
            self.error(ReadError::Missing { path: path.clone() });
        }
        found
    }

    /// What a step found, or its mistake noted.
    pub(super) fn take<T>(&mut self, found: Result<T, ReadError>) -> Option<T> {
        found.map_err(|error| self.error(error)).ok()
    }
}

fn is_lock(path: &RepoPath) -> bool {
    let name = path.file_name();
    name.ends_with(".lock") || matches!(name, "package-lock.json" | "npm-shrinkwrap.json")
}

/// The path that `relative` means in the folder of a file; `None` when it is none in the repository.
pub(super) fn beside(file: &RepoPath, relative: &str) -> Option<RepoPath> {
    in_folder(file.folder(), relative)
}

/// The path that `relative` means in a folder, which is empty for the top of the repository.
pub(super) fn in_folder(folder: &str, relative: &str) -> Option<RepoPath> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    RepoPath::new(parts.join("/")).ok()
}

/// The folder that `relative` means in a folder; the top of the repository is empty.
pub(super) fn folder_in(folder: &str, relative: &str) -> Option<String> {
    let marker = in_folder(folder, &format!("{relative}/x"))?;
    Some(marker.folder().to_owned())
}

/// The folders above one, the nearest first, the top of the repository last.
pub(super) fn folders_above(folder: &str) -> Vec<&str> {
    let mut above = Vec::new();
    let mut rest = folder;
    while !rest.is_empty() {
        rest = rest.rsplit_once('/').map_or("", |(above, _)| above);
        above.push(rest);
    }
    above
}
