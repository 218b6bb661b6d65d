//! The version in `package.json`, and everything that repeats it: what other workspaces ask of the package, and npm's
//! lock file.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::known::{Finder, beside, folders_above, in_folder};
use super::requirement::{Flavour, Requirement};
use super::tree::{Doc, Node};
use super::{ReadError, RepoPath, Spelling, Spot, Write};
use crate::commits::one_line;

/// Where a package says what it asks of others.
const TABLES: [&str; 4] = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];

/// A package whose version is edited.
struct Moved {
    name: Option<String>,
    old: String,
}

pub(super) fn find(finder: &mut Finder<'_>, declared: &[RepoPath]) {
    let mut roots: BTreeMap<RepoPath, BTreeMap<RepoPath, Moved>> = BTreeMap::new();
    for path in declared {
        let Some(doc) = finder.must_doc(path) else { continue };
        let Some(moved) = version(finder, &doc) else { continue };
        let Some(root) = root_of(finder, path, &doc) else { continue };
        roots.entry(root).or_default().insert(path.clone(), moved);
    }
    for (root, moved) in roots {
        let Some(members) = members(finder, &root, &moved) else { continue };
        for doc in &members {
            for table in TABLES {
                requirements(finder, doc, doc.root.get(table), &moved);
            }
        }
        for name in ["package-lock.json", "npm-shrinkwrap.json"] {
            let _ = lock(finder, &root, name, &moved);
        }
    }
}

/// The version of a declared package.
fn version(finder: &mut Finder<'_>, doc: &Rc<Doc>) -> Option<Moved> {
    let Some(node) = finder.take(doc.at(&["version"]))? else {
        finder.error(ReadError::NoVersion { path: doc.path.clone(), what: "`version`".to_owned() });
        return None;
    };
    let (place, found) = finder.take(doc.version_place(node, "version"))?;
    let name = finder.take(doc.at(&["name"]))?.and_then(Node::text).map(ToOwned::to_owned);
    let moved = Moved { name, old: found.clone() };
    finder.spots.push(Spot { path: doc.path.clone(), place, found, write: Write::Version(Spelling::Semver) });
    Some(moved)
}

/// The globs of a package's workspaces.
fn workspaces(doc: &Doc) -> Option<Vec<&str>> {
    let node = doc.root.get("workspaces")?;
    Some(node.get("packages").unwrap_or(node).texts().collect())
}

/// The glob for the manifests of some workspaces, from the top of the repository.
fn manifests(root: &RepoPath, glob: &str) -> Option<RepoPath> {
    beside(root, &format!("{}/package.json", glob.trim_start_matches('!')))
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// Whether a package is among the workspaces of another one.
fn is_workspace(root: &RepoPath, globs: &[&str], path: &RepoPath) -> bool {
    let matches = |glob: &&str| {
        let of = manifests(root, glob);
        of.is_some_and(|of| of == *path || fast_glob::glob_match(of.as_str(), path.as_str()))
    };
    let (not, yes): (Vec<&str>, Vec<&str>) = globs.iter().partition(|glob| glob.starts_with('!'));
    yes.iter().any(matches) && !not.iter().any(matches) && !path.as_str().contains("node_modules/")
}

/// The package that has this one among its workspaces; itself where there is none.
fn root_of(finder: &mut Finder<'_>, path: &RepoPath, doc: &Doc) -> Option<RepoPath> {
    if doc.root.get("workspaces").is_some() {
        return Some(path.clone());
    }
    for folder in folders_above(path.folder()) {
        let Some(above) = finder.doc(&in_folder(folder, "package.json")?)? else { continue };
        if workspaces(&above).is_some_and(|globs| is_workspace(&above.path, &globs, path)) {
            return Some(above.path.clone());
        }
    }
    Some(path.clone())
}

/// The packages that can ask something of those that move.
fn members(
    finder: &mut Finder<'_>,
    root: &RepoPath,
    moved: &BTreeMap<RepoPath, Moved>,
) -> Option<Vec<Rc<Doc>>> {
    let doc = finder.must_doc(root)?;
    let globs = workspaces(&doc).unwrap_or_default();
    let mut paths: Vec<RepoPath> = vec![root.clone()];
    paths.extend(moved.keys().cloned());
    let mut waits = false;
    for glob in globs.iter().filter(|glob| !glob.starts_with('!')) {
        let Some(manifests) = manifests(root, glob) else { continue };
        if !is_glob(glob) {
            paths.push(manifests);
            continue;
        }
        match finder.list(manifests.as_str()) {
            Some(found) => {
                paths.extend(found.iter().filter(|path| is_workspace(root, &globs, path)).cloned());
            }
            None => waits = true,
        }
    }
    paths.sort();
    paths.dedup();
    let docs: Vec<Rc<Doc>> = paths.iter().filter_map(|path| finder.doc(path).flatten()).collect();
    (!waits).then_some(docs)
}

/// What a table of dependencies asks of those that move.
fn requirements(finder: &mut Finder<'_>, doc: &Doc, table: Option<&Node>, moved: &BTreeMap<RepoPath, Moved>) {
    for (name, node) in table.map(Node::entries).unwrap_or_default() {
        let of = moved.values().find(|moved| moved.name.as_ref() == Some(name));
        let Some(of) = of else { continue };
        let Some((place, found)) = finder.take(doc.text_place(node, name)) else { continue };
        let (package, old) = (name.clone(), of.old.clone());
        let write = Write::Requirement(Requirement { flavour: Flavour::Npm, package, old });
        finder.spots.push(Spot { path: doc.path.clone(), place, found, write });
    }
}

/// The versions in a lock file, and what it repeats of what packages ask for.
fn lock(
    finder: &mut Finder<'_>,
    root: &RepoPath,
    name: &str,
    moved: &BTreeMap<RepoPath, Moved>,
) -> Option<()> {
    let lock = finder.doc(&beside(root, name)?)??;
    let copy = |finder: &mut Finder<'_>, node: &Node| {
        let (place, found) = finder.take(lock.version_place(node, "version"))?;
        let write = Write::Copy(Spelling::Semver);
        finder.spots.push(Spot { path: lock.path.clone(), place, found, write });
        Some(())
    };
    if moved.contains_key(root)
        && let Some(version) = finder.take(lock.at(&["version"]))?
    {
        copy(finder, version);
    }
    // Lock files of npm 6 know nothing of workspaces.
    let packages = finder.take(lock.at(&["packages"]))??;
    let top = root.folder();
    for path in moved.keys() {
        let folder = path.folder();
        let key = match top {
            "" => folder,
            top => folder.strip_prefix(top).map_or(folder, |rest| rest.trim_start_matches('/')),
        };
        match packages.get(key) {
            Some(package) => {
                if let Some(version) = package.get("version") {
                    copy(finder, version);
                }
            }
            None => {
                let what = format!("entry of `{}`", one_line(key, 80));
                finder.error(ReadError::Stale {
                    path: lock.path.clone(),
                    what,
                    with: "npm install --package-lock-only",
                });
            }
        }
    }
    for (key, package) in packages.entries() {
        // What comes from elsewhere asks nothing of what is here.
        if key.split('/').any(|part| part == "node_modules") {
            continue;
        }
        for table in TABLES {
            requirements(finder, &lock, package.get(table), moved);
        }
    }
    Some(())
}
