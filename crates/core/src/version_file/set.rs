//! All version files of a repository at once: what they say, and the edits that make them say another version.

use std::collections::BTreeMap;

use super::known::Finder;
use super::{
    Content, EditError, FileRule, Known, Place, Progress, ReadError, RepoPath, Spelling, Spot, VersionFile,
    Write, cargo, composer, debian, gomod, gradle, is_version, lines, npm, pom, pyproject, python,
    same_version, whole,
};
use crate::commits::one_line;

/// A version that stands somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The file.
    pub path: RepoPath,
    /// The line, counted from 1.
    pub line: usize,
    /// The version, as it is spelled there.
    pub version: String,
}

/// What the version files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Every place, those of companions included, in the order of the files.
    pub said: Vec<Said>,
    /// What could not be read, all of it.
    pub errors: Vec<ReadError>,
}

impl Survey {
    /// The first version, and the places that say another one.
    pub fn disagreeing(&self) -> Option<(&Said, Vec<&Said>)> {
        let (first, others) = self.said.split_first()?;
        let others: Vec<&Said> =
            others.iter().filter(|other| !same_version(&first.version, &other.version)).collect();
        (!others.is_empty()).then_some((first, others))
    }
}

/// A file with its new content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The file.
    pub path: RepoPath,
    /// All of it.
    pub content: Vec<u8>,
}

/// What the files say.
pub fn survey(files: &[VersionFile], known: &Known) -> Progress<Survey> {
    let finder = find(files, known);
    if finder.need != super::Need::default() {
        return Progress::Need(finder.need);
    }
    let says = |spot: &Spot| {
        matches!(spot.write, Write::Version(_) | Write::Bare(_) | Write::Copy(_) | Write::Entry(_))
    };
    let said = finder.spots.into_iter().filter(says).map(|spot| Said {
        path: spot.path,
        line: spot.place.line,
        version: spot.found,
    });
    Progress::Done(Survey { said: said.collect(), errors: finder.errors })
}

/// The edits that make all the files say another version: all that are needed, or every reason why not. A file that
/// says it already is not among them.
pub fn set(files: &[VersionFile], known: &Known, new: &str) -> Progress<Result<Vec<Edit>, Vec<EditError>>> {
    if !is_version(new.as_bytes()) {
        return Progress::Done(Err(vec![EditError::NotAVersion { version: one_line(new, 40) }]));
    }
    let finder = find(files, known);
    if finder.need != super::Need::default() {
        return Progress::Need(finder.need);
    }
    let mut errors: Vec<EditError> = finder.errors.into_iter().map(EditError::Read).collect();
    let mut edits = Vec::new();
    for (path, spots) in by_file(finder.spots.clone()) {
        // What was found in a file was read from it.
        let Some(bytes) = known.bytes(&path) else { continue };
        match edited(bytes, &spots, new) {
            Ok(content) if content == bytes => {}
            Ok(content) => edits.push(Edit { path, content }),
            Err(more) => errors.extend(more),
        }
    }
    if errors.is_empty() {
        errors.extend(not_read_back(files, known, &edits, &finder.spots, new));
    }
    Progress::Done(if errors.is_empty() { Ok(edits) } else { Err(errors) })
}

/// Everything that is found in one pass.
fn find<'a>(files: &[VersionFile], known: &'a Known) -> Finder<'a> {
    let mut finder = Finder::new(known);
    let of = |rule: FileRule| -> Vec<RepoPath> {
        files.iter().filter(|file| file.rule == rule).map(|file| file.path.clone()).collect()
    };
    for file in files {
        one(&mut finder, file);
    }
    // Those that are about packages that know of each other.
    cargo::find(&mut finder, &of(FileRule::Cargo));
    npm::find(&mut finder, &of(FileRule::Npm));
    pom::find(&mut finder, &of(FileRule::Pom));
    finder
}

