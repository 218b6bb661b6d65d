//! The version in `pyproject.toml`, and in the `uv.lock` beside it.

use super::known::{Finder, beside};
use super::set::agreeing;
use super::tree::{Doc, Node};
use super::{ReadError, RepoPath, Spelling, Spot, Write};
use crate::commits::one_line;

pub(super) fn find(finder: &mut Finder<'_>, path: &RepoPath) -> Option<()> {
    let doc = finder.must_doc(path)?;
    let mut spots = Vec::new();
    for keys in [["project", "version"].as_slice(), &["tool", "poetry", "version"]] {
        let Some(node) = finder.take(doc.at(keys))? else { continue };
        let (place, found) = finder.take(doc.version_place(node, "version"))?;
        spots.push(Spot { path: path.clone(), place, found, write: Write::Version(Spelling::Python) });
    }
    if spots.is_empty() {
        let error = finder.take(absent(&doc))?;
        finder.error(error);
        return None;
    }
    agreeing(finder, spots)?;
    uv_lock(finder, path, &doc)
}

/// Why there is no version to edit.
fn absent(doc: &Doc) -> Result<ReadError, ReadError> {
    let path = doc.path.clone();
    let dynamic = doc.at(&["project", "dynamic"])?;
    let Some(dynamic) = dynamic.filter(|list| list.texts().any(|text| text == "version")) else {
        let what = "`version` under `[project]` or `[tool.poetry]`".to_owned();
        return Ok(ReadError::NoVersion { path, what });
    };
    let line = doc.line(dynamic);
    let elsewhere = |why: String| Ok(ReadError::Elsewhere { path: doc.path.clone(), line, why });
    let instead = |what: &str, name: &str| {
        let name = one_line(name, 80);
        format!(
            "the version is dynamic, {what} `{name}`: name that file in `version.files` instead of {path}"
        )
    };
    if let Some(node) = doc.at(&["tool", "setuptools", "dynamic", "version"])? {
        if let Some(attr) = node.get("attr").and_then(Node::text) {
            return elsewhere(instead("the attribute", attr));
        }
        if let Some(file) = node.get("file").and_then(|file| file.text().or(file.texts().next())) {
            return elsewhere(instead("from the file", file));
        }
    }
    for keys in [["tool", "hatch", "version"], ["tool", "pdm", "version"]] {
        if let Some(file) = doc.at(&keys)?.and_then(|node| node.get("path")).and_then(Node::text) {
            return elsewhere(instead("from the file", file));
        }
    }
    let from_tag =
        [["tool", "setuptools_scm"], ["tool", "versioningit"], ["tool", "poetry-dynamic-versioning"]]
            .iter()
            .find_map(|keys| doc.at(keys).ok().flatten().map(|_| keys[1]));
    if let Some(tool) = from_tag {
        return elsewhere(format!(
            "the version is dynamic, and {tool} takes it from git's tags: take {path} out of `version.files`"
        ));
    }
    elsewhere(format!(
        "the version is dynamic: name the file that holds it in `version.files` instead of {path}, or take {path} out if it comes from git's tags"
    ))
}

/// uv's lock file says the version of the project too, and `uv sync --locked` looks.
fn uv_lock(finder: &mut Finder<'_>, path: &RepoPath, doc: &Doc) -> Option<()> {
    let name = normal(finder.take(doc.at(&["project", "name"]))??.text()?);
    let lock = finder.doc(&beside(path, "uv.lock")?)??;
    for package in finder.take(lock.at(&["package"]))?.map(Node::items).unwrap_or_default() {
        let here =
            |kind: &&str| package.get("source").and_then(|source| source.get(kind)).and_then(Node::text);
        let own = ["editable", "virtual", "directory"].iter().find_map(here) == Some(".");
        let same = package.get("name").and_then(Node::text).is_some_and(|other| normal(other) == name);
        if let (true, true, Some(version)) = (own, same, package.get("version")) {
            let (place, found) = finder.take(lock.version_place(version, "version"))?;
            let write = Write::Copy(Spelling::Python);
            finder.spots.push(Spot { path: lock.path.clone(), place, found, write });
        }
    }
    Some(())
}

/// A package's name as it is compared.
fn normal(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_ascii_lowercase()
}
