//! The version in `Cargo.toml`, and everything in its workspace that repeats it: what other members ask of the package,
//! and `Cargo.lock`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::known::{Finder, beside, folder_in, folders_above, in_folder};
use super::requirement::{Flavour, Requirement};
use super::set::agreeing;
use super::tree::{Doc, Node};
use super::{ReadError, RepoPath, Spelling, Spot, Write};
use crate::commits::one_line;

/// Most manifests of one workspace.
const MEMBERS_MAX: usize = 5_000;

/// The tables of dependencies in a manifest, and in each of its targets.
const TABLES: [&str; 5] =
    ["dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies", "build_dependencies"];

/// A workspace of which some version is edited.
#[derive(Default)]
struct Workspace {
    manifests: BTreeMap<RepoPath, Rc<Doc>>,
    /// The version that members can share, when it is edited.
    shared: Option<String>,
    /// The packages with a version of their own that is edited.
    own: BTreeMap<RepoPath, String>,
}

pub(super) fn find(finder: &mut Finder<'_>, declared: &[RepoPath]) {
    let mut roots: BTreeMap<RepoPath, Workspace> = BTreeMap::new();
    for path in declared {
        let Some(doc) = finder.must_doc(path) else { continue };
        let Some(root) = root_of(finder, &doc) else { continue };
        let workspace = roots.entry(root).or_default();
        let _ = versions(finder, &doc, workspace);
    }
    for (root, mut workspace) in roots {
        let _ = members(finder, &root, &mut workspace);
        let moved = moved(finder, &workspace);
        requirements(finder, &workspace, &moved);
        let _ = lock(finder, &root, &moved);
    }
}

/// The versions that stand in a declared manifest.
fn versions(finder: &mut Finder<'_>, doc: &Rc<Doc>, workspace: &mut Workspace) -> Option<()> {
    let shared = finder.take(doc.at(&["workspace", "package", "version"]))?;
    let own = finder.take(doc.at(&["package", "version"]))?;
    let inherits = own.is_some_and(inherited);
    let mut spots = Vec::new();
    for (node, is_shared) in [(shared, true), (own.filter(|_| !inherits), false)] {
        let Some(node) = node else { continue };
        let (place, found) = finder.take(doc.version_place(node, "version"))?;
        match is_shared {
            true => workspace.shared = Some(found.clone()),
            false => drop(workspace.own.insert(doc.path.clone(), found.clone())),
        }
        spots.push(Spot { path: doc.path.clone(), place, found, write: Write::Version(Spelling::Semver) });
    }
    if !spots.is_empty() {
        return agreeing(finder, spots);
    }
    let error = match own {
        Some(node) => {
            let why = format!(
                "the version is the one of the workspace: name the workspace's Cargo.toml in `version.files` instead of {}",
                doc.path
            );
            ReadError::Elsewhere { path: doc.path.clone(), line: doc.line(node), why }
        }
        None => {
            let what = "`version` under `[package]` or `[workspace.package]`".to_owned();
            ReadError::NoVersion { path: doc.path.clone(), what }
        }
    };
    finder.error(error);
    None
}

fn inherited(version: &Node) -> bool {
    version.get("workspace").is_some_and(Node::is_true)
}

/// The manifest of the workspace that a manifest belongs to; itself where there is none.
fn root_of(finder: &mut Finder<'_>, doc: &Doc) -> Option<RepoPath> {
    let own = &doc.path;
    if doc.root.get("workspace").is_some() {
        return Some(own.clone());
    }
    if let Some(named) = finder.take(doc.at(&["package", "workspace"]))?.and_then(Node::text) {
        return beside(own, &format!("{named}/Cargo.toml"));
    }
    for folder in folders_above(own.folder()) {
        let above = in_folder(folder, "Cargo.toml")?;
        let Some(above) = finder.doc(&above)? else { continue };
        let Some(workspace) = above.root.get("workspace") else { continue };
        let excluded = workspace.get("exclude").is_some_and(|exclude| {
            exclude.texts().any(|text| {
                let text = folder_in(folder, text);
                text.is_some_and(|text| own.folder() == text || own.folder().starts_with(&format!("{text}/")))
            })
        });
        if !excluded {
            return Some(above.path.clone());
        }
    }
    Some(own.clone())
}

/// Reads the manifests of a workspace: those it names, and those that they lead to by paths.
fn members(finder: &mut Finder<'_>, root: &RepoPath, workspace: &mut Workspace) -> Option<()> {
    let doc = finder.must_doc(root)?;
    let mut next: Vec<RepoPath> = vec![root.clone()];
    next.extend(workspace.own.keys().cloned());
    let named = finder.take(doc.at(&["workspace", "members"]))?;
    let excluded: BTreeSet<String> = finder
        .take(doc.at(&["workspace", "exclude"]))?
        .map(|list| list.texts().filter_map(|text| folder_in(root.folder(), text)).collect())
        .unwrap_or_default();
    for member in named.map(Node::texts).into_iter().flatten() {
        let Some(manifest) = beside(root, &format!("{member}/Cargo.toml")) else { continue };
        if !member.contains(['*', '?', '[']) {
            next.push(manifest);
            continue;
        }
        let found = finder.list(manifest.as_str()).unwrap_or_default();
        next.extend(found.iter().filter(|path| !excluded.contains(path.folder())).cloned());
    }
    while let Some(path) = next.pop() {
        if workspace.manifests.contains_key(&path) || workspace.manifests.len() >= MEMBERS_MAX {
            continue;
        }
        // A path that leads nowhere is Cargo's to tell, unless a version hangs on it.
        let Some(Some(doc)) = finder.doc(&path) else { continue };
        next.extend(dependencies(&doc).into_iter().filter_map(|found| found.manifest));
        workspace.manifests.insert(path, doc);
    }
    Some(())
}