fn one(finder: &mut Finder<'_>, file: &VersionFile) -> Option<()> {
    let path = &file.path;
    match &file.rule {
        FileRule::Cargo | FileRule::Npm | FileRule::Pom => None,
        FileRule::Whole => one_of(finder, path, Spelling::Plain, |bytes| Ok(vec![whole(path, bytes)?])),
        FileRule::Python => one_of(finder, path, Spelling::Python, |bytes| python::places(path, bytes)),
        FileRule::Pattern(pattern) => {
            one_of(finder, path, Spelling::Plain, |bytes| pattern.places(path, bytes))
        }
        FileRule::Gradle => one_of(finder, path, Spelling::Plain, |bytes| gradle::places(path, bytes)),
        FileRule::Properties => one_of(finder, path, Spelling::Plain, |bytes| lines::properties(path, bytes)),
        FileRule::SetupCfg => one_of(finder, path, Spelling::Python, |bytes| lines::setup_cfg(path, bytes)),
        FileRule::Pyproject => pyproject::find(finder, path),
        FileRule::Composer => composer::find(finder, path),
        FileRule::GoMod => gomod::find(finder, path),
        FileRule::Debian => debian::find(finder, path),
        FileRule::Chart => {
            let keys = [(&["version"][..], Spelling::Semver), (&["appVersion"][..], Spelling::Plain)];
            keyed(finder, path, &keys, APP_VERSION, "`version` or `appVersion`")
        }
        FileRule::Key(key) => {
            let keys: Vec<&str> = key.split('.').collect();
            // The one key of a chart that has rules of its own.
            let chart = path.file_name() == "Chart.yaml" && key == "version";
            let spelling = if chart { Spelling::Semver } else { Spelling::Plain };
            let prefixed = if path.file_name() == "Chart.yaml" { APP_VERSION } else { "" };
            keyed(finder, path, &[(&keys, spelling)], prefixed, &format!("`{key}`"))
        }
    }
}

/// Places in one file, which have to agree.
fn one_of(
    finder: &mut Finder<'_>,
    path: &RepoPath,
    spelling: Spelling,
    places: impl Fn(&[u8]) -> Result<Vec<Place>, ReadError>,
) -> Option<()> {
    let bytes = finder.must(path)?;
    let places = finder.take(places(bytes))?;
    let found = |place: &Place| String::from_utf8_lossy(&bytes[place.at.clone()]).into_owned();
    let spots = places.into_iter().map(|place| {
        let found = found(&place);
        Spot { path: path.clone(), place, found, write: Write::Version(spelling) }
    });
    agreeing(finder, spots.collect())
}

/// The key of a chart that tells what it installs: as the tags of images do, it may say `v1.2.3`.
const APP_VERSION: &str = "appVersion";

/// Values behind keys, at least one of them, which have to agree. The one that is `prefixed` may have a `v` before it, which stays.
fn keyed(
    finder: &mut Finder<'_>,
    path: &RepoPath,
    keys: &[(&[&str], Spelling)],
    prefixed: &str,
    what: &str,
) -> Option<()> {
    let doc = finder.must_doc(path)?;
    let mut spots = Vec::new();
    for (keys, spelling) in keys {
        let Some(node) = finder.take(doc.at(keys))? else { continue };
        let read = match keys {
            [key] if *key == prefixed => doc.prefixed_place(node, key),
            _ => doc.version_place(node, keys.last().unwrap_or(&"version")),
        };
        let (place, found) = finder.take(read)?;
        // After a `v` nothing is taken for a number.
        let whole = place.at.start == node.at.start;
        let bare = whole && matches!(&node.kind, super::tree::Kind::Text(text) if text.bare);
        let write = if bare { Write::Bare(*spelling) } else { Write::Version(*spelling) };
        spots.push(Spot { path: path.clone(), place, found, write });
    }
    if spots.is_empty() {
        finder.error(ReadError::NoVersion { path: path.clone(), what: what.to_owned() });
        return None;
    }
    agreeing(finder, spots)
}

/// Takes the places of one file, or notes that they differ.
pub(super) fn agreeing(finder: &mut Finder<'_>, spots: Vec<Spot>) -> Option<()> {
    let (first, others) = spots.split_first()?;
    if let Some(other) = others.iter().find(|other| !same_version(&first.found, &other.found)) {
        let differ = ReadError::Differ {
            path: first.path.clone(),
            line: first.place.line,
            version: first.found.clone(),
            other_line: other.place.line,
            other: other.found.clone(),
        };
        finder.error(differ);
        return None;
    }
    finder.spots.extend(spots);
    Some(())
}