/// A dependency on a package in the repository.
struct Dependency<'a> {
    manifest: Option<RepoPath>,
    version: Option<&'a Node>,
}

/// The dependencies of a manifest that name a path.
fn dependencies(doc: &Doc) -> Vec<Dependency<'_>> {
    let mut tables: Vec<&Node> = TABLES.iter().filter_map(|table| doc.root.get(table)).collect();
    tables.extend(doc.root.get("workspace").and_then(|workspace| workspace.get("dependencies")));
    for (_, target) in doc.root.get("target").map(Node::entries).unwrap_or_default() {
        tables.extend(TABLES.iter().filter_map(|table| target.get(table)));
    }
    let all = tables.into_iter().flat_map(Node::entries);
    let found = all.filter_map(|(_, dependency)| {
        let folder = dependency.get("path")?.text()?;
        let manifest = beside(&doc.path, &format!("{folder}/Cargo.toml"));
        Some(Dependency { manifest, version: dependency.get("version") })
    });
    found.collect()
}

/// A package whose version is edited.
struct Moved {
    name: String,
    old: String,
}

fn moved(finder: &mut Finder<'_>, workspace: &Workspace) -> BTreeMap<RepoPath, Moved> {
    let mut moved = BTreeMap::new();
    for (path, doc) in &workspace.manifests {
        let Some(package) = doc.root.get("package") else { continue };
        let shares = package.get("version").is_some_and(inherited);
        let old = workspace.own.get(path).or(workspace.shared.as_ref().filter(|_| shares));
        let Some(old) = old else { continue };
        match package.get("name").and_then(Node::text) {
            Some(name) => drop(moved.insert(path.clone(), Moved { name: name.to_owned(), old: old.clone() })),
            None => {
                let what = "`name` under `[package]`".to_owned();
                finder.error(ReadError::NoVersion { path: path.clone(), what });
            }
        }
    }
    moved
}

/// What members ask of those that move.
fn requirements(finder: &mut Finder<'_>, workspace: &Workspace, moved: &BTreeMap<RepoPath, Moved>) {
    for (path, doc) in &workspace.manifests {
        for dependency in dependencies(doc) {
            let of = dependency.manifest.as_ref().and_then(|manifest| moved.get(manifest));
            let (Some(of), Some(version)) = (of, dependency.version) else { continue };
            let Some((place, found)) = finder.take(doc.text_place(version, "version")) else { continue };
            let (package, old) = (of.name.clone(), of.old.clone());
            let write = Write::Requirement(Requirement { flavour: Flavour::Cargo, package, old });
            finder.spots.push(Spot { path: path.clone(), place, found, write });
        }
    }
}

/// The entries of the packages that move, in `Cargo.lock`.
fn lock(finder: &mut Finder<'_>, root: &RepoPath, moved: &BTreeMap<RepoPath, Moved>) -> Option<()> {
    let lock = finder.doc(&beside(root, "Cargo.lock")?)??;
    let packages = finder.take(lock.at(&["package"]))?.map(Node::items).unwrap_or_default();
    let copy = Write::Copy(Spelling::Semver);
    let mut in_lock: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for package in packages.iter().filter(|package| package.get("source").is_none()) {
        let name = package.get("name").and_then(Node::text).unwrap_or_default();
        in_lock.entry(name).or_default().push(package);
    }
    for Moved { name, old } in moved.values() {
        let says = |package: &&&Node| package.get("version").and_then(Node::text) == Some(old);
        let of = in_lock.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let entry = of.iter().find(says).or(of.first().filter(|_| of.len() == 1));
        let Some(version) = entry.and_then(|entry| entry.get("version")) else {
            let what = format!("entry of `{}` {old}", one_line(name, 60));
            finder.error(ReadError::Stale {
                path: lock.path.clone(),
                what,
                with: "cargo update --workspace",
            });
            continue;
        };
        let Some((place, found)) = finder.take(lock.version_place(version, "version")) else { continue };
        // Where several packages have one name, those that need it say which one.
        let named = format!("{name} {found}");
        finder.spots.push(Spot { path: lock.path.clone(), place, found, write: copy.clone() });
        let needs = packages
            .iter()
            .flat_map(|package| package.get("dependencies").map(Node::items).unwrap_or_default());
        for need in needs.filter(|need| need.text() == Some(&named)) {
            let Some((place, found)) = finder.take(lock.text_place(need, "dependencies")) else { continue };
            let write = Write::Named { name: name.clone(), spelling: Spelling::Semver };
            finder.spots.push(Spot { path: lock.path.clone(), place, found, write });
        }
    }
    Some(())
}