/// The places of each file, in order, each once.
fn by_file(mut spots: Vec<Spot>) -> BTreeMap<RepoPath, Vec<Spot>> {
    spots.sort_by(|a, b| (&a.path, a.place.at.start).cmp(&(&b.path, b.place.at.start)));
    let mut files: BTreeMap<RepoPath, Vec<Spot>> = BTreeMap::new();
    for spot in spots {
        let of = files.entry(spot.path.clone()).or_default();
        if of.last() != Some(&spot) {
            of.push(spot);
        }
    }
    files
}

fn edited(bytes: &[u8], spots: &[Spot], new: &str) -> Result<Vec<u8>, Vec<EditError>> {
    let mut content = Vec::with_capacity(bytes.len() + spots.len() * new.len());
    let mut errors = Vec::new();
    let mut from = 0;
    for spot in spots {
        let (path, line) = (spot.path.clone(), spot.place.line);
        if spot.place.at.start < from {
            errors.push(EditError::Overlap { path, line });
            continue;
        }
        if matches!(&spot.write, Write::Entry(top) if top.stays(&spot.found, new)) {
            continue;
        }
        match spot.written(new) {
            Ok(text) => {
                content.extend_from_slice(&bytes[from..spot.place.at.start]);
                content.extend_from_slice(text.as_bytes());
                from = spot.place.at.end;
            }
            Err(why) => errors.push(EditError::CannotStand { path, line, why }),
        }
    }
    content.extend_from_slice(&bytes[from..]);
    if errors.is_empty() { Ok(content) } else { Err(errors) }
}

impl Spot {
    /// What comes to stand here.
    fn written(&self, new: &str) -> Result<String, String> {
        let spell = |spelling: Spelling| {
            let remedy = "choose another version or form of versions, or give a pattern for this file";
            spelling.spell(new).map_err(|why| format!("{new} {why}: {remedy}"))
        };
        match &self.write {
            Write::Version(spelling) | Write::Copy(spelling) => spell(*spelling),
            Write::Bare(spelling) => {
                let text = spell(*spelling)?;
                // What it says now needs no change, whatever it looks like.
                let stays = text == self.found;
                Ok(if stays || !is_yaml_number(&text) { text } else { format!("\"{text}\"") })
            }
            Write::Named { name, spelling } => Ok(format!("{name} {}", spell(*spelling)?)),
            Write::Requirement(requirement) => requirement.moved(&self.found, new),
            Write::Entry(top) => top.written(new),
            Write::GoModule => gomod::check(&self.found, new).map(|()| self.found.clone()),
            Write::ComposerHash(relevant) => Ok(relevant.hash_with(&spell(Spelling::Composer)?)),
        }
    }
}

/// Whether YAML takes this text for a number when it has no quotes.
fn is_yaml_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// The first place that would not say the new version.
fn not_read_back(
    files: &[VersionFile],
    known: &Known,
    edits: &[Edit],
    before: &[Spot],
    new: &str,
) -> Option<EditError> {
    let mut after = known.clone();
    for edit in edits {
        after.file(edit.path.clone(), Content::Bytes(edit.content.clone()));
    }
    let found = find(files, &after);
    let fails = |spot: &Spot| {
        Some(EditError::NotReadBack {
            path: spot.path.clone(),
            line: spot.place.line,
            version: new.to_owned(),
        })
    };
    let sound = found.errors.is_empty() && found.spots.len() == before.len();
    if !sound {
        let broken = found
            .errors
            .first()
            .and_then(|error| before.iter().find(|spot| error.to_string().starts_with(spot.path.as_str())));
        return broken.or(before.first()).and_then(fails);
    }
    let says = |(old, spot): (&Spot, &Spot)| match &spot.write {
        Write::Version(_) | Write::Bare(_) | Write::Copy(_) | Write::Entry(_) => {
            (!same_version(&spot.found, new)).then(|| fails(old)).flatten()
        }
        _ => None,
    };
    before.iter().zip(&found.spots).find_map(says)
}
